"""Rollouts in the control database: what is written together, and who is first."""

import asyncio
from dataclasses import replace

import pytest

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import AlertDraft
from watchkeeper.releases.judging import Guard, Plan, Step
from watchkeeper.releases.rules import Rules
from watchkeeper.releases.standing import Arm, RolloutKind
from watchkeeper.store.clearance import NotCleared
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import Overtaken, StandingDraft, StandingRow
from watchkeeper.store.rollout_turns import RolloutOver, TurnImpossible, Why, concluded, taken_back, turned, widened
from watchkeeper.store.rollouts import (
    Frozen,
    NothingToCompare,
    RolloutDraft,
    RolloutRow,
    RolloutRuns,
    RolloutUnknown,
    Settings,
)
from watchkeeper.testing import FakeClock

STANDING, CANDIDATE = "wk1-standing", "wk1-candidate"
PLAN = Plan((Guard("errors", 0.01),), (Step(0.05, 60, 100), Step(0.5, 60, 100), Step(1.0, 0, 0)))
ANA = Why("ana", "it looks good")
NOBODY = Notifications()
FREE = Rules()


async def promote(store: ControlStore, release: str = STANDING, *, kind: str = "promote") -> StandingRow:
    draft = StandingDraft(feature="support", environment="production", kind=kind, release=release, by="ana")
    return await store.environments.put(draft)


def a_draft(kind: RolloutKind = "canary", *arms: Arm, plan: Plan = PLAN) -> RolloutDraft:
    return RolloutDraft(
        feature="support",
        environment="production",
        kind=kind,
        arms=arms or (Arm(CANDIDATE, plan.steps[0].share),),
        settings=Settings(plan),
        by="ana",
        reason="cheaper",
    )


async def history(store: ControlStore) -> list[StandingRow]:
    return list(reversed(await store.environments.history("support")))


@pytest.fixture
async def running(store: ControlStore) -> RolloutRow:
    await promote(store)
    return await store.rollouts.start(a_draft(), FREE)


async def test_a_canary_begins_with_its_first_share_and_the_moment_at_which_it_takes_effect(
    store: ControlStore, running: RolloutRow
) -> None:
    standing = (await history(store))[-1]
    assert (standing.kind, standing.release, standing.by, standing.reason) == (
        "canary_start",
        STANDING,
        "ana",
        "cheaper",
    )
    assert standing.rollout is not None
    assert (standing.rollout.id, standing.rollout.arms) == (running.id, (Arm(CANDIDATE, 0.05),))
    assert running.step_at == standing.effective_at
    assert (running.state, running.step, running.baseline, running.standing) == ("running", 0, STANDING, 2)
    assert running.settings.plan == PLAN


async def test_nothing_can_be_tried_where_nothing_stands(store: ControlStore) -> None:
    with pytest.raises(NothingToCompare, match="serves nothing in production yet"):
        await store.rollouts.start(a_draft(), FREE)


async def test_what_stands_cannot_be_tried_beside_itself(store: ControlStore) -> None:
    await promote(store)
    with pytest.raises(NothingToCompare, match="is what support serves"):
        await store.rollouts.start(a_draft("canary", Arm(STANDING, 0.05)), FREE)
    assert len(await history(store)) == 1


async def test_a_canary_needs_what_a_promotion_needs_and_a_shadow_does_not(store: ControlStore) -> None:
    await promote(store)
    reviewed = Rules(approvals=1)
    for draft in (a_draft(), a_draft("ab", Arm("wk1-a", 0.3), Arm("wk1-b", 0.3))):
        with pytest.raises(NotCleared, match="it needs one person to approve"):
            await store.rollouts.start(draft, reviewed)
    assert len(await history(store)) == 1
    assert (await store.rollouts.start(a_draft("shadow", Arm(CANDIDATE, 0.1)), reviewed)).state == "running"


async def test_in_a_freeze_nothing_begins_or_grows_and_everything_can_be_taken_back(
    store: ControlStore, running: RolloutRow
) -> None:
    await store.freezes.begin("production", "support", by="ben", reason="audit")
    for turn in (widened(running, ANA), concluded(running, CANDIDATE, ANA)):
        with pytest.raises(Frozen, match="frozen for support by ben"):
            await store.rollouts.take(running, turn, NOBODY)
    assert await store.rollouts.get(running.id) == running
    back = await store.rollouts.take(running, taken_back(running, ANA), NOBODY)
    assert back is not None and back.state == "rolled_back"
    with pytest.raises(NotCleared, match="frozen"):
        await store.rollouts.start(a_draft(), FREE)


