"""The form in which a release is written: nothing is kept before it is saved, and what is typed is never lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import needs, require
from watchkeeper.api.releases import read_recipe
from watchkeeper.api.replaying import Wish, replay
from watchkeeper.api.replays import MAY_REPLAY
from watchkeeper.api.reviews import ReviewWish
from watchkeeper.api.reviews import request as request_review
from watchkeeper.api.services import Services
from watchkeeper.config.problems import dotted
from watchkeeper.console import figures
from watchkeeper.console.commands import require_form
from watchkeeper.console.drafts import (
    Draft,
    Problems,
    draft_of,
    edited,
    field_of,
    read_draft,
    recipe_from,
    values_of,
    variables_in,
    written_values,
)
from watchkeeper.console.featuring import STYLES
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.playground import answers_of
from watchkeeper.console.pages.recipe import MessageView, recipe_view
from watchkeeper.console.pages.release_diff import place_words, recipe_diff
from watchkeeper.console.pages.release_form import NOT_LOOKED, Conflict, Looked, release_form
from watchkeeper.console.releasing import known_release
from watchkeeper.console.render import pages_of
from watchkeeper.console.trying import tried
from watchkeeper.core.errors import OperatorError, WatchkeeperError
from watchkeeper.releases.authoring import RecipeRefused, authored, read_authored
from watchkeeper.releases.comparing import merge
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.store.releases import HeadMoved, ReleaseRow
from watchkeeper.store.rows import CallFilter, CallRow

CALLS_OFFERED = 12
FIELDS_MAX = 1_000
WRITING = [needs("write_releases", somewhere=True)]

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


@router.get("/releases/{release}/edit", dependencies=WRITING)
async def edit(request: Request, release: str, by: By) -> Response:
    """The form, with the release in it."""
    services = services_of(request)
    row = await _writable(services, by, release)
    head = await services.control.releases.head(row.feature)
    return await _form(request, by, row, draft_of(row.recipe, parent=head), NOT_LOOKED)


@router.post("/releases/{release}/edit", dependencies=WRITING)
async def write(request: Request, response: Response, release: str, by: By) -> Response:
    """Add or remove a row, preview, bring two changes together, or save: as the button says."""
    await require_form(request)
    services = services_of(request)
    row = await _writable(services, by, release)
    form = await request.form(max_fields=FIELDS_MAX)
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    draft, deed = read_draft(typed), typed.get("do", "preview")
    verb, _, named = deed.partition(" ")
    match verb:
        case "save":
            return await _save(request, response, by, row, draft, environment=typed.get("environment", ""))
        case "over":
            return await _save(request, response, by, row, replace(draft, parent=named), environment="")
        case "merge":
            return await _merge(request, by, row, draft, named)
        case "take":
            draft, problem = await _with_values_of_call(services, by, row, draft)
            return await _form(request, by, row, draft, await _look(services, row, draft, call_problem=problem))
        case "ask":
            return await _ask(request, by, row, draft)
        case "preview":
            return await _form(request, by, row, draft, await _look(services, row, draft))
        case _:
            return await _form(request, by, row, edited(draft, deed), NOT_LOOKED)


async def _writable(services: Services, by: Operator, named: str) -> ReleaseRow:
    row = await known_release(services, by, named)
    await require(services, by, "write_releases", feature=row.feature)
    return row


async def _save(
    request: Request, response: Response, by: Operator, row: ReleaseRow, draft: Draft, *, environment: str
) -> Response:
    services = services_of(request)
    looked = await _look(services, row, draft)
    recipe, _, _ = await asyncio.to_thread(recipe_from, draft, row.recipe)
    if recipe is None or looked.problems or not draft.message:
        missing = "" if draft.message else "is missing: those who come later will want to know"
        return await _form(request, by, row, draft, replace(looked, message_problem=missing), status=422)
    try:
        pushed, _ = await services.control.releases.push(
            recipe, parent=draft.parent, author=by.name, message=draft.message
        )
    except HeadMoved:
        conflict = await _conflict(services, row, draft, recipe)
        return await _form(request, by, row, draft, replace(looked, changed=None, conflict=conflict), status=409)
    if environment:
        wish = ReviewWish(release=pushed.id, environment=environment[:200], message=draft.message)
        await request_review(wish, services, by, response)
    return RedirectResponse(release_href(pushed.id), 303)


async def _ask(request: Request, by: Operator, row: ReleaseRow, draft: Draft) -> Response:
    """Have the model answer the draft, with the variables of the preview; nothing is pushed."""
    services = services_of(request)
    looked = await _look(services, row, draft)
    recipe, _, _ = await asyncio.to_thread(recipe_from, draft, row.recipe)
    if recipe is not None and looked.preview and not looked.problems:
        await require(services, by, *MAY_REPLAY, feature=row.feature)
        given, _ = values_of(draft, recipe)
        try:
            found = await replay(services, Wish(recipe=recipe, variables=given, by=by.name))
        except WatchkeeperError as error:
            looked = replace(looked, preview_problem=str(error))
        else:
            looked = replace(looked, answers=answers_of([replace(tried(found.replay), named="your draft")]))
    return await _form(request, by, row, draft, looked)


async def _merge(request: Request, by: Operator, row: ReleaseRow, draft: Draft, named: str) -> Response:
    """Put what the other one has changed into the form, where this one has not changed the same place."""
    services = services_of(request)
    theirs = await known_release(services, by, named)
    recipe, problems, notes = await asyncio.to_thread(recipe_from, draft, row.recipe)
    if recipe is None:
        return await _form(
            request, by, row, draft, Looked(problems=problems, notes=notes, value_problems={}), status=422
        )
    base = await _ancestor(services, draft, theirs)
    merged = merge(authored(base), authored(recipe), authored(theirs.recipe))
    try:
        together = read_authored(merged.value)
    except RecipeRefused as refused:
        looked = Looked(problems={"": str(refused)}, value_problems={})
        return await _form(request, by, row, draft, looked, status=422)
    said = tuple(
        f"Both have changed {place_words(place, merged.value)}: the form has yours, look at it again."
        for place in merged.conflicts
    )
    new = replace(draft_of(together, parent=theirs.id), message=draft.message, values=draft.values, call=draft.call)
    looked = await _look(services, theirs, new)
    # The form shows the other's release from now on: what it does not show comes from there.
    return await _form(request, by, theirs, new, replace(looked, notes=(*said, *looked.notes)))


async def _look(services: Services, row: ReleaseRow, draft: Draft, *, call_problem: str = "") -> Looked:
    """Find what is wrong with a draft, what it would change, and how it renders with the variables typed."""
    recipe, problems, notes = await asyncio.to_thread(recipe_from, draft, row.recipe)
    if recipe is None:
        return Looked(problems=problems, notes=notes, value_problems={}, call_problem=call_problem)
    problems |= await _refused(services, recipe, draft)
    preview, wrong, problem = await asyncio.to_thread(_render, draft, recipe)
    parent = (await services.control.releases.several([draft.parent])).get(draft.parent, row)
    return Looked(
        problems=problems,
        notes=notes,
        value_problems=wrong,
        preview=preview,
        preview_problem=problem,
        changed=recipe_diff(parent.recipe, recipe, named=short(parent.id), after_named="what you would save"),
        call_problem=call_problem,
    )


async def _refused(services: Services, recipe: Recipe, draft: Draft) -> Problems:
    """What else stands against saving it, such as a model that nobody knows."""
    try:
        await read_recipe(services, authored(recipe))
    except RecipeRefused as refused:
        return {field_of(mistake.place, draft): mistake.message for mistake in refused.mistakes}
    return {}


def _render(draft: Draft, recipe: Recipe) -> tuple[tuple[MessageView, ...], Problems, str]:
    """Return the messages, what is wrong with which variable, and why there are no messages."""
    given, wrong = values_of(draft, recipe)
    if wrong or (recipe.variables and not any(draft.values.values())):
        return (), wrong, ""
    documents = () if recipe.retrieval is not None else None
    try:
        prepared = Prepared(recipe)
        rendered = prepared.render(prepared.variables.complete(given), documents)
    except VariableProblem as problem:
        return (), {problem.name: str(problem)}, ""
    except (TemplateProblem, Unusable) as problem:
        return (), {}, f"It cannot be rendered: {problem}"
    shown = msgspec.structs.replace(recipe, messages=tuple(_as_message(one.role, one.content) for one in rendered))
    return recipe_view(shown).messages, {}, ""


def _as_message(role: str, content: str) -> Message:
    return msgspec.convert({"role": role, "content": content}, Message)


async def _with_values_of_call(services: Services, by: Operator, row: ReleaseRow, draft: Draft) -> tuple[Draft, str]:
    """Take the variables that a recent call of the feature was made with; its reading is noted."""
    if not draft.call:
        return draft, "choose one first"
    found = await services.analytics.call(draft.call)
    if found is None or found.row.feature != row.feature:
        return draft, "there is no such call of this feature"
    await require(services, by, "read_bodies", feature=row.feature)
    await services.control.changes.note_reading(draft.call, actor=by.name, feature=row.feature)
    variables = variables_in(found.request_body)
    if variables is None:
        return draft, "it was made without variables, or only a part of it was recorded"
    return replace(draft, values={**draft.values, **written_values(variables)}), ""


async def _conflict(services: Services, row: ReleaseRow, draft: Draft, recipe: Recipe) -> Conflict:
    head = await services.control.releases.get(await services.control.releases.head(row.feature))
    base = await _ancestor(services, draft, head)
    merged = merge(authored(base), authored(recipe), authored(head.recipe))
    named = "what both began with"
    return Conflict(
        head=head.id,
        head_href=release_href(head.id),
        by=head.author,
        at=figures.iso(head.at),
        message=head.message,
        theirs=recipe_diff(base, head.recipe, named=named, after_named=f"theirs, {short(head.id)}"),
        mine=recipe_diff(base, recipe, named=named, after_named="yours"),
        both=tuple(place_words(place, merged.value) or dotted(place) for place in merged.conflicts),
    )


async def _ancestor(services: Services, draft: Draft, head: ReleaseRow) -> Recipe:
    """Return what two changes have in common: their latest common ancestor, else what the draft was made from."""
    store = services.control.releases
    common = await store.common_ancestor(head.id, draft.parent) or draft.parent
    found = (await store.several([common])).get(common)
    return found.recipe if found is not None else head.recipe


async def _form(
    request: Request, by: Operator, row: ReleaseRow, draft: Draft, looked: Looked, *, status: int = 200
) -> Response:
    services, pages = services_of(request), pages_of(request)
    calls, head = await asyncio.gather(_calls(services, by, row), services.control.releases.head(row.feature))
    page = release_form(
        row,
        draft,
        looked,
        head=head,
        calls=calls,
        environments=_environments(services),
        may_ask=bool(services.replay_key),
    )
    shell = await pages.shell(request, title=f"Edit {page.short}", here="features", styles=STYLES)
    return pages.answer("release_edit.html", page, shell, status=status)


async def _calls(services: Services, by: Operator, row: ReleaseRow) -> Sequence[CallRow]:
    """Return recent calls whose variables may be taken, to who may read what was asked."""
    if not by.rights.may("read_bodies", row.feature):
        return ()
    found = await services.analytics.calls(CallFilter(feature=row.feature, origin="client"), limit=5 * CALLS_OFFERED)
    return [one for one in found.rows if one.release][:CALLS_OFFERED]


def _environments(services: Services) -> Sequence[str]:
    try:
        return list(services.release_basis().environments)
    except OperatorError:
        return ()
