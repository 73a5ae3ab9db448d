"""Runs go as fast as a target takes them, stop at their sum, and lose nothing that was answered."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from watchkeeper.evals import running
from watchkeeper.evals.outcome import Answer, Mark, Outcome
from watchkeeper.evals.running import Limits, Progress, Run, Task


class Target:
    """Something that answers, so many at a time."""

    def __init__(self, takes: int = 1_000, cost_nusd: int | None = 1_000) -> None:
        self.takes = takes
        self.cost_nusd = cost_nusd
        self.active = 0
        self.most = 0
        self.asked = 0

    async def answer(self, case: str) -> Outcome:
        self.asked += 1
        self.active += 1
        self.most = max(self.most, self.active)
        is_busy = self.active > self.takes
        await asyncio.sleep(0.001)
        self.active -= 1
        if is_busy:
            return outcome(case, Answer(error="rate_limit: too many", error_code="rate_limit"))
        return outcome(case, Answer(text="x", call="c", cost_nusd=self.cost_nusd))


def outcome(case: str, answer: Answer) -> Outcome:
    return Outcome(arm="candidate", case=case, status="unmeasured" if answer.error else "passed", answer=answer)


def tasks(target: Target, number: int) -> Iterator[Task]:
    def task(case: str) -> Task:
        return Task(arm="candidate", case=case, repeat=0, target="t", perform=lambda: target.answer(case))

    return (task(str(place)) for place in range(number))


class Kept:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    async def __call__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes


async def ran(
    target: Target, number: int, limits: Limits, during: Callable[[Run], None] = lambda run: None
) -> tuple[str, Kept, Progress]:
    kept, progress = Kept(), Progress(total=number)
    run = Run(kept, limits, progress)
    during(run)
    return await run.run(tasks(target, number)), kept, progress


async def test_every_outcome_is_kept_once() -> None:
    stopped, kept, progress = await ran(Target(), 1_234, Limits())
    assert stopped == ""
    assert sorted(int(one.case) for one in kept.outcomes) == list(range(1_234))
    assert (progress.done, progress.passed, progress.spent_nusd) == (1_234, 1_234, 1_234_000)


async def test_a_target_that_is_too_busy_is_asked_for_less_at_a_time_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "WAIT_S", (0.005, 0.01, 0.02))
    target = Target(takes=10)
    _, kept, progress = await ran(target, 1_000, Limits(concurrency=256))
    assert len(kept.outcomes) == 1_000
    assert progress.unmeasured <= 10
    assert target.asked < 1_400, "it asks in vain all the time"


async def test_concurrency_is_never_above_what_is_allowed() -> None:
    target = Target()
    await ran(target, 500, Limits(concurrency=7))
    assert target.most == 7


@pytest.mark.parametrize("seed", range(5))
async def test_a_run_costs_no_more_than_it_may(seed: int) -> None:
    draw = random.Random(seed)
    cap = draw.randrange(1, 400_000)
    target = Target()
    stopped, kept, progress = await ran(target, 500, Limits(cap_nusd=cap, concurrency=draw.randrange(1, 64)))
    # Before anything is known of what a call costs, only the first one can go above it.
    assert progress.spent_nusd <= max(cap, 1_000)
    assert (stopped == "cap") == (len(kept.outcomes) < 500)


async def test_what_was_spent_before_counts() -> None:
    stopped, kept, _ = await ran(Target(), 100, Limits(cap_nusd=50_000, spent_nusd=49_999))
    assert stopped == "cap" and len(kept.outcomes) == 1


async def test_a_sum_cannot_be_kept_to_where_nobody_knows_what_calls_cost() -> None:
    stopped, kept, _ = await ran(Target(cost_nusd=None), 1_000, Limits(cap_nusd=1_000_000_000))
    assert stopped == "unpriced" and len(kept.outcomes) < 100
    assert (await ran(Target(cost_nusd=None), 100, Limits()))[0] == ""


async def test_judges_count_towards_the_sum() -> None:
    async def judged() -> Outcome:
        await asyncio.sleep(0.001)
        mark = Mark(scorer="rubric", status="passed", score=1.0, cost_nusd=90_000, calls=("j",))
        return Outcome(
            arm="candidate", case="1", status="passed", marks=(mark,), answer=Answer(call="c", cost_nusd=10_000)
        )

    kept, progress = Kept(), Progress(total=100)
    many = (Task(arm="candidate", case=str(i), repeat=0, target="t", perform=judged) for i in range(100))
    assert await Run(kept, Limits(cap_nusd=1_000_000, concurrency=4), progress).run(many) == "cap"
    assert progress.spent_nusd <= 1_000_000


async def test_a_judge_that_nobody_knows_the_price_of_stops_a_run_with_a_sum() -> None:
    async def judged() -> Outcome:
        mark = Mark(scorer="rubric", status="passed", score=1.0, calls=("j",))
        return Outcome(arm="candidate", case="1", status="passed", marks=(mark,), answer=Answer(call="c", cost_nusd=1))

    many = (Task(arm="candidate", case=str(i), repeat=0, target="t", perform=judged) for i in range(100))
    progress = Progress(total=100)
    assert await Run(Kept(), Limits(cap_nusd=1_000_000), progress).run(many) == "unpriced"
    assert progress.done == 1


async def test_interrupted_it_keeps_what_was_under_way() -> None:
    target = Target()

    def stop_soon(run: Run) -> None:
        asyncio.get_running_loop().call_later(0.05, run.stop)

    stopped, kept, _ = await ran(target, 1_000_000, Limits(concurrency=8), stop_soon)
    assert stopped == "interrupted"
    assert len(kept.outcomes) == target.asked > 0


async def test_what_cannot_be_kept_is_not_asked_for_any_longer() -> None:
    class Full(Exception):
        pass

    async def full(outcomes: Sequence[Outcome]) -> None:
        raise Full

    target = Target()
    with pytest.raises(Full):
        await Run(full, Limits(), Progress(total=100_000)).run(tasks(target, 100_000))
    assert target.asked < 50_000


async def test_a_slow_keeper_slows_the_run_down_instead_of_filling_the_memory() -> None:
    most = 0
    waiting: list[int] = []

    async def slow(outcomes: Sequence[Outcome]) -> None:
        await asyncio.sleep(0.05)
        waiting.append(len(outcomes))

    target = Target()
    run = Run(slow, Limits(), Progress(total=20_000))
    unwritten = run._unwritten

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(unwritten))
            await asyncio.sleep(0.002)

    watching = asyncio.create_task(watch())
    await run.run(tasks(target, 20_000))
    watching.cancel()
    assert sum(waiting) == 20_000
    assert most <= running.UNWRITTEN_MAX + 256
