"""How cases stand in a run: what its outcomes come to, in the order in which people look at them."""

import random
from collections import Counter

import msgspec
from tests.integration.control.evaluated import a_suite, outcome, ran

from watchkeeper.evals.outcome import Status
from watchkeeper.evals.reports.building import build
from watchkeeper.store.control import ControlStore
from watchkeeper.store.standings import StandingFilter
from watchkeeper.store.suite_cases import cases_of, page_of, tags_of

STATUSES: tuple[Status, ...] = ("passed", "failed", "unmeasured")


async def test_standings_are_those_of_a_report_in_its_order(store: ControlStore) -> None:
    dice = random.Random(5)
    suite = a_suite(tuple(f"case {place:02} % _ \"'" for place in range(40)), repeats=3)
    outcomes = [
        outcome(arm, case.id, dice.choices(STATUSES, (8, 3, 1))[0], repeat=repeat)
        for arm in ("candidate", "baseline")
        for case in suite.cases
        for repeat in range(3)
    ]
    row = await ran(store, suite, outcomes)
    report = build(row.head, lambda: outcomes, row.decision, {})
    found = await store.standings.cases(row.id, limit=100)
    assert [(one.case, one.standing, one.is_new) for one in found] == [
        (one.case, one.standing, one.is_new) for one in report.rows
    ]
    assert await store.standings.counts(row.id) == Counter(one.standing for one in report.rows)
    pages = [await store.standings.cases(row.id, offset=first, limit=7) for first in range(0, 40, 7)]
    assert [one for page in pages for one in page] == found


async def test_cases_are_narrowed_by_what_they_are_and_never_by_a_wildcard(store: ControlStore) -> None:
    suite = a_suite(("a%b", "a_b", "axb", 'a"b'))
    row = await ran(store, suite, [outcome("candidate", case.id, "failed") for case in suite.cases])

    async def names(**chosen: str) -> list[str]:
        found = await store.standings.cases(row.id, StandingFilter(search_reasons=True, **chosen))  # type: ignore[arg-type]  # texts only
        return [one.case for one in found]

    assert await names(search="a%b") == ["a%b"]
    assert await names(search="A_B") == ["a_b"]
    assert await names(tag="first") == ["a%b"] and await names(tag="fir") == [] and await names(tag="%") == []
    assert len(await names(scorer="mentions")) == 4 and await names(scorer="short") == []
    assert len(await names(search="reasonmark")) == 4 and await names(standing="passed") == []
    facets = await store.standings.facets(row.id)
    assert (facets.scorers, facets.tags) == ((("mentions", 4),), (("first", 1),))


async def test_what_is_kept_again_takes_the_place_of_what_was(store: ControlStore) -> None:
    suite = a_suite()
    row = await ran(store, suite, [outcome("candidate", "a", "unmeasured"), outcome("candidate", "b", "passed")])
    await store.runs.go_on(row.id, again=True)
    await store.runs.add(row.id, [outcome("candidate", "a", "passed")])
    await store.standings.keep(row, {})
    assert await store.standings.counts(row.id) == {"passed": 2}


async def test_an_earlier_run_stands_for_the_baseline_where_it_is_one(store: ControlStore) -> None:
    suite = a_suite()
    earlier = await ran(store, suite, [outcome("candidate", case.id, "passed") for case in suite.cases])
    later = await ran(store, suite, [outcome("candidate", "a", "failed"), outcome("candidate", "b", "passed")])
    head = msgspec.structs.replace(later.head, baseline_run=earlier.id)
    await store.standings.keep(type(later)(head=head, decision=None, counts={}), {})
    first = (await store.standings.cases(later.id))[0]
    assert (first.case, first.before, first.is_new) == ("a", "passed", True)
    differing = await store.standings.beside(later.id, earlier.id)
    assert [(one.case, one.before) for one in differing] == [("a", "passed")]
    assert [one.case for one in await store.standings.unsteady("support", "answers")] == ["a"]
    history = await store.standings.of_case("support", "answers", "a")
    assert {run: one.standing for run, one in history.items()} == {later.id: "failed", earlier.id: "passed"}


async def test_cases_are_found_without_reading_the_others(store: ControlStore) -> None:
    names = ('a"b', "\u00e4\u4e2d", "c" * 300, "<b>")
    suite = a_suite(names)
    row, _ = await store.suites.save(suite, by="ana")
    outline = await store.suite_cases.outline(row.id)
    assert cases_of(outline, names) == {case.id: case for case in suite.cases}
    assert cases_of(outline, ["nothing", '"id"']) == {}
    assert tags_of(outline) == {names[0]: ("first",)}
    page = page_of(outline, search="\u00c4", limit=1)
    assert ([case.id for case in page.cases], page.total) == ([names[1]], 1)
    assert [case.id for case in page_of(outline, offset=2, limit=1).cases] == [names[2]]