async def test_a_second_rollout_of_the_same_place_is_refused(store: ControlStore, running: RolloutRow) -> None:
    with pytest.raises(RolloutRuns, match=running.id):
        await store.rollouts.start(a_draft("ab", Arm("wk1-other", 0.5)), FREE)
    assert [row.id for row in await store.rollouts.active()] == [running.id]


async def test_of_two_that_are_started_at_once_one_runs(store: ControlStore) -> None:
    await promote(store)
    results = await asyncio.gather(
        *(store.rollouts.start(a_draft("canary", Arm(f"wk1-{name}", 0.05)), FREE) for name in "abcd"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, RolloutRow) for result in results) == 1
    assert all(isinstance(result, RolloutRow | RolloutRuns | Overtaken) for result in results)
    assert len(await history(store)) == 2


async def test_another_rollout_can_be_started_as_soon_as_somebody_has_promoted_over_the_first(
    store: ControlStore, running: RolloutRow
) -> None:
    await promote(store, "wk1-hotfix")
    later = await store.rollouts.start(a_draft(), FREE)
    assert (await store.rollouts.get(running.id)).state == "stopped"
    assert later.baseline == "wk1-hotfix"


async def test_a_step_is_written_with_its_row_of_the_history(
    store: ControlStore, running: RolloutRow, clock: FakeClock
) -> None:
    clock.advance(600)
    taken = await store.rollouts.take(running, widened(running, ANA), NOBODY)
    assert taken is not None
    standing = (await history(store))[-1]
    assert (standing.kind, standing.release) == ("canary_step", STANDING)
    assert standing.rollout is not None and standing.rollout.arms == (Arm(CANDIDATE, 0.5),)
    assert (taken.step, taken.arms, taken.standing) == (1, (Arm(CANDIDATE, 0.5),), 3)
    assert taken.step_at == standing.effective_at > running.step_at


async def test_the_last_step_makes_the_candidate_live_for_everybody(store: ControlStore, running: RolloutRow) -> None:
    half = await store.rollouts.take(running, widened(running, ANA), NOBODY)
    assert half is not None
    done = await store.rollouts.take(half, widened(half, ANA), NOBODY)
    assert done is not None
    standing = (await history(store))[-1]
    assert (standing.kind, standing.release, standing.rollout) == ("canary_done", CANDIDATE, None)
    assert (done.state, done.is_active, done.outcome) == ("done", False, "it looks good")
    assert done.ended_at is not None and await store.rollouts.active() == []


async def test_of_two_keepers_that_decide_the_same_one_acts(store: ControlStore, running: RolloutRow) -> None:
    alert = AlertDraft(kind="rollout", key=running.id, severity="warning", title="was rolled back", text="...")
    turn = replace(taken_back(running, ANA), alert=alert)
    results = await asyncio.gather(*(store.rollouts.take(running, turn, NOBODY) for _ in range(5)))
    assert sum(result is not None for result in results) == 1
    assert [row.kind for row in await history(store)] == ["promote", "canary_start", "canary_back"]
    assert len(await store.alerts.list_alerts(kind="rollout")) == 1
    assert len(await store.rollouts.looks(running.id)) == 1


async def test_a_decision_that_cannot_be_written_whole_is_not_written_at_all(
    store: ControlStore, running: RolloutRow
) -> None:
    turn = replace(taken_back(running, ANA), evidence={"what no database takes": object()})
    with pytest.raises(Exception, match="not JSON serializable"):
        await store.rollouts.take(running, turn, NOBODY)
    assert await store.rollouts.get(running.id) == running
    assert [row.kind for row in await history(store)] == ["promote", "canary_start"]


async def test_a_candidate_that_was_promoted_over_is_not_brought_back(store: ControlStore, running: RolloutRow) -> None:
    await promote(store, "wk1-hotfix", kind="rollback")
    with pytest.raises(Overtaken):
        await store.rollouts.take(running, widened(running, ANA), NOBODY)
    assert await store.rollouts.overtaken(running)
    ended = await store.rollouts.get(running.id)
    assert (ended.state, ended.outcome) == ("stopped", "ana made something else live: rollback.")
    assert [row.release for row in await history(store)][-1] == "wk1-hotfix"


async def test_a_rollout_in_force_is_not_overtaken(store: ControlStore, running: RolloutRow) -> None:
    assert not await store.rollouts.overtaken(running)
    assert (await store.rollouts.get(running.id)).state == "running"


