"""Pages about rollouts: all of them, and one with what is known of each metric; and what is done to it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.rollouts import ACTING, ConclusionWish, ReasonWish, change_rollout, conclude
from watchkeeper.api.services import Services
from watchkeeper.console import figures
from watchkeeper.console.commands import require_form
from watchkeeper.console.featuring import STYLES, permits_of
from watchkeeper.console.pages.release_diff import text_diff
from watchkeeper.console.pages.rollout import Look, RolloutFound, SampleView, ShadowView, StepPlan, rollout_page
from watchkeeper.console.pages.rollouts import PATH, head_of, rollouts_page
from watchkeeper.console.render import pages_of
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.errors import CallerError
from watchkeeper.store.rollout_figures import Followed, Pairs
from watchkeeper.store.rollout_turns import Verb
from watchkeeper.store.rollouts import RolloutRow
from watchkeeper.store.rows import CallDetail

LISTED_MAX = 60
SAMPLES = 4
LOOKS_READ = 600
VERBS: dict[str, Verb] = {"pause": "pause", "resume": "resume", "widen": "widen", "stop": "stop"}

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Said = Annotated[str, Form(max_length=1_000)]


class NoSuchDeed(CallerError):
    """A rollout cannot be told to do this."""

    code = "rollout_verb_unknown"
    http_status = 404


@router.get("/rollouts", dependencies=SOME)
async def rollouts(request: Request, by: By, feature: str = "") -> Response:
    """What is tried now, and what was."""
    services, pages = services_of(request), pages_of(request)
    rows = await services.control.rollouts.list_rollouts(feature[:200], limit=LISTED_MAX)
    page = rollouts_page([head_of(row) for row in rows if by.rights.may("read", row.feature)], feature=feature[:200])
    shell = await pages.shell(request, title="Rollouts", here="rollouts", styles=STYLES)
    return pages.answer("rollouts.html", page, shell)


@router.get("/rollouts/{rollout}", dependencies=SOME)
async def rollout(request: Request, rollout: str, by: By) -> Response:
    """One rollout: how far it is, what is known and how surely, and what each look decided."""
    services, pages = services_of(request), pages_of(request)
    row = await _known(services, by, rollout)
    looks = await services.control.rollouts.looks(row.id, limit=LOOKS_READ)
    found = RolloutFound(
        head=head_of(row),
        step_at=row.step_at,
        plan=tuple(
            StepPlan(share=step.share, bake_s=step.bake_s, least_calls=step.least_calls)
            for step in row.settings.plan.steps
        ),
        looks=[Look(at=look.at, step=look.step, decision=look.decision, evidence=look.evidence) for look in looks],
        now=datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC),
        shadow=await _shadow(services, by, row) if row.kind == "shadow" else None,
    )
    page = rollout_page(found, permits_of(by, row.feature))
    shell = await pages.shell(request, title=page.line.what, here="rollouts", scripts=("charts.js",), styles=STYLES)
    return pages.answer("rollout.html", page, shell)


@router.post("/rollouts/{rollout}/{verb}", dependencies=ACTING)
async def act(request: Request, rollout: str, verb: str, by: By, reason: Said = "", winner: Said = "") -> Response:
    """Pause it, have it go on, widen it, stop it, or conclude it with a winner."""
    await require_form(request)
    services = services_of(request)
    row = await _known(services, by, rollout)
    if verb == "conclude":
        await conclude(row.id, ConclusionWish(winner=winner, reason=reason.strip()), services, by)
    elif verb in VERBS:
        await change_rollout(row.id, VERBS[verb], ReasonWish(reason=reason.strip()), services, by)
    else:
        raise NoSuchDeed(f"A rollout can be told to {', '.join(VERBS)} or conclude; nothing was done.")
    return RedirectResponse(f"{PATH}/{row.id}", 303)


async def _known(services: Services, by: Operator, named: str) -> RolloutRow:
    row = await services.control.rollouts.get(named)
    await require(services, by, "read", feature=row.feature)
    return row


async def _shadow(services: Services, by: Operator, row: RolloutRow) -> ShadowView:
    """Compare copies with the calls they copy; their texts only for who may read them, which is noted."""
    of = Followed(rollout=row.id, feature=row.feature, environment=row.environment, since=row.started_at)
    pairs = await services.analytics.rollouts.pairs(of)
    samples = []
    if by.rights.may("read_bodies", row.feature):
        for own, copy in await services.analytics.rollouts.differences(of, limit=SAMPLES):
            for call_id in (own, copy):
                await services.control.changes.note_reading(call_id, actor=by.name, feature=row.feature)
            first, second = await asyncio.gather(services.analytics.call(own), services.analytics.call(copy))
            diff = text_diff(answer_of(first), answer_of(second))
            samples.append(SampleView(call_href=f"/calls/{own}", shadow_href=f"/calls/{copy}", diff=diff))
    return ShadowView(facts=_facts(pairs), samples=tuple(samples))


def _facts(pairs: Pairs) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Compared", f"{figures.count(pairs.pairs)} calls and their copies"),
        ("Same answer", f"{figures.share(pairs.same, pairs.both_answered)} of those that both answered"),
        ("Only the client's answered", figures.count(pairs.only_own_answered)),
        ("Only the copy answered", figures.count(pairs.only_copy_answered)),
    ]
    if pairs.priced:
        own, copy = (figures.money(nusd // pairs.priced) for nusd in (pairs.own_nusd, pairs.copy_nusd))
        facts.append(("Cost a call", f"{own}, of the copy {copy}"))
    if pairs.slower_ms is not None:
        word = "slower" if pairs.slower_ms >= 0 else "faster"
        facts.append(("Copies are", f"{figures.duration(abs(pairs.slower_ms))} {word} on average"))
    return tuple(facts)


def answer_of(call: CallDetail | None) -> str:
    """Return what a call was answered, as text; its error where it failed."""
    if call is None:
        return ""
    row = call.row
    found = read_conversation(call.request_body, call.response_body, surface=row.surface, is_stream=row.is_stream)
    return "\n".join(answer.message.text for answer in found.answers) or found.error or call.error_message
