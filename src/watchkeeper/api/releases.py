"""Releases: pushing, reading and comparing them, trying one with variables, and what checks say of them."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.doubts import about_feature, about_gate
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.release_documents import (
    ChangeDocument,
    LiveIn,
    MistakeDocument,
    ReleaseDocument,
    ReleaseSummary,
    change_document,
    mistake_document,
    release_document,
    release_summary,
)
from watchkeeper.api.retrieval import pinned
from watchkeeper.api.services import ReleaseBasis, Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import did_you_mean, meant
from watchkeeper.core.errors import CallerError
from watchkeeper.releases import comparing
from watchkeeper.releases.authoring import RecipeRefused, authored, named_blocks, read_authored
from watchkeeper.releases.checking import Mistake, mistakes_in
from watchkeeper.releases.parameters import mistakes_in_parameters
from watchkeeper.releases.prepared import Prepared
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.recipe import BLOCK_PREFIX, ID_PREFIX, Recipe
from watchkeeper.store.gates import GateDraft, GateRow
from watchkeeper.store.releases import HeadMoved, ReleaseRow, ReleaseUnknown

NAME_MAX = 200
MESSAGE_MAX = 10_000
LISTED_MAX = 500

WRITING = [needs("write_releases", somewhere=True)]
REPORTING = [needs("approve", "operate", somewhere=True)]
"""A check that authors could report on themselves would be none."""

router = APIRouter(prefix="/api/v1", tags=["releases"])


class PushConflict(CallerError):
    """Somebody has pushed another release of the feature since the pushed one was made; nothing was kept of it."""

    code = "release_conflict"
    http_status = 409


class RecipeWish(Strict):
    """A recipe in the words of `release.yaml`."""

    recipe: dict[str, Any] = Field(description="With every file that it names in its place.")


class PushWish(RecipeWish):
    """A recipe that is to become the latest release of its feature."""

    parent: str = Field(default="", max_length=60, description="The release it was made from; empty for the first.")
    message: str = Field(default="", max_length=MESSAGE_MAX, description="What was changed, and why.")


class PreviewWish(Strict):
    """What is to be tried: a recipe, or a release by its id, `FEATURE` or `FEATURE@ENVIRONMENT`."""

    recipe: dict[str, Any] | None = None
    release: str = Field(default="", max_length=NAME_MAX)
    variables: dict[str, Any] = Field(default={})
    documents: list[dict[str, Any]] = Field(default=[], max_length=100, description="In the place of retrieval.")


class GateWish(Strict):
    """What a check came to for a release."""

    name: str = Field(min_length=1, max_length=NAME_MAX, description="As the rules of an environment name it.")
    run: str = Field(default="", max_length=100, description="Where it can be looked up.")
    passed: bool
    summary: str = Field(default="", max_length=MESSAGE_MAX)


class PushedDocument(BaseModel):
    """What was pushed."""

    release: ReleaseDocument
    is_new: Annotated[bool, Field(description="False where the same recipe was pushed before.")]
    warnings: list[MistakeDocument]


class CheckDocument(BaseModel):
    """What is wrong with a recipe; without mistakes it can be pushed."""

    mistakes: list[MistakeDocument]
    warnings: list[MistakeDocument]


class ReleaseList(BaseModel):
    """Releases, the latest first."""

    releases: list[ReleaseSummary]


class MessageDocument(BaseModel):
    """One rendered message."""

    role: Annotated[str, Field(description="`conversation` stands for the messages that the client sends.")]
    content: str


class PreviewDocument(BaseModel):
    """A rendered prompt, or why there is none."""

    messages: list[MessageDocument]
    mistakes: list[MistakeDocument]
    warnings: list[MistakeDocument]


class Comparison(BaseModel):
    """What differs between two releases."""

    before: ReleaseSummary
    after: ReleaseSummary
    changes: list[ChangeDocument]


class BlockDocument(BaseModel):
    """A text that features share."""

    id: str
    text: str


class GateDocument(BaseModel):
    """What a check came to; the latest result of a check counts."""

    release: str
    name: str
    run: str
    passed: bool
    summary: str
    at: datetime
    by: str


class ReportedGate(GateDocument):
    """What was reported."""

    note: Annotated[str | None, Field(description="What the reporter may have overlooked.")] = None


class GateList(BaseModel):
    """Results of checks on a release, the latest first."""

    gates: list[GateDocument]


@router.post("/releases", status_code=201, summary="Push a release", dependencies=WRITING)
async def push(wish: PushWish, parts: Parts, by: By, response: Response) -> PushedDocument:
    """Keep a recipe as the latest release of its feature; one that is the latest already is not kept again (200).

    Refused where it was not made from the latest (409): `detail` then says what both sides have changed since.
    """
    recipe, doubts = await read_recipe(parts, wish.recipe)
    await require(parts, by, "write_releases", feature=recipe.feature)
    try:
        row, is_new = await parts.control.releases.push(
            recipe, parent=wish.parent, author=by.name, message=wish.message
        )
    except HeadMoved as error:
        raise await _conflict(parts, recipe, wish.parent, error) from None
    if not is_new:
        response.status_code = 200
    return PushedDocument(
        release=release_document(row, row.id, await _live(parts, row)),
        is_new=is_new,
        warnings=[mistake_document(doubt) for doubt in doubts],
    )


@router.post("/releases/check", summary="Check a recipe", dependencies=SOME)
async def check(wish: RecipeWish, parts: Parts) -> CheckDocument:
    """Name everything that is wrong with a recipe; nothing is kept."""
    try:
        _, doubts = await read_recipe(parts, wish.recipe)
    except RecipeRefused as error:
        return CheckDocument(mistakes=[mistake_document(mistake) for mistake in error.mistakes], warnings=[])
    return CheckDocument(mistakes=[], warnings=[mistake_document(doubt) for doubt in doubts])


@router.post("/releases/preview", summary="Render a recipe", dependencies=SOME)
async def preview(wish: PreviewWish, parts: Parts, by: By) -> PreviewDocument:
    """Write the messages of a recipe with real variables; nothing is kept, and no model is asked."""
    doubts: list[Mistake] = []
    try:
        if wish.recipe is not None:
            recipe, doubts = await read_recipe(parts, wish.recipe)
        else:
            recipe = (await _readable(parts, by, wish.release)).recipe
        messages = await asyncio.to_thread(_rendered, recipe, wish)
    except RecipeRefused as error:
        return PreviewDocument(
            messages=[], mistakes=[mistake_document(mistake) for mistake in error.mistakes], warnings=[]
        )
    return PreviewDocument(messages=messages, mistakes=[], warnings=[mistake_document(doubt) for doubt in doubts])


@router.get("/releases", summary="List releases", dependencies=SOME)
async def list_releases(
    parts: Parts,
    by: By,
    feature: Annotated[str, Query(max_length=NAME_MAX, description="Without one, the latest of each feature.")] = "",
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 100,
) -> ReleaseList:
    """List the releases of a feature, or the latest of each, the newest first."""
    store = parts.control.releases
    heads = await store.heads()
    if feature:
        await require(parts, by, "read", feature=feature)
        rows = await store.of(feature, limit=limit)
    else:
        seen = by.rights.features("read")
        found = await store.several(head for name, head in heads.items() if seen is None or name in seen)
        rows = sorted(found.values(), key=lambda row: row.number, reverse=True)[:limit]
    live: dict[str, list[LiveIn]] = {}
    for standing in await parts.control.environments.current(feature):
        live.setdefault(standing.release, []).append(
            LiveIn(feature=standing.feature, environment=standing.environment, since=standing.effective_at)
        )
    return ReleaseList(
        releases=[release_summary(row, heads.get(row.feature, ""), live.get(row.id, [])) for row in rows]
    )


@router.get("/releases/{release}/changes", summary="Compare two releases", dependencies=SOME)
async def compare(
    release: str,
    parts: Parts,
    by: By,
    since: Annotated[
        str, Query(min_length=1, max_length=NAME_MAX, description="Id, `FEATURE` or `FEATURE@ENVIRONMENT`.")
    ],
) -> Comparison:
    """Return every place at which a release differs from another one."""
    rows = [await _readable(parts, by, one) for one in (since, release)]
    heads = await parts.control.releases.heads()
    old, new = [release_summary(row, heads.get(row.feature, ""), await _live(parts, row)) for row in rows]
    found = comparing.changes(authored(rows[0].recipe), authored(rows[1].recipe))
    return Comparison(before=old, after=new, changes=[change_document(change) for change in found])


@router.get("/blocks/{block}", summary="Read a shared block", dependencies=SOME)
async def read_block(block: str, parts: Parts) -> BlockDocument:
    """Return a shared text by its id."""
    found = await parts.control.releases.block(block) if block.startswith(BLOCK_PREFIX) else None
    if found is None:
        raise ReleaseUnknown(f"There is no block {block[:60]!r}; it comes with the first release that has it.")
    return BlockDocument(id=found[0], text=found[1])


@router.get("/releases/{release}", summary="Read a release", dependencies=SOME)
async def read_release(release: str, parts: Parts, by: By) -> ReleaseDocument:
    """Return a release by its id or a beginning of it, by `FEATURE` (the latest), or by `FEATURE@ENVIRONMENT`."""
    row = await _readable(parts, by, release)
    return release_document(row, await parts.control.releases.head(row.feature), await _live(parts, row))


@router.post("/releases/{release}/gates", status_code=201, summary="Report a check", dependencies=REPORTING)
async def report_gate(release: str, wish: GateWish, parts: Parts, by: By) -> ReportedGate:
    """Keep what a check came to for a release; an environment may ask for it before a promotion."""
    row = await find_release(parts, release)
    await require(parts, by, "approve", "operate", feature=row.feature)
    draft = GateDraft(
        release=row.id, gate=wish.name, run=wish.run, has_passed=wish.passed, summary=wish.summary, by=by.name
    )
    return ReportedGate(**dict(_gate(await parts.control.gates.report(draft))), note=about_gate(wish.name, parts))


@router.get("/releases/{release}/gates", summary="List results of checks", dependencies=SOME)
async def list_gates(release: str, parts: Parts, by: By) -> GateList:
    """List what checks came to for a release."""
    row = await _readable(parts, by, release)
    return GateList(gates=[_gate(gate) for gate in await parts.control.gates.of(row.id)])


async def find_release(parts: Services, named: str) -> ReleaseRow:
    """Find a release by its id or a beginning of it, by `FEATURE` (the latest), or by `FEATURE@ENVIRONMENT`.

    Raises:
        ReleaseUnknown: there is none.
    """
    store = parts.control.releases
    feature, _, place = named.strip().partition("@")
    if place.startswith(ID_PREFIX) or feature.startswith(ID_PREFIX):
        return await store.get(place or feature)
    if not place:
        head = await store.head(feature)
        if not head:
            known = await store.features()
            raise ReleaseUnknown(f"There is no release of a feature {feature[:60]!r}{meant(feature, known)}")
        return await store.get(head)
    found = [row for row in await parts.control.environments.current(feature) if row.environment == place]
    if not found or not found[0].release:
        raise ReleaseUnknown(f"Nothing of {feature[:60]!r} is live in {place[:60]!r}.")
    return await store.get(found[0].release)


async def _readable(parts: Services, by: Operator, named: str) -> ReleaseRow:
    """Find a release that somebody may read. Raises as `find_release`, or NotAllowed."""
    row = await find_release(parts, named)
    await require(parts, by, "read", feature=row.feature)
    return row


async def read_recipe(parts: Services, data: dict[str, Any]) -> tuple[Recipe, list[Mistake]]:
    """Read a recipe and check all of it; return it, and what is allowed but probably not meant.

    Raises:
        RecipeRefused: it cannot be served.
    """
    blocks = {}
    for named in named_blocks(data):
        if (block := await parts.control.releases.block(named)) is not None:
            blocks[block[0]] = block[1]
    recipe, about_retrieval = await pinned(parts, read_authored(data, blocks))
    found = await asyncio.to_thread(mistakes_in, recipe) + about_retrieval
    found += _about_model(recipe.model, parts.release_basis())
    found += mistakes_in_parameters(recipe.parameters)
    if recipe.guards:
        found.append(Mistake("guards", "there are no guard policies yet; leave `guards` out"))
    if doubt := about_feature(recipe.feature, parts):
        found.append(Mistake("feature", doubt, is_warning=True))
    if mistakes := [mistake for mistake in found if not mistake.is_warning]:
        raise RecipeRefused(mistakes)
    return recipe, found


def _about_model(model: str, basis: ReleaseBasis) -> list[Mistake]:
    if basis.models is None:
        return [Mistake("model", "nobody could check it: the configuration is not known here", is_warning=True)]
    provider, slash, _ = model.partition("/")
    if model in basis.models or (slash and provider in basis.providers):
        return []
    known = [*basis.models, *(f"{name}/" for name in basis.providers)]
    what = f"there is no provider `{provider}`" if slash else f"there is no route `{model[:100]}`"
    return [Mistake("model", what + did_you_mean(model, known))]


def _rendered(recipe: Recipe, wish: PreviewWish) -> list[MessageDocument]:
    prepared = Prepared(recipe)
    try:
        variables = prepared.variables.complete(wish.variables)
        messages = prepared.render(variables, wish.documents if recipe.retrieval is not None else None)
    except VariableProblem as problem:
        raise RecipeRefused([Mistake(f"variables.{problem.name}", str(problem))]) from None
    except TemplateProblem as problem:
        raise RecipeRefused([Mistake("messages", str(problem))]) from None
    return [MessageDocument(role=message.role, content=message.content) for message in messages]


async def _conflict(parts: Services, recipe: Recipe, parent: str, error: HeadMoved) -> PushConflict:
    """Say what both sides have changed since what they have in common."""
    store = parts.control.releases
    head = await store.get(error.head or await store.head(recipe.feature))
    ancestor = await store.common_ancestor(head.id, parent)
    base = authored((await store.get(ancestor)).recipe) if ancestor else {}
    mine = comparing.changes(base, authored(recipe))
    theirs = comparing.changes(base, authored(head.recipe))
    conflict = PushConflict(str(error))
    conflict.detail = {
        "head": head.id,
        "author": head.author,
        "ancestor": ancestor,
        "mine": [change_document(change).model_dump() for change in mine],
        "theirs": [change_document(change).model_dump() for change in theirs],
    }
    return conflict


async def _live(parts: Services, row: ReleaseRow) -> list[LiveIn]:
    standings = await parts.control.environments.current(row.feature)
    return [
        LiveIn(feature=row.feature, environment=standing.environment, since=standing.effective_at)
        for standing in standings
        if standing.release == row.id
    ]


def _gate(row: GateRow) -> GateDocument:
    return GateDocument(
        release=row.release,
        name=row.gate,
        run=row.run,
        passed=row.has_passed,
        summary=row.summary,
        at=row.at,
        by=row.by,
    )
