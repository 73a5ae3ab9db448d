"""The keeper judges rollouts: calls in a real analytics store, decisions in a real control database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.served import FEATURE, Clients, Quality
from tests.integration.store.filled import batch_of

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.call import Call
from watchkeeper.releases.judging import ArmFigures, Guard, Plan, Step
from watchkeeper.releases.rules import Rules
from watchkeeper.releases.standing import Arm, RolloutKind
from watchkeeper.server.rollouts import AWAY_S, KEPT_EVERY_S, Judge
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingDraft, StandingRow
from watchkeeper.store.rollout_figures import ArmDetails, Followed, RolloutQuestions
from watchkeeper.store.rollout_turns import Why, concluded, turned
from watchkeeper.store.rollouts import RolloutDraft, RolloutRow, Settings
from watchkeeper.testing import FakeClock

STANDING, CANDIDATE = "wk1-standing", "wk1-candidate"
TELL = Notifications.model_validate({"destinations": [{"name": "ops", "url": "json://127.0.0.1:1"}]})
GUARDS = (Guard("errors", 0.01), Guard("parse_failures", 0.01), Guard("latency", 0.05), Guard("cost", 0.1))
STEPS = (Step(0.2, 60, 100), Step(0.5, 60, 100), Step(1.0, 0, 0))
PLAN = Plan(GUARDS, STEPS, widening="unrefuted")
GOOD = Quality(errors=0.01)
ANA = Why("ana", "she says so")
FREE = Rules()


class House:
    """A keeper, its stores, and clients that call."""

    def __init__(self, store: ControlStore, analytics: AnalyticsStore, clock: FakeClock) -> None:
        self.store, self.analytics, self.clock = store, analytics, clock
        self.clients = Clients(clock)
        self.judge = self.another_keeper()

    def another_keeper(self) -> Judge:
        """Make a judge that remembers nothing."""
        return Judge(
            rollouts=self.store.rollouts,
            figures=self.analytics.rollouts,
            notifications=lambda: TELL,
            clock=self.clock,
            console="http://127.0.0.1:4080",
        )

    async def promote(self, release: str, *, kind: str = "promote") -> None:
        draft = StandingDraft(feature=FEATURE, environment="production", kind=kind, release=release, by="ana")
        await self.store.environments.put(draft)

    async def start(self, kind: RolloutKind = "canary", plan: Plan = PLAN) -> RolloutRow:
        """Start a rollout of the candidate, and let it take effect."""
        draft = RolloutDraft(
            feature=FEATURE,
            environment="production",
            kind=kind,
            arms=(Arm(CANDIDATE, plan.steps[0].share),),
            settings=Settings(plan),
            by="ana",
        )
        row = await self.store.rollouts.start(draft, FREE)
        self.clock.advance(1)
        return row

    async def calls(self, count: int, seconds: float, **qualities: Quality) -> list[Call]:
        """Have clients call for some time, served as the latest row of the history says."""
        (standing,) = await self.store.environments.current(FEATURE)
        by_release = {STANDING: qualities.get("standing", GOOD), CANDIDATE: qualities.get("candidate", GOOD)}
        made = []
        for call in islice(self.clients.call(standing.rollout, standing.release, by_release), count):
            self.clock.advance(seconds / count)
            made.append(call)
        self.analytics.insert_calls(batch_of(made), token=f"{self.clock.unix_ns()}")
        return made

    async def history(self) -> list[StandingRow]:
        return list(reversed(await self.store.environments.history(FEATURE)))

    async def kinds(self) -> list[str]:
        return [row.kind for row in await self.history()]

    async def row(self) -> RolloutRow:
        return (await self.store.rollouts.list_rollouts())[0]


@pytest.fixture
async def house(store: ControlStore, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    made = House(store, analytics, clock)
    await made.promote(STANDING)
    clock.advance(1)
    await made.calls(400, 3_600)
    yield made
    analytics.close()


async def test_a_candidate_that_fails_is_taken_back_with_the_evidence(house: House) -> None:
    started = await house.start()
    await house.calls(1_000, 100, candidate=Quality(errors=0.4))
    await house.judge.look()
    back = (await house.history())[-1]
    assert (back.kind, back.release, back.rollout, back.by) == ("canary_back", STANDING, None, "watchkeeper")
    row = await house.row()
    assert (row.state, row.id) == ("rolled_back", started.id)
    assert "errors" in row.outcome and "against" in row.outcome
    (look,) = await house.store.rollouts.looks(row.id)
    (errors, *_) = look.evidence["findings"]
    assert look.decision == "roll_back"
    assert (errors["metric"], errors["verdict"]) == ("errors", "worse") and errors["harm_low"] > 0
    assert {arm["release"] for arm in look.evidence["arms"]} == {STANDING, CANDIDATE}
    (alert,) = await house.store.alerts.list_alerts(only_open=True)
    assert (alert.kind, alert.title) == ("rollout", "The canary of support in production was rolled back")
    assert "upstream_error" in alert.text and f"rollout show {row.id}" in alert.text
    assert (await house.store.outbox.list_messages())[0].destination == "ops"


async def test_a_good_candidate_goes_through_all_steps_and_takes_over(house: House) -> None:
    await house.start()
    for expected in ("canary_step", "canary_done"):
        await house.judge.look()
        await house.calls(1_000, 70)
        await house.judge.look()
        assert (await house.kinds())[-1] == expected
        house.clock.advance(1)
    assert (await house.history())[-1].release == CANDIDATE
    row = await house.row()
    assert (row.state, row.step) == ("done", 1)
    assert await house.store.alerts.list_alerts() == []
    changes = await house.store.changes.between(
        row.started_at, datetime.fromtimestamp(house.clock.unix_ns() / 1e9).astimezone()
    )
    assert [change.summary.split()[0] for change in changes] == ["canary_start", "canary_step", "canary_done"]


async def test_a_step_is_judged_by_its_own_calls_alone(house: House) -> None:
    """A candidate that was bad only before its step began is none that is bad now."""
    await house.start()
    await house.calls(1_000, 70)
    await house.judge.look()
    stepped = await house.row()
    assert stepped.step == 1
    await house.judge.look()
    arms = await house.analytics.rollouts.arms(
        Followed(rollout=stepped.id, feature=FEATURE, environment="production", since=stepped.step_at),
        now=stepped.step_at, sticky="subject", slow_ms=None, feedback=False,
    )  # fmt: skip
    assert arms == {}


async def test_two_keepers_that_look_at_the_same_moment_act_once(house: House) -> None:
    await house.start()
    await house.calls(1_000, 100, candidate=Quality(errors=0.4))
    await asyncio.gather(*(house.another_keeper().look() for _ in range(3)))
    assert await house.kinds() == ["promote", "canary_start", "canary_back"]
    assert len(await house.store.alerts.list_alerts()) == 1


async def test_a_keeper_that_starts_anew_goes_on_where_the_last_one_was(house: House) -> None:
    await house.start()
    await house.calls(600, 40)
    await house.judge.look()
    assert (await house.row()).step == 0
    await house.calls(600, 40)
    await house.another_keeper().look()
    assert (await house.row()).step == 1


async def test_a_candidate_that_was_taken_back_by_hand_stays_back(house: House) -> None:
    await house.start()
    await house.promote("wk1-older", kind="rollback")
    await house.calls(1_000, 100)
    await house.judge.look()
    assert (await house.kinds())[-1] == "rollback"
    row = await house.row()
    assert row.state == "stopped" and "ana made something else live" in row.outcome


async def test_a_candidate_that_nobody_is_served_by_waits_for_a_person(house: House) -> None:
    await house.start()
    for call in (made := list(islice(house.clients.call(None, STANDING, {}), 300))):
        call.rollout = (await house.row()).id
    house.analytics.insert_calls(batch_of(made), token="not assigned")
    house.clock.advance(700)
    await house.judge.look()
    row = await house.row()
    assert row.state == "paused" and f"{CANDIDATE} has had no calls" in row.outcome
    (standing,) = await house.store.environments.current(FEATURE)
    assert standing.kind == "canary_pause" and standing.rollout is not None
    assert standing.rollout.arms == (Arm(CANDIDATE, 0.2),)
    (alert,) = await house.store.alerts.list_alerts(only_open=True)
    assert alert.title == "The canary of support in production waits for a person"

    await house.store.rollouts.take(row, turned(row, "resume", ANA), TELL)
    (alert,) = await house.store.alerts.list_alerts()
    assert not alert.is_open and alert.resolution == "ana has it go on or end."


async def test_a_paused_candidate_is_still_taken_back_when_it_is_worse(house: House) -> None:
    row = await house.start()
    await house.store.rollouts.take(row, turned(row, "pause", ANA), TELL)
    await house.calls(1_000, 100, candidate=Quality(errors=0.4))
    await house.judge.look()
    assert (await house.row()).state == "rolled_back"


class Away(RolloutQuestions):
    """A store that does not answer."""

    def __init__(self) -> None:
        super().__init__(self._fail)

    async def _fail(self, text: str, values: dict[str, Any]) -> Any:
        raise ConnectionRefusedError("connection refused")


async def test_a_store_that_does_not_answer_pauses_it_after_five_minutes_and_widens_nothing(house: House) -> None:
    await house.start()
    await house.calls(1_000, 100)
    judge = house.another_keeper()
    judge.figures = Away()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await judge.look()
        house.clock.advance(AWAY_S / 3)
    assert (await house.row()).state == "running"
    await judge.look()
    row = await house.row()
    assert (row.state, row.step) == ("paused", 0) and "has not answered for 5 minutes" in row.outcome
    assert len(await house.store.alerts.list_alerts(only_open=True)) == 1


class SometimesAway(Away):
    """A store that does not answer about one rollout."""

    def __init__(self, figures: RolloutQuestions, about: str) -> None:
        super().__init__()
        self._figures, self._about = figures, about

    async def arms(self, of: Followed, **asked: Any) -> dict[str, ArmFigures]:
        return await (super().arms(of, **asked) if of.rollout == self._about else self._figures.arms(of, **asked))

    async def details(self, of: Followed) -> tuple[ArmDetails, ...]:
        return await self._figures.details(of)


async def test_one_rollout_without_figures_does_not_keep_the_others_from_being_judged(house: House) -> None:
    staging = StandingDraft(feature=FEATURE, environment="staging", kind="promote", release=STANDING, by="ana")
    await house.store.environments.put(staging)
    plan = Plan((Guard("errors", 0.01),), STEPS)
    draft = RolloutDraft(
        feature=FEATURE,
        environment="staging",
        kind="canary",
        arms=(Arm(CANDIDATE, 0.2),),
        settings=Settings(plan),
        by="ana",
    )
    silent = await house.store.rollouts.start(draft, FREE)
    started = await house.store.rollouts.start(replace(draft, environment="production"), FREE)
    made = []
    for number in range(400):
        is_tried = number % 4 == 0
        quality = Quality(errors=0.6 if is_tried else 0.0)
        made.append(
            house.clients.one(CANDIDATE if is_tried else STANDING, quality, rollout=started.id, subject=f"sub_{number}")
        )
        house.clock.advance(1)
    for call in made:
        call.started_ns = house.clock.unix_ns()
    house.analytics.insert_calls(batch_of(made), token="failing")
    judge = house.another_keeper()
    judge.figures = SometimesAway(house.analytics.rollouts, silent.id)
    with pytest.raises(ConnectionRefusedError):
        await judge.look()
    assert (await house.store.rollouts.get(started.id)).state == "rolled_back"
    assert (await house.store.rollouts.get(silent.id)).state == "running"


async def test_nothing_is_widened_while_the_environment_is_frozen(house: House, store: ControlStore) -> None:
    row = await house.start()
    await store.freezes.begin("production", "*", by="ben", reason="holidays")
    await house.calls(1_000, 100)
    await house.judge.look()
    (look,) = await store.rollouts.looks(row.id)
    assert look.decision == "continue" and "production is frozen by ben" in look.evidence["reason"]
    assert (await house.row()).step == 0


async def test_what_is_slow_is_read_from_the_answers_before_the_rollout(house: House) -> None:
    started = await house.start()
    await house.judge.look()
    row = await house.row()
    assert row.settings.slow_ms == pytest.approx(800 * 2.718 ** (1.645 * 0.4), rel=0.2)
    assert row.step_at == started.step_at
    await house.calls(1_500, 50, candidate=Quality(errors=0.01, duration_ms=4_000))
    await house.judge.look()
    assert (await house.row()).state == "rolled_back" and "slow answers" in (await house.row()).outcome


async def test_without_answers_before_the_first_ones_of_the_rollout_say_what_is_slow_and_it_begins_anew(
    house: House,
) -> None:
    await house.promote("wk1-new")
    house.clock.advance(1)
    started = await house.start()
    await house.judge.look()
    assert (await house.row()).settings.slow_ms is None
    await house.calls(400, 90)
    await house.judge.look()
    row = await house.row()
    assert row.settings.slow_ms is not None and row.step_at > started.step_at and row.step == 0


async def test_looks_that_decide_nothing_are_kept_once_a_minute(house: House) -> None:
    row = await house.start()
    for _ in range(30):
        await house.judge.look()
        house.clock.advance(5)
    kept = await house.store.rollouts.looks(row.id)
    assert len(kept) == 30 * 5 / KEPT_EVERY_S + 0.5
    assert all("bakes" in look.evidence["reason"] or "calls" in look.evidence["reason"] for look in kept)


TEST = Plan((Guard("errors", 0.01),), (Step(0.5, 0, 0),), goal="cost")


async def test_a_test_says_when_it_is_decided_and_is_concluded_by_hand(house: House) -> None:
    await house.start("ab", TEST)
    await house.calls(2_000, 100, candidate=Quality(errors=0.01, cost_nusd=500_000))
    await house.judge.look()
    row = await house.row()
    (look,) = await house.store.rollouts.looks(row.id)
    assert (row.state, look.evidence["reason"]) == ("running", "It is decided. Conclude it with the winner.")
    goal = look.evidence["findings"][0]
    assert (goal["metric"], goal["verdict"]) == ("cost", "better") and goal["harm_high"] < 0
    await house.store.rollouts.take(row, concluded(row, CANDIDATE, ANA), TELL)
    assert (await house.kinds())[-1] == "ab_done"
    assert (await house.history())[-1].release == CANDIDATE


async def test_a_test_that_breaks_a_guard_is_ended(house: House) -> None:
    await house.start("ab", TEST)
    await house.calls(2_000, 100, candidate=Quality(errors=0.3))
    await house.judge.look()
    assert (await house.kinds())[-1] == "ab_stop"
    assert (await house.row()).state == "rolled_back"
    assert [alert.title for alert in await house.store.alerts.list_alerts()] == [
        "The A/B test of support in production was rolled back"
    ]


async def test_of_a_shadow_it_is_kept_how_its_copies_compare_and_nothing_is_decided(house: House) -> None:
    row = await house.start("shadow", Plan((), (Step(0.5, 0, 0),)))
    made = []
    for _ in range(20):
        own = house.clients.one(STANDING, Quality(errors=0), rollout=row.id, subject="sub_1")
        made += [
            own,
            house.clients.one(CANDIDATE, Quality(errors=0.5), rollout=row.id, subject="", origin="shadow", of=own.id),
        ]
        house.clock.advance(1)
    house.analytics.insert_calls(batch_of(made), token="shadow")
    await house.judge.look()
    (look,) = await house.store.rollouts.looks(row.id)
    assert look.evidence["pairs"] == 20
    assert look.evidence["both_answered"] + look.evidence["only_own_answered"] == 20
    assert (await house.row()).state == "running"
