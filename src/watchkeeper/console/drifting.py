"""Pages about drift: every feature and model that is watched, and one feature; and accepting what has moved."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.canaries import ACTING, accept_model
from watchkeeper.api.drift import ACCEPTING, AcceptWish, NothingSeen, accept
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.services import Services
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.drift import (
    PATH,
    ROUNDS_SHOWN,
    CanaryFound,
    course_panels,
    drift_page,
    feature_drift_page,
    href_of,
)
from watchkeeper.console.render import pages_of
from watchkeeper.evals.drift.readings import Look
from watchkeeper.store.drift import FindingRow
from watchkeeper.watch import drift as watching

STYLES = ("money.css", "releases.css", "drift.css")
FINDINGS_SHOWN = 60
COURSE = timedelta(days=14)
STEPS = 56

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Said = Annotated[str, Form(max_length=1_000)]


@router.get("/drift", dependencies=SOME)
async def drift(request: Request, by: By) -> Response:
    """What is looked at, what has moved, and how models answer that are asked the same again and again."""
    services, pages = services_of(request), pages_of(request)
    looks, findings = await asyncio.gather(
        services.control.drift.looks(), services.control.drift.findings(limit=FINDINGS_SHOWN)
    )
    sees_all = by.rights.may("read")
    page = drift_page(
        [look for look in looks if by.rights.may("read", look.group.feature)],
        await _open(services, looks),
        [row for row in findings if (sees_all if not row.group.feature else by.rights.may("read", row.group.feature))],
        await _canaries(services) if sees_all else None,
        is_watched=services.false_alarms() is not None,
    )
    shell = await pages.shell(request, title="Drift", here="drift", styles=STYLES)
    return pages.answer("drift.html", page, shell)


@router.get("/drift/{feature}", dependencies=SOME)
async def drift_of_feature(request: Request, feature: str, by: By) -> Response:
    """One feature: the last look at each group of its calls, signal by signal, and how its signals went."""
    services, pages = services_of(request), pages_of(request)
    await require(services, by, "read", feature=feature)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    since = now - COURSE
    looks, findings, steps = await asyncio.gather(
        services.control.drift.looks(feature),
        services.control.drift.findings(feature, limit=FINDINGS_SHOWN),
        services.analytics.drift.course(feature, "", since, now, steps=STEPS),
    )
    if not looks and not steps:
        raise NothingSeen(f"No calls of a feature {feature[:100]!r} have come in the last two weeks.")
    panels = course_panels(steps, since, int(COURSE.total_seconds()) // STEPS, STEPS, _markers(findings))
    may_accept = any(by.rights.may(one, feature) for one in ("promote", "operate"))
    open_of = await _open(services, looks)
    page = feature_drift_page(feature, looks, open_of, findings, panels, may_accept=may_accept)
    scripts = ("charts.js",)
    shell = await pages.shell(request, title=f"Drift of {feature}", here="drift", scripts=scripts, styles=STYLES)
    return pages.answer("drift_feature.html", page, shell)


@router.post("/drift/{feature}/accept", dependencies=ACCEPTING)
async def accept_feature(request: Request, feature: str, by: By, reason: Said = "") -> Response:
    """Have later calls of a feature compared with those since it moved."""
    await require_form(request)
    await accept(services_of(request), by, feature, AcceptWish(reason=reason.strip()))
    return RedirectResponse(href_of(feature), 303)


@router.post("/canaries/accept", dependencies=ACTING)
async def accept_canary(
    request: Request, by: By, model: Annotated[str, Form(max_length=400)], reason: Said = ""
) -> Response:
    """Hold a model to how it answers now."""
    await require_form(request)
    await accept_model(services_of(request), by, model, reason.strip())
    return RedirectResponse(PATH, 303)


async def _open(services: Services, looks: Sequence[Look]) -> dict[Look, frozenset[str]]:
    """Return what is open of each look's group."""
    marks = await services.control.alerts.marks(watching.KIND)
    found = {}
    for look in looks:
        mark = marks.get(watching.key_of(look.group))
        if mark is not None and mark.passed:
            found[look] = mark.passed
    return found


async def _canaries(services: Services) -> list[CanaryFound]:
    """Return the models that the configuration names, and those that were asked once."""
    configured = {canary.model: canary for canary in services.canaries()}
    latest = await services.control.canaries.latest()
    return [
        CanaryFound(
            model=name,
            configured=configured.get(name),
            rounds=await services.control.canaries.rounds(name, limit=ROUNDS_SHOWN),
        )
        for name in dict.fromkeys([*configured, *sorted(latest)])
    ]


def _markers(findings: Sequence[FindingRow]) -> list[Marker]:
    return [Marker(row.at, f"{row.kind}: {row.sentence}"[:300]) for row in findings]
