"""Suites and runs in the control database: nothing is kept twice, and nothing that is kept changes."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Answer, Outcome, Status
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case, Scorer, Suite, suite_id
from watchkeeper.store.control import ControlStore
from watchkeeper.store.runs import OutcomeFilter, RunEnded, RunFilter, RunUnknown
from watchkeeper.store.suites import SuiteUnknown
from watchkeeper.testing import FakeClock

SUITE = Suite(feature="support", name="answers", cases=(Case(id="a"), Case(id="b")), scorers=(Scorer(type="contains"),))
HOSTILE = "\x01 \U0001f600 ' \" % {{ x }} </script>"


def outcome(case: str, status: Status = "passed", *, repeat: int = 0, arm: str = "candidate", ask: str = "") -> Outcome:
    answer = Answer(text=f"answer to {case}", ask=ask, cost_nusd=5, latency_ms=1.5)
    return Outcome(arm=arm, case=case, repeat=repeat, status=status, score=1.0, answer=answer)


async def begun(store: ControlStore, suite: Suite = SUITE) -> RunHead:
    row, _ = await store.suites.save(suite, by="ana")
    arms = (ArmHead(name="candidate", title="support", release="wk1-a"),)
    head = RunHead(id="", suite=suite.name, suite_id=row.id, feature=suite.feature, arms=arms, started_ms=0, by="ana")
    return await store.runs.begin(head)


async def test_a_suite_is_found_by_its_name_its_id_and_a_beginning_of_it(store: ControlStore) -> None:
    row, is_new = await store.suites.save(SUITE, by="ana", message="first")
    assert is_new and row.id == suite_id(SUITE)
    for named in ("support/answers", row.id, row.id[:12]):
        assert await store.suites.get(named) == (row, SUITE)
    for named in ("support/answer", "wke1-", "wke1-0000", "%", "support/", "", "wke1-%"):
        with pytest.raises(SuiteUnknown):
            await store.suites.get(named)


async def test_an_earlier_version_stays_and_becomes_the_latest_again(store: ControlStore) -> None:
    first, _ = await store.suites.save(SUITE, by="ana")
    other = msgspec.structs.replace(SUITE, repeats=3)
    second, _ = await store.suites.save(other, by="ben")
    assert [(row.id, row.is_latest) for row in await store.suites.versions("support", "answers")] == [
        (second.id, True),
        (first.id, False),
    ]
    again, is_new = await store.suites.save(SUITE, by="cem")
    assert is_new and again.is_latest and again.author == "ana"
    assert (await store.suites.get("support/answers"))[1] == SUITE
    assert (await store.suites.save(SUITE, by="dee"))[1] is False
    assert [row.id for row in await store.suites.latest()] == [first.id]
    assert await store.suites.latest(["other"]) == []


async def test_outcomes_that_are_sent_again_are_kept_once_and_as_they_came_first(store: ControlStore) -> None:
    head = await begun(store)
    sent = [outcome("a"), outcome("b", "failed"), outcome("a", repeat=1)]
    await store.runs.add(head.id, sent)
    again = [outcome("a", "failed"), outcome("b"), outcome("c")]
    await store.runs.add(head.id, again)
    assert {(one.case, one.repeat): one.status for one in await store.runs.outcomes(head.id)} == {
        ("a", 0): "passed", ("a", 1): "passed", ("b", 0): "failed", ("c", 0): "passed",
    }  # fmt: skip
    assert await store.runs.counts(head.id) == {"candidate": {"passed": 3, "failed": 1}}
    assert await store.runs.spent(head.id) == 20
    await store.runs.add(head.id, [])


async def test_several_who_add_at_once_lose_nothing(store: ControlStore) -> None:
    head = await begun(store)
    await asyncio.gather(
        *(store.runs.add(head.id, [outcome(f"{batch}-{place}") for place in range(50)]) for batch in range(10)),
        *(store.runs.get(head.id) for _ in range(10)),
    )
    assert len(await store.runs.done(head.id)) == 500


async def test_all_outcomes_are_given_in_order_over_any_number_of_pages(store: ControlStore) -> None:
    head = await begun(store)
    sent = [
        outcome(f"c{place:04}", arm=arm, repeat=repeat)
        for place in range(300)
        for arm in ("candidate", "baseline")
        for repeat in range(2)
    ]
    await store.runs.add(head.id, sent[::-1])
    given = [(one.case, one.arm, one.repeat) async for one in store.runs.all_outcomes(head.id)]
    assert given == sorted((one.case, one.arm, one.repeat) for one in sent)
    only = [one async for one in store.runs.all_outcomes(head.id, OutcomeFilter(arm="baseline", case="c0007"))]
    assert [(one.arm, one.case, one.repeat) for one in only] == [("baseline", "c0007", 0), ("baseline", "c0007", 1)]


async def test_a_run_that_has_ended_takes_nothing_more_and_one_that_stopped_goes_on(store: ControlStore) -> None:
    head = await begun(store)
    await store.runs.add(head.id, [outcome("a"), outcome("b", "unmeasured")])
    stopped = msgspec.structs.replace(head, status="stopped", note="interrupted")
    await store.runs.end(stopped, None)
    on = await store.runs.go_on(head.id)
    assert (on.status, on.note) == ("running", "")
    decision = Decision(result="pass", reasons=("fine",))
    ended = await store.runs.end(msgspec.structs.replace(on, status="finished"), decision)
    assert ended.counts == {"candidate": {"passed": 1, "unmeasured": 1}}
    for wish in (store.runs.add(head.id, [outcome("c")]), store.runs.go_on(head.id)):
        with pytest.raises(RunEnded):
            await wish
    await store.runs.go_on(head.id, again=True)
    assert [case for _, case, _ in await store.runs.done(head.id)] == ["a"]


async def test_of_two_who_run_it_only_the_later_one_adds_to_it(store: ControlStore) -> None:
    head = await begun(store)
    await store.runs.add(head.id, [outcome("a")], turn=head.turn)
    later = await store.runs.go_on(head.id)
    with pytest.raises(RunEnded, match="Somebody else"):
        await store.runs.add(head.id, [outcome("b")], turn=head.turn)
    await store.runs.add(head.id, [outcome("c")], turn=later.turn)
    assert [case for _, case, _ in await store.runs.done(head.id)] == ["a", "c"]


async def test_a_run_is_listed_by_what_it_came_to(store: ControlStore, clock: FakeClock) -> None:
    first = await begun(store)
    clock.advance(1)
    second = await begun(store)
    await store.runs.end(
        msgspec.structs.replace(first, status="finished"), Decision(result="regression", reasons=("worse",))
    )
    assert [row.id for row in await store.runs.find(RunFilter(feature="support"))] == [second.id, first.id]
    assert [row.id for row in await store.runs.find(RunFilter(result="regression"))] == [first.id]
    assert await store.runs.find(RunFilter(features=["other"])) == []
    for wanted in ("run-", "run-%", "run-u", "nothing", ""):
        with pytest.raises(RunUnknown):
            await store.runs.get(wanted)
    with pytest.raises(RunUnknown):
        await store.runs.add("run-unknown", [outcome("a")])


async def test_what_was_asked_before_is_known_for_a_while_and_errors_and_reused_answers_are_not(
    store: ControlStore, clock: FakeClock
) -> None:
    head = await begun(store)
    reused = msgspec.structs.replace(outcome("b"), answer=Answer(text="old", ask="hash-b", reused=True))
    broken = msgspec.structs.replace(outcome("c"), answer=Answer(error="away", ask="hash-c"))
    await store.runs.add(head.id, [outcome("a", ask="hash-a"), reused, broken])
    day = timedelta(days=1)
    assert set(await store.runs.answers(["hash-a", "hash-b", "hash-c", ""], of=head, within=day)) == {"hash-a"}
    clock.advance(86_401)
    assert await store.runs.answers(["hash-a"], of=head, within=day) == {}


async def test_a_case_is_followed_through_the_runs_of_its_suite(store: ControlStore, clock: FakeClock) -> None:
    ids = []
    for status in ("passed", "failed"):
        head = await begun(store)
        await store.runs.add(head.id, [outcome("a", status), outcome("b")])
        ids.append(head.id)
        clock.advance(60)
    found = await store.runs.of_case("support", "answers", "a")
    assert [(head.id, one.status) for head, one in found] == [(ids[1], "failed"), (ids[0], "passed")]


async def test_hostile_text_comes_back_as_it_was(store: ControlStore) -> None:
    head = await begun(store)
    hostile = msgspec.structs.replace(outcome(HOSTILE), answer=Answer(text=HOSTILE * 1_000), reason=HOSTILE)
    await store.runs.add(head.id, [hostile])
    assert await store.runs.outcomes(head.id, OutcomeFilter(case=HOSTILE)) == [hostile]


async def test_outcomes_are_forgotten_after_their_time_and_figures_stay(store: ControlStore, clock: FakeClock) -> None:
    head = await begun(store)
    await store.runs.add(head.id, [outcome("a")])
    await store.runs.end(msgspec.structs.replace(head, status="finished"), None)
    clock.advance(401 * 86_400)
    assert await store.runs.forget() == 1
    assert (await store.runs.get(head.id)).counts == {"candidate": {"passed": 1}}
