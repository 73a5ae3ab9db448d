"""Replays: a real call again, under another release or by another model, beside what it was."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.access.roles import Permission
from watchkeeper.api.amounts import CostSummary, cost_summary
from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.calls import CallUnknown
from watchkeeper.api.documents import CallDocument, call_document
from watchkeeper.api.permits import needs, require
from watchkeeper.api.releases import find_release, read_recipe
from watchkeeper.api.replaying import Replayed, Wish, answer_of, estimate, replay
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.ids import is_call_id
from watchkeeper.core.money import CostStatus
from watchkeeper.releases.texts import Line, Sign
from watchkeeper.store.rows import CallDetail

MAY_REPLAY: tuple[Permission, ...] = ("write_releases", "promote", "operate")
"""One of these, beside reading what was said: a replay costs money."""

router = APIRouter(prefix="/api/v1", tags=["replays"])


class ReplayQuery(Strict):
    """What to repeat how."""

    call: Annotated[str, Field(description="Id of the call; without one, `variables` say everything.")] = ""
    release: Annotated[
        str,
        Field(description="Id of a release or a beginning of it, `FEATURE` for the latest, or `FEATURE@ENVIRONMENT`."),
    ] = ""
    model: Annotated[str, Field(description="Instead of a release: a route, or `provider/model`.")] = ""
    recipe: Annotated[
        dict[str, Any] | None,
        Field(description="Instead of a release: a recipe in the words of `release.yaml`, not pushed."),
    ] = None
    variables: Annotated[
        dict[str, Any], Field(description="In the place of those that the call gave.", default_factory=dict)
    ]
    dry_run: Annotated[bool, Field(description="Only say what it would cost.")] = False


class DiffPart(BaseModel):
    """A piece of a line."""

    text: str
    is_changed: bool


class DiffLine(BaseModel):
    """A line of one answer, or of both."""

    sign: Annotated[Sign, Field(description="`-` of the original, `+` of the replay, a blank of both.")]
    parts: list[DiffPart]


class EstimateDocument(BaseModel):
    """What it would cost if it used as many tokens again."""

    target: Annotated[str, Field(description="`provider/model`; empty where it is not known.")]
    cost: CostSummary


class ReplayDocument(BaseModel):
    """Both calls side by side."""

    original: CallDocument | None
    replay: Annotated[CallDocument | None, Field(description="Null after a dry run.")]
    answers: Annotated[dict[str, str], Field(description="`original` and `replay`: words, tool calls, or the error.")]
    diff: list[DiffLine]
    notes: Annotated[list[str], Field(description="What was not as it was, one sentence each.")]
    estimate: Annotated[EstimateDocument | None, Field(description="Of a dry run.")] = None


@router.post(
    "/replays",
    summary="Repeat a call under another release or by another model",
    dependencies=[needs(*MAY_REPLAY, somewhere=True)],
)
async def post_replay(query: ReplayQuery, parts: Parts, by: By) -> ReplayDocument:
    """Send the call through the gateway again and return both; it costs what such a call costs, on the same budgets."""
    wish = Wish(
        original=await found_for_replay(query.call, parts, by) if query.call else None,
        release=(await find_release(parts, query.release)).id if query.release else "",
        model=query.model,
        recipe=None if query.recipe is None else (await read_recipe(parts, query.recipe))[0],
        variables=query.variables,
        by=by.name,
    )
    await require_replay(parts, by, wish)
    if query.dry_run:
        expected = await estimate(parts, wish)
        status: CostStatus = "unpriced" if expected.nusd is None else "estimated"
        return ReplayDocument(
            original=_document(wish.original),
            replay=None,
            answers={} if wish.original is None else {"original": answer_of(wish.original)},
            diff=[],
            notes=[],
            estimate=EstimateDocument(target=expected.target, cost=cost_summary(expected.nusd, status)),
        )
    return replay_document(await replay(parts, wish))


async def found_for_replay(call_id: str, parts: Services, by: Operator) -> CallDetail:
    """Find a call whose text somebody may read; that they do is noted.

    Raises:
        CallUnknown: there is none.
        NotAllowed: they may not.
    """
    found = await parts.analytics.call(call_id) if is_call_id(call_id) else None
    if found is None:
        raise CallUnknown(f"There is no call {call_id[:50]!r}. A call can be found about a second after it has ended.")
    await require(parts, by, "read_bodies", feature=found.row.feature)
    await parts.control.changes.note_reading(call_id, actor=by.name, feature=found.row.feature)
    return found


def replay_document(found: Replayed) -> ReplayDocument:
    """Write both calls side by side."""
    answers = {"replay": answer_of(found.replay)}
    if found.original is not None:
        answers = {"original": answer_of(found.original)} | answers
    return ReplayDocument(
        original=_document(found.original),
        replay=_document(found.replay),
        answers=answers,
        diff=[_line(line) for line in found.diff],
        notes=list(found.notes),
    )


async def require_replay(parts: Services, by: Operator, wish: Wish) -> None:
    """Go on only where somebody may repeat calls of every feature that this is about.

    Raises:
        NotAllowed: they may not.
        ReleaseUnknown: there is no such release.
    """
    features = set[str]()
    if wish.original is not None:
        features.add(wish.original.row.feature)
    if wish.recipe is not None:
        features.add(wish.recipe.feature)
    if wish.release:
        features.add((await parts.control.releases.get(wish.release)).feature)
    for feature in sorted(features):
        await require(parts, by, *MAY_REPLAY, feature=feature)


def _document(call: CallDetail | None) -> CallDocument | None:
    return None if call is None else call_document(call, is_text_shown=True)


def _line(line: Line) -> DiffLine:
    return DiffLine(sign=line.sign, parts=[DiffPart(text=part.text, is_changed=part.is_changed) for part in line.parts])
