"""The keeper's part of schedules: begun once, gone on with after a death, compared with what was good, and told of."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs
from tests.integration.control.released import Asked, asked

from watchkeeper.api.evaluating import end
from watchkeeper.api.services import Routing
from watchkeeper.config.evals import Evals
from watchkeeper.evals.outcome import Answer, Mark, Outcome, Status
from watchkeeper.evals.schedule import Schedule, declared
from watchkeeper.evals.suite import Case, Scorer, Suite
from watchkeeper.server.schedules import TRIES_MAX, Scheduler, holder_of
from watchkeeper.store.runs import RunFilter
from watchkeeper.store.schedules import Firing
from watchkeeper.testing import FakeClock

CASES = 70
SUITE = Suite(
    feature="support",
    name="answers",
    cases=tuple(Case(id=f"c{number}", variables={"question": "?"}) for number in range(CASES)),
    scorers=(Scorer(type="contains", value="parcel"),),
)
NIGHTLY = Schedule(name="nightly", suite="support/answers", candidate="gpt-4o-mini", cron="0 6 * * *")
DAY_S = 86_400.0


@dataclass
class Processes:
    """Processes that a test ends itself."""

    started: list[str] = field(default_factory=list[str])
    living: set[str] = field(default_factory=set[str])

    async def start(self, run: str) -> str:
        self.started.append(run)
        child = f"{len(self.started)}/born"
        self.living.add(child)
        return child

    def lives(self, child: str) -> bool:
        return child in self.living

    def last_words(self) -> str:
        return "out of memory"


@dataclass
class Desk:
    """A keeper with schedules."""

    api: Asked
    processes: Processes
    scheduler: Scheduler

    async def look(self, seconds: float = 1.0) -> None:
        self.api.clock.advance(seconds)
        await self.scheduler.look()
        await self.scheduler.tell()

    def another(self, holder: str) -> "Desk":
        """A keeper that sees the same processes."""
        return Desk(self.api, self.processes, replace(self.scheduler, holder=holder))

    async def answer(self, *, passed: int, status: str = "finished", note: str = "") -> Firing:
        """Have the run that is under way come to its end with so many cases passed, and return its firing."""
        [firing] = [one for one in await self.api.control.schedules.active() if one.run]
        outcomes = [outcome(number, number < passed) for number in range(CASES)]
        await self.api.control.runs.add(firing.run, outcomes)
        await end(self.api.services, firing.run, status=status, note=note)  # type: ignore[arg-type]  # one of its words
        self.processes.living.clear()
        await self.look()
        return (await self.api.control.schedules.history("nightly"))[0]

    async def alerts(self) -> list[tuple[str, str]]:
        return [(one.kind, one.key) for one in await self.api.control.alerts.list_alerts(only_open=True)]


def outcome(number: int, is_good: bool) -> Outcome:
    status: Status = "passed" if is_good else "failed"
    mark = Mark(scorer="contains", status=status, score=float(is_good))
    score = float(is_good)
    return Outcome(
        arm="candidate", case=f"c{number}", status=status, score=score, marks=(mark,), answer=Answer(text="x")
    )


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with asked(f"sqlite:///{tmp_path}/control.db", clock) as api:
        routing = Routing(targets={"gpt-4o-mini": frozenset({"openai/gpt-4o-mini"})}, providers=frozenset({"openai"}))
        written = {"name": "nightly", "suite": "support/answers", "model": "gpt-4o-mini", "cron": "0 6 * * *"}
        evals = Evals.model_validate({"schedules": [written]})
        api.services = replace(api.services, routing=lambda: routing, evals=lambda: evals)
        await api.control.suites.save(SUITE, by="ana")
        processes = Processes()
        scheduler = Scheduler(
            parts=api.services,
            declared=lambda: [declared(one) for one in evals.schedules],
            runs_python=lambda: False,
            processes=processes,
            host="a",
            holder=holder_of("a", os.getpid()),
            console="http://console",
            is_gateway_up=lambda url: True,
        )
        desk = Desk(api, processes, scheduler)
        await desk.look()
        yield desk


async def ran(desk: Desk, *, passed: int) -> Firing:
    """Have a day pass, and the run that is due then come to its end."""
    await desk.look(DAY_S)
    return await desk.answer(passed=passed)


async def test_what_is_due_is_begun_once_under_the_name_of_its_schedule(desk: Desk) -> None:
    await desk.look(DAY_S)
    await desk.another("b 2/born").look()
    await desk.look()
    [run] = desk.processes.started
    row = await desk.api.control.runs.get(run)
    assert (row.head.by, row.head.arms[0].model, row.head.suite) == ("schedule:nightly", "gpt-4o-mini", "answers")
    ended = await desk.answer(passed=CASES)
    assert (ended.status, ended.run) == ("finished", run)


async def test_a_run_whose_process_and_keeper_died_is_gone_on_with_by_the_next(desk: Desk) -> None:
    await desk.another("a 999999999/early").look(DAY_S)
    after = desk.another("a 999999998/later")
    await after.look()
    assert len(desk.processes.started) == 1, "its process still lives, and is waited for"
    desk.processes.living.clear()
    await after.look()
    assert desk.processes.started == [desk.processes.started[0]] * 2, "the same run"
    assert (await after.answer(passed=CASES)).tries == 2


async def test_a_keeper_that_died_between_claim_and_start_leaves_one_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk.api.control.schedules
    note, calls = store.note, 0

    async def dies(firing: Firing, **values: object) -> Firing | None:
        nonlocal calls
        calls += 1
        if "run" in values:
            raise KeyboardInterrupt
        return await note(firing, **values)

    monkeypatch.setattr(store, "note", dies)
    with pytest.raises(KeyboardInterrupt):
        await desk.look(DAY_S)
    monkeypatch.undo()
    assert not desk.processes.started
    await desk.another("b 2/later").look(61)
    [run] = desk.processes.started
    [only] = await desk.api.control.runs.find(RunFilter())
    assert only.id == run


async def test_worse_answers_are_told_of_until_a_run_passes_beside_the_last_good_one(desk: Desk) -> None:
    first = await ran(desk, passed=CASES)
    worse = await ran(desk, passed=40)
    assert (worse.result, worse.facts["baseline"]) == ("regression", first.run)
    assert await desk.alerts() == [("eval_regression", "schedule nightly")]
    still = await ran(desk, passed=40)
    assert (still.result, still.facts["baseline"]) == ("regression", first.run), "what is worse is no measure"
    assert await desk.alerts() == [("eval_regression", "schedule nightly")]
    [alert] = await desk.api.control.alerts.list_alerts(only_open=True)
    assert f"http://console/evals/runs/{worse.run}" in alert.text and "support/answers" in alert.text
    again = await ran(desk, passed=CASES)
    assert (again.result, await desk.alerts()) == ("pass", [])


async def test_a_slow_decline_shows_beside_the_run_that_was_accepted(desk: Desk) -> None:
    first = await ran(desk, passed=CASES)
    accepted = await desk.api.post("/evals/schedules/nightly/accept")
    assert accepted == {"run": first.run}
    results = []
    for passed in (67, 64, 61, 58, 55):
        firing = await ran(desk, passed=passed)
        results.append((firing.result, firing.facts.get("accepted_result", firing.result)))
    assert "regression" not in [result for result, _ in results[:2]]
    assert results[-1][1] == "regression"
    assert await desk.alerts() == [("eval_regression", "schedule nightly")]
    await desk.api.post("/evals/schedules/nightly/accept")
    await ran(desk, passed=55)
    assert await desk.alerts() == [], "it is meant to be so"


async def test_what_cannot_be_begun_is_told_of_and_over_when_it_can(desk: Desk) -> None:
    gone = structs.replace(NIGHTLY, suite="support/nothing")
    desk.scheduler.declared = lambda: [gone]
    await desk.look(DAY_S)
    assert await desk.alerts() == [("eval_stuck", "schedule nightly")]
    [alert] = await desk.api.control.alerts.list_alerts(only_open=True)
    assert "No run of the suite support/nothing has begun" in alert.text and "There is no one suite" in alert.text
    desk.scheduler.declared = lambda: [NIGHTLY]
    await ran(desk, passed=CASES)
    assert await desk.alerts() == []


async def test_a_run_whose_process_ends_again_and_again_is_stuck(desk: Desk) -> None:
    await desk.look(DAY_S)
    for _ in range(TRIES_MAX + 1):
        desk.processes.living.clear()
        await desk.look()
    assert len(desk.processes.started) == TRIES_MAX
    assert await desk.alerts() == [("eval_stuck", "schedule nightly")]
    [alert] = await desk.api.control.alerts.list_alerts(only_open=True)
    assert "out of memory" in alert.text and "eval resume run-" in alert.text


async def test_a_run_that_reached_its_cap_is_unmeasured_and_not_tried_again(desk: Desk) -> None:
    await desk.look(DAY_S)
    [firing] = await desk.api.control.schedules.active()
    await end(desk.api.services, firing.run, status="stopped", note="the run has cost what it may cost")
    desk.processes.living.clear()
    await desk.look()
    assert len(desk.processes.started) == 1
    assert ("eval_unmeasured", "schedule nightly") in await desk.alerts()


async def test_python_of_a_suite_is_not_run_unless_the_configuration_allows_it(desk: Desk) -> None:
    python = Scorer(type="python", value="len(answer) > 0")
    await desk.api.control.suites.save(structs.replace(SUITE, scorers=(python,)), by="mallory")
    await desk.look(DAY_S)
    [last] = await desk.api.control.schedules.latest()
    assert "evals: {python: true}" in last.facts["failure"] and not desk.processes.started
    desk.scheduler.runs_python = lambda: True
    await desk.look(DAY_S)
    assert len(desk.processes.started) == 1


async def test_a_gateway_that_does_not_answer_is_waited_for(desk: Desk) -> None:
    desk.scheduler.is_gateway_up = lambda url: False
    await desk.look(DAY_S)
    assert not desk.processes.started and await desk.api.control.schedules.active()
    desk.scheduler.is_gateway_up = lambda url: True
    await desk.look()
    assert len(desk.processes.started) == 1


async def test_schedules_are_made_and_listed_over_the_api(desk: Desk) -> None:
    wish = {"suite": "support/answers", "model": "gpt-4o-mini", "cron": "30 2 * * *", "tz": "Europe/Berlin"}
    made = await desk.api.post("/evals/schedules", **wish, cap_nusd=2_000_000_000)
    assert (made["name"], made["cap_nusd"]) == ("support.answers@gpt-4o-mini", 2_000_000_000)
    refused = await desk.api.refused("/evals/schedules", **wish)
    assert (refused["status"], refused["code"]) == (409, "schedule_exists")
    for wrong in ({"cron": "every day"}, {"tz": "Berlin"}, {"env": "staging"}, {"suite": "support"}):
        refused = await desk.api.refused("/evals/schedules", **wish | wrong | {"name": "x"})
        assert refused["status"] == 422 and "Nothing was kept" in refused["message"], refused
    listed = (await desk.api.get("/evals/schedules"))["schedules"]
    assert [(one["name"], one["by"]) for one in listed] == [
        ("nightly", "configuration"), ("support.answers@gpt-4o-mini", "local"),
    ]  # fmt: skip
    gone = await desk.api.reply("DELETE", "/evals/schedules/nightly")
    assert gone.status_code == 404 and "configuration" in gone.text
    assert (await desk.api.reply("DELETE", "/evals/schedules/support.answers@gpt-4o-mini")).status_code == 204
    await desk.api.person("reader", "read", features=("support",))
    assert (await desk.api.refused("/evals/schedules/nightly/run", "reader"))["status"] == 403
