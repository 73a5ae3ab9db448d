"""The playground: a real call, or typed variables, under other releases and models; each is a call of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import needs, require
from watchkeeper.api.replaying import Wish, answer_of, replay
from watchkeeper.api.replays import MAY_REPLAY, found_for_replay
from watchkeeper.api.services import Services
from watchkeeper.console import figures
from watchkeeper.console.commands import require_form
from watchkeeper.console.drafts import json_of, variables_in, written_values
from watchkeeper.console.featuring import STYLES
from watchkeeper.console.pages.call_release import short
from watchkeeper.console.pages.playground import (
    TRIED_MAX,
    Choice,
    PlaygroundPage,
    Tried,
    TypedValue,
    answers_of,
)
from watchkeeper.console.releasing import known_release
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.releases.recipe import Recipe, is_release_id
from watchkeeper.store.releases import ReleaseRow
from watchkeeper.store.rows import CallDetail

PATH = "/playground"
RELEASES_OFFERED = 20
QUESTION_LENGTH = 200
LONG = 70
TRYING = [needs(*MAY_REPLAY, somewhere=True)]

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried."""

    call: CallDetail | None = None
    """Made again; None where variables are typed."""
    row: ReleaseRow | None = None
    """Whose variables are typed; None where a call is made again."""
    picked: tuple[str, ...] = ("",) * TRIED_MAX
    """Releases, or models."""
    values: Mapping[str, str] | None = None
    """As typed; None where nothing was yet."""

    @property
    def feature(self) -> str:
        """Whose calls they are."""
        return self.row.feature if self.row is not None else self.call.row.feature if self.call is not None else ""


@router.get("/playground", dependencies=TRYING)
async def playground(request: Request, by: By, call: str = "", release: str = "") -> Response:
    """The form, and the answers that were made by it."""
    services = services_of(request)
    made = request.query_params.getlist("made")[: TRIED_MAX + 1]
    picked = tuple(request.query_params.getlist("try"))[:TRIED_MAX]
    trial = await _trial(services, by, call, release)
    trial = replace(trial, picked=picked + ("",) * (TRIED_MAX - len(picked)))
    found = [await found_for_replay(one, services, by) for one in made]
    if found and trial.row is not None:
        trial = replace(trial, values=written_values(variables_in(found[0].request_body) or {}))
    first = [trial.call] if trial.call is not None else []
    return await _page(request, trial, [tried(one) for one in (*first, *found)] if found else [])


@router.post("/playground", dependencies=TRYING)
async def ask(request: Request, by: By) -> Response:
    """Make the calls, and lead to the page that shows them; what could not be made says why."""
    await require_form(request)
    services = services_of(request)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    trial = await _trial(services, by, form.get("call", ""), form.get("release", ""))
    picked = tuple(form.get(f"model.{n}", "").strip() or form.get(f"try.{n}", "") for n in range(TRIED_MAX))
    values = {name.removeprefix("x."): text for name, text in form.items() if name.startswith("x.")}
    trial = replace(trial, picked=picked, values=values)
    wishes = await _wishes(services, by, trial)
    if not wishes:
        return await _page(request, trial, [], problems=("Choose a release or a model to try.",), status=422)
    outcomes = await asyncio.gather(*(_made(services, one) for one in wishes))
    problems = [one for one in outcomes if isinstance(one, str)]
    calls = [one for one in outcomes if not isinstance(one, str)]
    if problems:
        first = [trial.call] if trial.call is not None else []
        shown = [tried(one) for one in (*first, *calls)] if calls else []
        return await _page(request, trial, shown, problems=tuple(dict.fromkeys(problems)), status=422)
    kept = [("call", trial.call.row.id)] if trial.call is not None else []
    kept += [("release", trial.row.id)] if trial.row is not None else []
    kept += [("made", one.row.id) for one in calls] + [("try", one) for one in picked if is_release_id(one)]
    return RedirectResponse(f"{PATH}?{urlencode(kept)}#answers", 303)


def tried(call: CallDetail) -> Tried:
    """Return a recorded call as an answer."""
    row = call.row
    failed = row.status != "ok"
    return Tried(
        named=row.release or row.requested_model,
        call_id=row.id,
        answer="" if failed else answer_of(call),
        error=(call.error_message or row.error_class or row.status) if failed else "",
        cost_nusd=row.cost_nusd,
        cost_status=row.cost_status,
        duration_ms=row.duration_ms,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        output_status=row.output_status,
    )


async def _trial(services: Services, by: Operator, call: str, release: str) -> Trial:
    """Read what is tried; who may not read or repeat it is refused."""
    if call:
        return Trial(call=await found_for_replay(call, services, by))
    if release:
        row = await known_release(services, by, release)
        await require(services, by, *MAY_REPLAY, feature=row.feature)
        return Trial(row=row)
    return Trial()