async def test_a_paused_rollout_keeps_its_share_and_goes_on_with_fresh_figures(
    store: ControlStore, running: RolloutRow, clock: FakeClock
) -> None:
    paused = await store.rollouts.take(running, turned(running, "pause", ANA), NOBODY)
    assert paused is not None and (paused.state, paused.arms, paused.step_at) == (
        "paused",
        running.arms,
        running.step_at,
    )
    clock.advance(60)
    resumed = await store.rollouts.take(paused, turned(paused, "resume", ANA), NOBODY)
    assert resumed is not None and resumed.state == "running" and resumed.step_at > running.step_at
    assert [row.kind for row in await history(store)][2:] == ["canary_pause", "canary_resume"]
    assert [look.decision for look in await store.rollouts.looks(running.id)] == ["by hand", "by hand"]


async def test_a_stopped_rollout_leaves_what_stood(store: ControlStore, running: RolloutRow) -> None:
    stopped = await store.rollouts.take(running, turned(running, "stop", ANA), NOBODY)
    assert stopped is not None and stopped.state == "stopped"
    standing = (await history(store))[-1]
    assert (standing.kind, standing.release, standing.rollout) == ("canary_stop", STANDING, None)
    for verb in ("pause", "resume", "stop", "widen"):
        with pytest.raises(RolloutOver, match="has ended"):
            turned(stopped, verb, ANA)


async def test_a_test_is_concluded_with_any_of_its_releases_and_no_other(store: ControlStore) -> None:
    await promote(store)
    plan = Plan((Guard("errors", 0.01),), (Step(0.6, 0, 0),), goal="cost")
    running = await store.rollouts.start(a_draft("ab", Arm("wk1-a", 0.3), Arm("wk1-b", 0.3), plan=plan), FREE)
    with pytest.raises(TurnImpossible, match="It tries wk1-standing, wk1-a, wk1-b"):
        concluded(running, "wk1-c", ANA)
    with pytest.raises(TurnImpossible, match="no further step"):
        turned(running, "widen", ANA)
    done = await store.rollouts.take(running, concluded(running, "wk1-b", ANA), NOBODY)
    assert done is not None and done.state == "done"
    assert [(row.kind, row.release) for row in await history(store)][1:] == [
        ("ab_start", STANDING),
        ("ab_done", "wk1-b"),
    ]


async def test_a_shadow_has_no_winner_and_no_pause(store: ControlStore) -> None:
    await promote(store)
    running = await store.rollouts.start(a_draft("shadow", Arm(CANDIDATE, 0.1)), FREE)
    with pytest.raises(TurnImpossible, match="release promote support"):
        concluded(running, CANDIDATE, ANA)
    with pytest.raises(TurnImpossible, match="nobody is served by"):
        turned(running, "pause", ANA)


async def test_what_is_slow_is_settled_once(store: ControlStore, running: RolloutRow, clock: FakeClock) -> None:
    clock.advance(30)
    settled = await store.rollouts.settle_slow(running, 1234.5, begins_step=True)
    assert settled is not None and settled.settings.slow_ms == 1234.5 and settled.step_at > running.step_at
    assert await store.rollouts.settle_slow(running, 99.0, begins_step=False) is None


async def test_looks_are_kept_for_a_year_and_a_month_after_the_end(
    store: ControlStore, running: RolloutRow, clock: FakeClock
) -> None:
    await store.rollouts.note_look(running, "continue", {"reason": "it bakes"})
    assert [look.decision for look in await store.rollouts.looks(running.id)] == ["continue"]
    assert await store.rollouts.looks(running.id, only_decided=True) == []
    await store.rollouts.take(running, turned(running, "stop", ANA), NOBODY)
    clock.advance(399 * 86_400)
    await store.rollouts.forget()
    assert len(await store.rollouts.looks(running.id)) == 2
    clock.advance(2 * 86_400)
    await store.rollouts.forget()
    assert await store.rollouts.looks(running.id) == []
    assert (await store.rollouts.get(running.id)).state == "stopped"


async def test_rollouts_are_listed_the_newest_first(store: ControlStore, running: RolloutRow, clock: FakeClock) -> None:
    await store.rollouts.take(running, turned(running, "stop", ANA), NOBODY)
    clock.advance(60)
    second = await store.rollouts.start(a_draft(), FREE)
    assert [row.id for row in await store.rollouts.list_rollouts("support")] == [second.id, running.id]
    assert [row.id for row in await store.rollouts.list_rollouts(only_active=True)] == [second.id]
    assert await store.rollouts.list_rollouts("other") == []
    with pytest.raises(RolloutUnknown):
        await store.rollouts.get("rollout-0")
