"""Cases from recorded calls: made and looked at, then added to a suite."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.calls import TEXT_OF_SOME
from watchkeeper.api.filters import CallIdText, CallQuery
from watchkeeper.api.harvesting import CASES_AT_ONCE, CasesRefused, Referring, added, harvest, matching
from watchkeeper.api.permits import needs, require
from watchkeeper.api.sight import calls_seen
from watchkeeper.api.strict import Strict
from watchkeeper.evals.redaction import UNSEEN
from watchkeeper.evals.suite import Case

NAME_MAX = 200
MESSAGE_MAX = 10_000

router = APIRouter(prefix="/api/v1/cases", tags=["evals"])


class CasesWish(Strict):
    """Calls of which cases are to be made."""

    calls: list[CallIdText] = Field(default=[], max_length=CASES_AT_ONCE)
    query: CallQuery | None = Field(default=None, description="Instead: the newest calls that match.")
    limit: int = Field(default=50, ge=1, le=CASES_AT_ONCE)
    reference: Referring = Field(
        default="none", description="`answer`: the call's answer; `labelled`: where people have found it good."
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=NAME_MAX)]] = Field(default=[], max_length=20)
    redact: bool = Field(default=True, description="Whether personal data is taken out, by its form.")


class RedactionDocument(BaseModel):
    """Something that was taken out of a case."""

    place: str
    kind: str


class MadeDocument(BaseModel):
    """A case, and what is to be known before it is kept."""

    case: Annotated[dict[str, Any], Field(description="Keys as in a suite.")]
    redactions: list[RedactionDocument]
    notes: list[str]


class LeftOutDocument(BaseModel):
    """A call of which no case can be made."""

    call: str
    why: str


class CasesDocument(BaseModel):
    """Cases that were made, and kept nowhere."""

    cases: list[MadeDocument]
    left_out: list[LeftOutDocument]
    unseen: Annotated[str, Field(description="What the redaction does not find.")]


class AddingWish(Strict):
    """Cases for a suite."""

    feature: str = Field(min_length=1, max_length=NAME_MAX)
    suite: str = Field(min_length=1, max_length=NAME_MAX, description="Its name; one that does not exist is made.")
    cases: list[dict[str, Any]] = Field(min_length=1, max_length=CASES_AT_ONCE)
    message: str = Field(default="", max_length=MESSAGE_MAX)


class AddedCases(BaseModel):
    """What was added."""

    suite: str
    id: Annotated[str, Field(description="Of the version that has them.")]
    added: Annotated[int, Field(description="Cases that were not in it.")]
    cases: int


@router.post("/preview", summary="Make cases of calls", dependencies=TEXT_OF_SOME)
async def preview(wish: CasesWish, parts: Parts, by: By) -> CasesDocument:
    """Make a case of each call, without what has the form of personal data; that they are read is noted."""
    if bool(wish.calls) == (wish.query is not None):
        raise CasesRefused("Name `calls` or give a `query`, one of the two; no case was made.")
    calls = list(wish.calls)
    if wish.query is not None:
        chosen = await calls_seen(wish.query.call_filter(parts), parts, by)
        calls = await matching(parts, chosen, wish.limit)
    found = await harvest(parts, by, calls, referring=wish.reference, tags=tuple(wish.tags), is_redacted=wish.redact)
    return CasesDocument(
        cases=[
            MadeDocument(
                case=msgspec.to_builtins(one.case),
                redactions=[RedactionDocument(place=taken.place, kind=taken.kind) for taken in one.redactions],
                notes=list(one.notes),
            )
            for one in found.made
        ],
        left_out=[LeftOutDocument(call=call, why=why) for call, why in found.left_out],
        unseen=UNSEEN,
    )


@router.post("/add", summary="Add cases to a suite", dependencies=[needs("write_releases", somewhere=True)])
async def add(wish: AddingWish, parts: Parts, by: By) -> AddedCases:
    """Keep a version of the suite that has the cases, too; one whose id is there already is left out."""
    await require(parts, by, "write_releases", feature=wish.feature)
    try:
        cases = msgspec.convert(wish.cases, list[Case])
    except msgspec.ValidationError as error:
        raise CasesRefused(f"These are no cases: {error}. Nothing was added.") from None
    row, count = await added(parts, wish.feature, wish.suite, cases, by=by.name, message=wish.message)
    return AddedCases(suite=row.title, id=row.id, added=count, cases=row.cases)