async def _wishes(services: Services, by: Operator, trial: Trial) -> list[Wish]:
    given = await _given(services, trial)
    wishes = []
    if trial.row is not None:
        wishes.append(Wish(release=trial.row.id, variables=given, by=by.name))
    for one in filter(None, trial.picked):
        if is_release_id(one):
            wishes.append(Wish(original=trial.call, release=one, variables=given, by=by.name))
        elif trial.row is not None:
            recipe = _on(trial.row.recipe, one)
            wishes.append(Wish(recipe=recipe, variables=given, by=by.name))
        else:
            wishes.append(Wish(original=trial.call, model=one, variables=_changed(trial, given), by=by.name))
    return wishes


def _on(recipe: Recipe, model: str) -> Recipe:
    """The same recipe by another model."""
    names = recipe.__struct_fields__
    return Recipe(**{name: getattr(recipe, name) for name in names} | {"model": model})


def _changed(trial: Trial, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that were typed differently from those of the call: only they need rendering anew."""
    was = variables_in(trial.call.request_body) or {} if trial.call is not None else {}
    return {name: value for name, value in given.items() if was.get(name) != value}


async def _made(services: Services, wish: Wish) -> CallDetail | str:
    """Make a call; where that cannot be done, return why."""
    try:
        return (await replay(services, wish)).replay
    except WatchkeeperError as error:
        return str(error)


async def _given(services: Services, trial: Trial) -> dict[str, Any]:
    """Read the typed variables by the types that the releases give them; empty ones are not given."""
    schemas = await _schemas(services, trial)
    given: dict[str, Any] = {}
    for name, text in (trial.values or {}).items():
        if not text:
            continue
        is_text = schemas.get(name, {}).get("type", "string") == "string"
        try:
            given[name] = text if is_text else json_of(text)
        except ValueError:
            given[name] = text  # held against its schema by the gateway, which says what is wrong
    return given


async def _schemas(services: Services, trial: Trial) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of the variables of every release that is tried."""
    own = [trial.call.row.release] if trial.call is not None else []
    named = [one for one in (*trial.picked, *own) if is_release_id(one)]
    rows = await services.control.releases.several(named) if named else {}
    schemas: dict[str, Mapping[str, Any]] = {}
    for row in (*([trial.row] if trial.row is not None else []), *rows.values()):
        schemas |= {name: schema for name, schema in row.recipe.variables.items() if name not in schemas}
    return schemas


async def _page(
    request: Request,
    trial: Trial,
    made: Sequence[Tried],
    *,
    problems: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    services, pages = services_of(request), pages_of(request)
    routing = services.routing()
    models = tuple(sorted(routing.targets)) if routing is not None else ()
    offered = await _offered(services, trial)
    call = trial.call.row if trial.call is not None else None
    page = PlaygroundPage(
        call=call.id if call else "",
        call_href=f"/calls/{call.id}" if call else "",
        feature=trial.feature,
        question=" ".join(call.input_preview[:QUESTION_LENGTH].split()) if call else "",
        release=trial.row.id if trial.row is not None else "",
        values=await _values(services, trial),
        choices=tuple(
            tuple(Choice(one, label, one == picked) for one, label in offered.items()) for picked in trial.picked
        ),
        models=models,
        typed_models=tuple("" if is_release_id(one) else one for one in trial.picked),
        answers=answers_of(made),
        problems=problems,
        estimate=_estimate(trial),
        can_run=bool(call or trial.row),
    )
    shell = await pages.shell(request, title="Playground", here="features", styles=STYLES)
    return pages.answer("playground.html", page, shell, status=status)


async def _offered(services: Services, trial: Trial) -> dict[str, str]:
    """Name the releases that may be tried: the feature's latest, and where each is live."""
    if not trial.feature:
        return {}
    rows, standings = await asyncio.gather(
        services.control.releases.of(trial.feature, limit=RELEASES_OFFERED),
        services.control.environments.current(trial.feature),
    )
    live: dict[str, list[str]] = {}
    for one in standings:
        live.setdefault(one.release, []).append(one.environment)
    return {
        row.id: ", ".join([short(row.id), *live.get(row.id, []), row.message[:LONG]])
        for row in rows
        if trial.row is None or row.id != trial.row.id
    }


async def _values(services: Services, trial: Trial) -> tuple[TypedValue, ...]:
    known = trial.values
    if known is None:
        known = written_values(variables_in(trial.call.request_body) or {}) if trial.call is not None else {}
    schemas = await _schemas(services, trial)
    fields = []
    for name in dict.fromkeys((*schemas, *known)):
        schema, value = schemas.get(name, {}), known.get(name, "")
        hint = str(schema.get("type", "")) + (", optional" if "default" in schema else "")
        fields.append(TypedValue(name, value, hint, len(value) > LONG or "\n" in value))
    return tuple(fields)


def _estimate(trial: Trial) -> str:
    if trial.call is None:
        return "Each answer is a call of its own, on the feature's budgets."
    cost = trial.call.row.cost_nusd
    if cost is None:
        return "What the call cost is not known; each answer is a call of its own, on the feature's budgets."
    return f"The call cost {figures.money(cost)}; each answer is a call of its own, on the feature's budgets."
