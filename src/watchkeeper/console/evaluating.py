"""Pages about evaluation: every feature with its suites, and one suite."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.console.featuring import STYLES as FEATURE_STYLES
from watchkeeper.console.pages.eval_patterns import eval_patterns
from watchkeeper.console.pages.evals import FEATURES_MAX, Asked, EvalsFound, evals_page
from watchkeeper.console.pages.patterns import HOSTILE, LONG
from watchkeeper.console.pages.suite import CASES_ON_PAGE, SuiteFound, SuiteQuery, suite_page
from watchkeeper.console.render import pages_of
from watchkeeper.evals.outcome import Status
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.suite_cases import CasePage, page_of

STYLES = (*FEATURE_STYLES, "evals.css")
TEXT_MAX = 200
PAGE_MAX = 100_000

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


@router.get("/evals", dependencies=SOME)
async def evals(request: Request, by: By, feature: str = "") -> Response:
    """Each feature with its suites, what they came to of late, and what keeps releases from environments."""
    services, pages = services_of(request), pages_of(request)
    readable = by.rights.features("read")
    control = services.control
    suites, runs = await asyncio.gather(control.suites.latest(readable), control.run_history.of_suites(readable))
    names = sorted({row.feature for row in suites if not feature or row.feature == feature})[:FEATURES_MAX]
    found = EvalsFound(
        suites=suites,
        runs=runs,
        asked=await asked_of(services, names),
        rules=services.release_basis().environments,
        progress=await _progress(services, [run for of_suite in runs.values() for run in of_suite]),
    )
    page = evals_page(found, feature=feature[:TEXT_MAX])
    shell = await pages.shell(request, title="Evals", here="evals", styles=STYLES)
    return pages.answer("evals.html", page, shell)


@router.get("/evals/suites/{feature}/{name}", dependencies=SOME)
async def suite(request: Request, feature: str, name: str, by: By, q: str = "", tag: str = "") -> Response:
    """One suite: its runs, how it marks, its gate, its cases and its versions."""
    services, pages = services_of(request), pages_of(request)
    await require(services, by, "read", feature=feature)
    control, may_read = services.control, by.rights.may("read_bodies", feature)
    row = await control.suites.head(feature, name)
    query = SuiteQuery(search=q.strip()[:TEXT_MAX], tag=tag[:TEXT_MAX], page=page_number(request))
    outline, versions, runs, unsteady = await asyncio.gather(
        control.suite_cases.outline(row.id),
        control.suites.versions(feature, name),
        control.run_history.of_suite(feature, name, limit=60),
        control.standings.unsteady(feature, name),
    )
    first = query.page * CASES_ON_PAGE
    cases = CasePage((), 0)
    if may_read:
        cases = page_of(outline, search=query.search, tag=query.tag, offset=first, limit=CASES_ON_PAGE)
    found = SuiteFound(
        row=row,
        outline=outline,
        versions=versions,
        runs=runs,
        unsteady=unsteady,
        cases=cases,
        may_read_bodies=may_read,
    )
    shell = await pages.shell(request, title=row.title, here="evals", styles=STYLES)
    return pages.answer("suite.html", suite_page(found, query), shell)


@router.get("/patterns/evals", dependencies=[needs()])
async def patterns_of_evals(request: Request) -> Response:
    """Every component of the pages about evaluation."""
    pages = pages_of(request)
    shell = await pages.shell(request, title="Patterns of evals", styles=STYLES)
    return pages.answer("patterns_evals.html", eval_patterns(hostile=HOSTILE, long=LONG), shell)


async def asked_of(services: Services, features: Sequence[str]) -> dict[str, Asked]:
    """Return what environments ask of the latest release of each feature, where any asks for a check."""
    if not any(rules.gates for rules in services.release_basis().environments.values()):
        return {}
    live: dict[str, dict[str, str]] = {}
    for row in await services.control.environments.current(features[0] if len(features) == 1 else ""):
        live.setdefault(row.feature, {})[row.environment] = row.release
    found = {}
    for feature in features:
        latest = await services.control.releases.head(feature)
        gates = await services.control.gates.of(latest) if latest else []
        found[feature] = Asked(latest=latest, gates=gates, live=live.get(feature, {}))
    return found


async def _progress(services: Services, runs: Sequence[RunBrief]) -> dict[str, Mapping[Status, int]]:
    """Count what is there of each run that has not ended."""
    return {
        run.head.id: await services.control.run_history.progress(run.head.id, run.head.arms[0].name)
        for run in runs
        if run.head.status == "running" and run.head.arms
    }


def page_number(request: Request) -> int:
    """Return which page of a list the URL asks for, from 0; what is no number is the first."""
    text = request.query_params.get("page", "")
    return min(int(text), PAGE_MAX) if text.isascii() and text.isdigit() and len(text) < 7 else 0
