"""Pages about runs of suites: what one shows, a case of it, two side by side, and reports to keep."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from msgspec import structs

from watchkeeper.access.roles import Permission
from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.evaluating import compared
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.console.evaluating import STYLES, TEXT_MAX, page_number
from watchkeeper.console.pages.run import CASES_ON_PAGE, FORMATS, RunFound, RunQuery, run_page
from watchkeeper.console.pages.run_case import CaseFound, asked, run_case_page, telling
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.reports.building import build
from watchkeeper.evals.reports.report import STANDINGS, Report
from watchkeeper.evals.reports.writing import FORMATS as WRITERS
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.tasks import BASELINE, CANDIDATE
from watchkeeper.store.runs import READ_AT_ONCE, OutcomeFilter, RunRow
from watchkeeper.store.standings import CaseStanding, Facets, StandingFilter
from watchkeeper.store.suite_cases import cases_of, tags_of

REPEATS_READ = 200
"""Outcomes of one case under both arms."""
EARLIER_MAX = 30
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
}

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


class CaseMissing(CallerError):
    """A run has nothing of such a case."""

    code = "case_not_found"
    http_status = 404


class NoSuchReport(CallerError):
    """Reports have other formats."""

    code = "report_format_unknown"
    http_status = 404


@router.get("/evals/runs/{run}", dependencies=SOME)
async def run(request: Request, run: str, by: By) -> Response:
    """One run: what it shows, and its cases, those that fail first."""
    services, pages = services_of(request), pages_of(request)
    row = await _readable(services, by, run, "read")
    may_read = by.rights.may("read_bodies", row.head.feature)
    query = _query(request, may_read=may_read)
    found = await (_running(services, row) if row.head.status == "running" else _ended(services, row, query))
    if may_read:
        outline = await services.control.suite_cases.outline(row.head.suite_id)
        known = cases_of(outline, [one.case for one in found.cases])
        found = replace(found, questions={name: asked(case) for name, case in known.items()})
    page = run_page(replace(found, may_read_bodies=may_read), query)
    shell = await pages.shell(request, title=f"{row.head.title} {row.id}", here="evals", styles=STYLES)
    return pages.answer("run.html", page, shell)


@router.get("/evals/runs/{run}/cases/{case:path}", dependencies=SOME)
async def run_case(request: Request, run: str, case: str, by: By, repeat: str = "", baseline: str = "") -> Response:
    """One case of a run: both answers side by side, their marks, and how it fared before."""
    services, pages = services_of(request), pages_of(request)
    row = await _readable(services, by, run, "read")
    head, may_read = row.head, by.rights.may("read_bodies", row.head.feature)
    arms, outcomes = await _sides(services, by, head, case, baseline=baseline)
    if not outcomes:
        raise CaseMissing(f"The run {head.id} has nothing of a case {case[:80]!r}.")
    runs, earlier, outline = await asyncio.gather(
        services.control.run_history.of_suite(head.feature, head.suite, limit=EARLIER_MAX),
        services.control.standings.of_case(head.feature, head.suite, case, limit=EARLIER_MAX),
        services.control.suite_cases.outline(head.suite_id),
    )
    by_place = {(one.arm, one.repeat): one for one in outcomes}
    wanted = int(repeat) if repeat.isascii() and repeat.isdigit() and len(repeat) < 5 else -1
    shown = wanted if any(one.repeat == wanted for one in outcomes) else telling(outcomes, arms[0].name)
    found = CaseFound(
        head=head,
        case=case,
        arms=arms,
        outcomes=by_place,
        repeat=shown,
        content=cases_of(outline, [case]).get(case) if may_read else None,
        runs=runs,
        earlier=earlier,
        may_read_bodies=may_read,
    )
    if may_read:
        calls = (by_place[arm.name, shown].answer.call for arm in arms if (arm.name, shown) in by_place)
        for call in filter(None, calls):
            await services.control.changes.note_reading(call, actor=by.name, feature=head.feature)
    page = run_case_page(found)
    shell = await pages.shell(request, title=f"{page.shown} in {head.id}", here="evals", styles=STYLES)
    return pages.answer("run_case.html", page, shell)


@router.get("/evals/compare", dependencies=SOME)
async def compare(request: Request, by: By, candidate: str = "", baseline: str = "") -> Response:
    """Two runs of a suite side by side; nothing is kept."""
    services, pages = services_of(request), pages_of(request)
    row = await _readable(services, by, candidate, "read")
    other = await _readable(services, by, baseline, "read")
    shown = await compared(services, row, other)
    for one in (row, other):
        await _keep(services, one)
    standings = services.control.standings
    counts, cases = await asyncio.gather(standings.counts(row.id), standings.beside(row.id, other.id))
    arms = (structs.replace(row.head.arms[0], title=row.id), ArmHead(name=BASELINE, title=other.id))
    found = RunFound(
        head=structs.replace(shown.head, arms=arms),
        decision=shown.decision,
        counts=counts,
        fitting=len(cases),
        cases=cases,
        may_read_bodies=by.rights.may("read_bodies", row.head.feature),
        is_kept=False,
    )
    shell = await pages.shell(request, title=f"{row.id} beside {other.id}", here="evals", styles=STYLES)
    return pages.answer("run.html", run_page(found, RunQuery()), shell)


@router.get("/evals/runs/{run}/report", dependencies=[needs("read_bodies", somewhere=True)])
async def report(request: Request, run: str, by: By, ending: str = ".html") -> Response:
    """A report of a run as a file, written while it is sent."""
    services = services_of(request)
    row = await _readable(services, by, run, "read_bodies")
    if ending not in dict(FORMATS):
        raise NoSuchReport(f"A report ends in one of {', '.join(dict(FORMATS))}, not in {ending[:20]!r}.")
    _, suite = await services.control.suites.get(row.head.suite_id)
    outcomes = _Outcomes(services, row.id, asyncio.get_running_loop())
    cases = {case.id: case for case in suite.cases}
    made = await asyncio.to_thread(build, row.head, outcomes, row.decision, cases)
    suffix = f".{ending.rpartition('.')[2]}"
    headers = {"content-disposition": f'attachment; filename="{row.id}{ending}"'}
    return StreamingResponse(_written(made, suffix), media_type=_TYPES[suffix], headers=headers)


def _written(made: Report, suffix: str) -> Iterator[bytes]:
    yield from WRITERS[suffix](made)


class _Outcomes:
    """Outcomes of a run for who works in a thread, a few at a time, each time the same."""

    def __init__(self, services: Services, run: str, loop: asyncio.AbstractEventLoop) -> None:
        self._services = services
        self._run = run
        self._loop = loop

    def __call__(self) -> Iterable[Outcome]:
        after: tuple[str, str, int] | None = None
        while found := self._page(after):
            yield from found
            last = found[-1]
            after = (last.case, last.arm, last.repeat)

    def _page(self, after: tuple[str, str, int] | None) -> list[Outcome]:
        asked = self._services.control.runs.outcomes(self._run, after=after, limit=READ_AT_ONCE)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


async def _readable(services: Services, by: Operator, run: str, permission: Permission) -> RunRow:
    row = await services.control.runs.get(run)
    await require(services, by, permission, feature=row.head.feature)
    return row


async def _ended(services: Services, row: RunRow, query: RunQuery) -> RunFound:
    await _keep(services, row)
    standings = services.control.standings
    counts = await standings.counts(row.id)
    is_narrowed = query.chosen != StandingFilter(search_reasons=query.chosen.search_reasons)
    fitting = await standings.counts(row.id, query.chosen) if is_narrowed else counts
    cases = await standings.cases(row.id, query.chosen, offset=query.page * CASES_ON_PAGE, limit=CASES_ON_PAGE)
    return RunFound(
        head=row.head,
        decision=row.decision,
        counts=counts,
        fitting=sum(fitting.values()),
        cases=cases,
        facets=await standings.facets(row.id),
    )


async def _running(services: Services, row: RunRow) -> RunFound:
    """What is there of a run that has not ended: its figures, and the first of its answers that failed."""
    arm = row.head.arms[0].name if row.head.arms else ""
    progress = await services.control.run_history.progress(row.id, arm)
    chosen = OutcomeFilter(arm=arm, status="failed")
    failed = await services.control.runs.outcomes(row.id, chosen, limit=CASES_ON_PAGE)
    cases = {one.case: _so_far(one) for one in failed}
    return RunFound(
        head=row.head,
        decision=None,
        counts={},
        fitting=len(cases),
        cases=list(cases.values()),
        facets=Facets(scorers=(), tags=()),
        progress=progress,
    )


def _so_far(outcome: Outcome) -> CaseStanding:
    return CaseStanding(
        case=outcome.case,
        standing="failed",
        passed=0,
        failed=1,
        unmeasured=0,
        before=None,
        is_breach=False,
        scorers=tuple(dict.fromkeys(mark.scorer for mark in outcome.marks if mark.status != "passed")),
        tags=(),
        reason=outcome.reason,
    )


async def _keep(services: Services, row: RunRow) -> None:
    """Of a run that ended before standings were kept, keep them now."""
    standings = services.control.standings
    if row.head.status != "running" and not await standings.counts(row.id):
        outline = await services.control.suite_cases.outline(row.head.suite_id)
        await standings.keep(row, tags_of(outline))


async def _sides(
    services: Services, by: Operator, head: RunHead, case: str, *, baseline: str
) -> tuple[list[ArmHead], list[Outcome]]:
    """The arms that are shown, the candidate first, and what each answered to a case."""
    runs = services.control.runs
    outcomes = await runs.outcomes(head.id, OutcomeFilter(case=case), limit=REPEATS_READ)
    arms = [arm for arm in head.arms if arm.name != BASELINE or not (baseline or head.baseline_run)]
    named = baseline or head.baseline_run
    if named:
        other = await _readable(services, by, named, "read")
        if other.head.suite_id == head.suite_id:
            chosen = OutcomeFilter(case=case, arm=CANDIDATE)
            earlier = await runs.outcomes(other.id, chosen, limit=REPEATS_READ)
            outcomes = [one for one in outcomes if one.arm != BASELINE]
            outcomes += [structs.replace(one, arm=BASELINE) for one in earlier]
            arms.append(structs.replace(other.head.arms[0], name=BASELINE))
    return arms or [ArmHead(name=CANDIDATE)], outcomes


def _query(request: Request, *, may_read: bool) -> RunQuery:
    given = {name: value.strip()[:TEXT_MAX] for name, value in request.query_params.items()}
    standing = given.get("standing", "")
    chosen = StandingFilter(
        standing=standing if standing in STANDINGS else "",
        tag=given.get("tag", ""),
        scorer=given.get("scorer", ""),
        search=given.get("q", ""),
        search_reasons=may_read,
        is_new=given.get("new") == "1",
    )
    return RunQuery(chosen=chosen, page=page_number(request))
