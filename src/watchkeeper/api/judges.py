"""Judges: the releases that scorers ask. Those that come with Watchkeeper are pushed when they are first asked for."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.permits import SOME, Need, require
from watchkeeper.api.releases import find_release, read_recipe
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.judging.kinds import KINDS, PREPARING
from watchkeeper.evals.judging.shipped import lacking, recipe
from watchkeeper.releases.authoring import RecipeRefused, authored
from watchkeeper.releases.recipe import ID_PREFIX, Recipe, release_id
from watchkeeper.store.releases import HeadMoved, ReleaseRow

AUTHOR = "watchkeeper"
"""Who pushes the judges that come with Watchkeeper."""
PREFIX = "feature/"
PUSHES_MAX = 5
"""Tries of a push that others get ahead of."""
NAME_MAX = 400

MAKING = Need(("write_releases",), somewhere=True)
"""Asked of whoever is the first to name a model: the release says nothing that they could have written."""

router = APIRouter(prefix="/api/v1/judges", tags=["judges"])


class JudgeRefused(CallerError):
    """There is no such judge, or it cannot give verdicts of this kind; nothing was asked and nothing was pushed."""

    code = "judge_refused"
    http_status = 422


class JudgeWish(Strict):
    """Which judge is to be asked for what."""

    kind: str = Field(max_length=NAME_MAX, description="What it is asked, such as `rubric`.")
    judge: str = Field(
        max_length=NAME_MAX,
        description="A route or `provider/model`, for the judge that comes with Watchkeeper; or one's own, "
        "as `feature/NAME@ENVIRONMENT`, `feature/NAME@wk1-...` or its id.",
    )


class JudgeDocument(BaseModel):
    """A judge, down to its version."""

    model: Annotated[str, Field(description="What a client of the gateway names: `feature/NAME@wk1-...`.")]
    feature: str
    release: str


@router.post("/resolve", summary="Find a judge", dependencies=SOME)
async def resolve(wish: JudgeWish, parts: Parts, by: By) -> JudgeDocument:
    """Return the release that is asked: of an environment, what is live there now. One that comes with Watchkeeper is
    pushed where it is not there yet (which needs `write_releases`).
    """
    found = await _found(parts, wish.kind, wish.judge, by=by)
    feature, _, release = found.removeprefix(PREFIX).partition("@")
    return JudgeDocument(model=found, feature=feature, release=release)


async def ensured(parts: Services, kind: str, judge: str) -> str:
    """Return the model name under which a judge is asked, with its release; who may do so is not looked at.

    A release of a judge that comes with Watchkeeper is there afterwards, and workers have it at hand.

    Raises:
        JudgeRefused: there is no such kind or judge, or it cannot be asked for this kind.
        ReleaseUnknown: there is no such release, or nothing is live in the environment.
    """
    return await _found(parts, kind, judge)


async def _found(parts: Services, kind: str, judge: str, *, by: Operator | None = None) -> str:
    if kind not in KINDS:
        raise JudgeRefused(f"There is no kind of judge `{kind[:60]}`{meant(kind, sorted(KINDS))} Nothing was asked.")
    if not judge.startswith((PREFIX, ID_PREFIX)):
        return await _shipped(parts, kind, judge, by)
    row = await _own(parts, judge)
    if by is not None:
        await require(parts, by, "read", feature=row.feature)
    if kind in PREPARING and row.recipe != recipe(kind, row.recipe.model):
        return await _shipped(parts, kind, row.recipe.model, by)
    if lacks := lacking(row.recipe, kind):
        raise JudgeRefused(
            f"The release {row.id} of `{row.feature}` cannot be asked for `{kind}`: {'; '.join(lacks)}. Nothing was "
            "asked; docs/judges.md has the variables and the schema that each kind needs."
        )
    return _named(row.feature, row.id)


async def _own(parts: Services, judge: str) -> ReleaseRow:
    """Return a release that is named; an environment is what is live in it now."""
    named = judge.removeprefix(PREFIX)
    if not named.startswith(ID_PREFIX) and "@" not in named:
        raise JudgeRefused(
            f"`{judge[:100]}` does not say which release judges: write `{PREFIX}{named[:60]}@production`, for what is "
            f"live there when a run begins, or `{PREFIX}{named[:60]}@wk1-...`. Nothing was asked."
        )
    row = await find_release(parts, named)
    feature = named.partition("@")[0]
    if feature not in (row.feature, named):
        raise JudgeRefused(f"The release {row.id} is of `{row.feature}`, not of `{feature[:60]}`. Nothing was asked.")
    return row


async def _shipped(parts: Services, kind: str, model: str, by: Operator | None) -> str:
    """Return the judge that comes with Watchkeeper, pushed where it is not there."""
    wanted = recipe(kind, model)
    release = release_id(wanted)
    if release not in await parts.control.releases.several([release]):
        if by is not None:
            await MAKING(parts, by)
        await _push(parts, kind, wanted)
        await parts.on_release_change()
    return _named(wanted.feature, release)


async def _push(parts: Services, kind: str, wanted: Recipe) -> None:
    try:
        checked, _ = await read_recipe(parts, authored(wanted))
    except RecipeRefused as error:
        why = "; ".join(f"{one.place}: {one.message}" for one in error.mistakes)
        raise JudgeRefused(
            f"`{wanted.model[:100]}` cannot judge: {why}. Nothing was asked, and nothing pushed."
        ) from None
    store, message = parts.control.releases, f"The judge for {KINDS[kind]}, asking {wanted.model}"
    for _ in range(PUSHES_MAX):
        head = await store.head(wanted.feature)
        try:
            await store.push(checked, parent=head, author=AUTHOR, message=message)
        except HeadMoved:  # another keeper has pushed one in between
            continue
        return
    raise JudgeRefused(f"Others kept pushing releases of `{wanted.feature}`; nothing was asked. Try again.")


def _named(feature: str, release: str) -> str:
    return f"{PREFIX}{feature}@{release}"
