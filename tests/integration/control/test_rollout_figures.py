"""The figures of a rollout's arms are what a plain loop over the same calls comes to."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from tests.integration.control.served import FEATURE, Clients, Quality
from tests.integration.store.filled import batch_of

from watchkeeper.core.call import Call
from watchkeeper.releases.sequential import Sums
from watchkeeper.releases.standing import Arm, Rollout, Sticky
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.feedback import FeedbackRow
from watchkeeper.store.rollout_figures import Followed
from watchkeeper.testing import FakeClock

STANDING, CANDIDATE = "wk1-standing", "wk1-candidate"
ROLLOUT = Rollout("rollout-1", "canary", (Arm(CANDIDATE, 0.2),))
SHADOW = Rollout("rollout-2", "shadow", (Arm(CANDIDATE, 1.0),))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SLOW_MS = 1_500.0
CALLS = 4_000


def of(rollout: Rollout) -> Followed:
    return Followed(rollout=rollout.id, feature=FEATURE, environment="production", since=BEGAN)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """A fifth of the people get the candidate; what a rollout must not count is among the calls."""
    clock = FakeClock()
    clients = Clients(clock)
    qualities = {STANDING: Quality(failed_parses=0.01), CANDIDATE: Quality(errors=0.1, failed_parses=0.05)}
    found = []
    for number, call in enumerate(islice(clients.call(ROLLOUT, STANDING, qualities, subjects=300), CALLS)):
        clock.advance(0.5)
        match number % 40:
            case 0:
                call.status, call.error_class = "error", "budget_exceeded"
            case 1:
                call.status = "cancelled"
            case 2:
                call.served_from, call.cost_nusd = "cache", 0
            case 3:
                call.cost_nusd, call.cost_status = None, "unpriced"
            case 4:
                call.origin = "replay"
            case 5:
                call.environment = "staging"
            case 6:
                call.rollout = "rollout-0"
            case 7:
                call.started_ns -= 3_600_000_000_000
            case _:
                pass
        found.append(call)
    return found


@pytest.fixture(scope="module")
def copies(calls: list[Call]) -> list[Call]:
    """Calls of clients with copies under the candidate, of which every fifth says something else."""
    clock = FakeClock()
    clock.advance(5)
    clients, found = Clients(clock, seed=2), []
    for number in range(100):
        own = clients.one(STANDING, Quality(errors=0), rollout=SHADOW.id, subject="sub_1")
        copy = clients.one(
            CANDIDATE,
            Quality(errors=0, cost_nusd=1_000_000),
            rollout=SHADOW.id,
            subject="sub_1",
            origin="shadow",
            of=own.id,
        )
        if number % 5 == 0:
            copy.response_body = copy.response_body.replace(b"It is on its way", b"I do not know")
        if number == 1:
            copy.status = "error"
        found += [own, copy]
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[Call], copies: list[Call]) -> Iterator[AnalyticsStore]:
    opened = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('store')}/analytics")
    opened.insert_calls(batch_of([*calls, *copies]), token="all")
    yield opened
    opened.close()


def counted(calls: list[Call], release: str, *, by_subject: bool) -> dict[str, Sums]:
    """Add up by hand."""
    units: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        is_meant = call.origin == "client" and call.environment == "production" and call.rollout == ROLLOUT.id
        is_counted = call.status == "ok" or (call.status == "error" and call.error_class == "upstream_error")
        if not is_meant or not is_counted or call.release != release or call.started_ns < BEGAN.timestamp() * 1e9:
            continue
        unit = units[call.subject if by_subject else call.id]
        unit["errors"].append(float(call.status == "error"))
        unit["parse_failures"].append(float(call.output_status == "failed"))
        if call.status == "ok" and call.served_from == "upstream":
            unit["latency"].append(float(round(call.duration_ms, 3) > SLOW_MS))
            if call.cost_nusd is not None:
                unit["cost"].append(float(call.cost_nusd))
    return {name: added_up([unit[name] for unit in units.values() if unit[name]]) for name in
            ("errors", "parse_failures", "latency", "cost")}  # fmt: skip


def added_up(units: list[list[float]]) -> Sums:
    return Sums(
        len(units),
        sum(map(len, units)),
        sum(map(sum, units)),
        sum(sum(unit) ** 2 for unit in units),
        sum(len(unit) ** 2 for unit in units),
        sum(sum(unit) * len(unit) for unit in units),
    )


@pytest.mark.parametrize("sticky", ["subject", "call"])
async def test_figures_are_those_of_a_plain_loop(store: AnalyticsStore, calls: list[Call], sticky: Sticky) -> None:
    now = BEGAN + timedelta(hours=1)
    found = await store.rollouts.arms(of(ROLLOUT), now=now, sticky=sticky, slow_ms=SLOW_MS, feedback=True)
    assert set(found) == {STANDING, CANDIDATE}
    for release, figures in found.items():
        expected = counted(calls, release, by_subject=sticky == "subject")
        assert figures.calls == expected["errors"].count
        for name, sums in figures.sums.items():
            assert (sums.units, sums.count) == (expected[name].units, expected[name].count)
            assert sums.total == pytest.approx(expected[name].total)
            assert sums.squared_totals == pytest.approx(expected[name].squared_totals)
            assert sums.squared_counts == pytest.approx(expected[name].squared_counts)
            assert sums.cross == pytest.approx(expected[name].cross)


async def test_scores_are_added_up_by_how_far_they_stay_below_the_best(
    store: AnalyticsStore, calls: list[Call]
) -> None:
    given = [(call, score) for call, score in zip(calls, (1.0, 0.25, None, 0.0) * 50, strict=False)]
    rows = [
        FeedbackRow(
            id=call.id, at=BEGAN + timedelta(minutes=5), call_id=call.id, session="", feature=FEATURE, tenant="",
            release=call.release, environment="production", rollout=ROLLOUT.id, name="stars", score=score, label="",
            comment="", value_milli=None, by="local",
        )
        for call, score in given
    ]  # fmt: skip
    rows.append(replace(rows[0], id="another rollout's", rollout="rollout-0"))
    rows.append(replace(rows[0], id="before the step", at=BEGAN - timedelta(minutes=5)))
    await store.feedback.add(rows)
    found = await store.rollouts.arms(
        of(ROLLOUT), now=BEGAN + timedelta(hours=1), sticky="subject", slow_ms=None, feedback=True
    )
    for release, figures in found.items():
        lost = [1 - score for call, score in given if call.release == release and score is not None]
        sums = figures.sums["feedback"]
        assert sums.count == len(lost)
        assert sums.total == pytest.approx(sum(lost))
        assert sums.squared_totals == pytest.approx(sum(one**2 for one in lost))


async def test_people_who_have_not_called_for_ten_minutes_are_not_recent(store: AnalyticsStore) -> None:
    ended = BEGAN + timedelta(seconds=CALLS / 2)
    soon = await store.rollouts.arms(of(ROLLOUT), now=ended, sticky="subject", slow_ms=None, feedback=False)
    later = await store.rollouts.arms(
        of(ROLLOUT), now=ended + timedelta(minutes=11), sticky="subject", slow_ms=None, feedback=False
    )
    assert 0 < soon[CANDIDATE].recent_units <= soon[CANDIDATE].units
    assert later[CANDIDATE].recent_units == 0
    assert "latency" not in soon[CANDIDATE].sums


async def test_only_what_was_called_since_the_step_began_counts(store: AnalyticsStore) -> None:
    late = replace(of(ROLLOUT), since=BEGAN + timedelta(seconds=CALLS / 4))
    now = BEGAN + timedelta(hours=1)
    whole = await store.rollouts.arms(of(ROLLOUT), now=now, sticky="call", slow_ms=None, feedback=False)
    half = await store.rollouts.arms(late, now=now, sticky="call", slow_ms=None, feedback=False)
    assert half[STANDING].calls == pytest.approx(whole[STANDING].calls / 2, rel=0.1)


async def test_how_slow_is_slow_is_read_from_the_answers_of_the_standing_release(
    store: AnalyticsStore, calls: list[Call]
) -> None:
    count, slow_ms = await store.rollouts.slow_from(
        FEATURE, "production", STANDING, BEGAN - timedelta(days=1), BEGAN + timedelta(days=1)
    )
    assert count > 2_000 and slow_ms is not None
    answers = [call.duration_ms for call in calls if call.release == STANDING and call.status == "ok"]
    assert sum(one > slow_ms for one in answers) / len(answers) == pytest.approx(0.05, abs=0.01)
    unknown = await store.rollouts.slow_from(FEATURE, "production", "wk1-other", BEGAN, BEGAN + timedelta(days=1))
    assert unknown == (0, None)


async def test_details_name_errors_by_class_and_money_with_its_status(store: AnalyticsStore) -> None:
    standing, candidate = sorted(await store.rollouts.details(of(ROLLOUT)), key=lambda one: -one.calls)
    assert (standing.release, candidate.release) == (STANDING, CANDIDATE)
    assert set(standing.errors) == {"upstream_error", "budget_exceeded"}
    assert standing.unpriced > 0 and standing.nusd > 0
    assert standing.p50_ms is not None and standing.p95_ms is not None and standing.p50_ms < standing.p95_ms


async def test_copies_are_compared_with_the_calls_they_copy(store: AnalyticsStore, copies: list[Call]) -> None:
    found = await store.rollouts.pairs(of(SHADOW))
    assert (found.pairs, found.both_answered, found.only_own_answered) == (100, 99, 1)
    assert found.same == 79
    assert found.own_nusd == sum(call.cost_nusd or 0 for call in copies[::2])
    assert found.copy_nusd == sum(call.cost_nusd or 0 for call in copies[1::2])
    differing = await store.rollouts.differences(of(SHADOW), limit=3)
    assert differing == tuple((copies[at].id, copies[at + 1].id) for at in (190, 180, 170))
    assert [one.is_shadow for one in await store.rollouts.details(of(SHADOW))] == [False, True]


async def test_a_rollout_without_calls_has_no_arms(store: AnalyticsStore) -> None:
    none = replace(of(ROLLOUT), rollout="rollout-9")
    assert await store.rollouts.arms(none, now=BEGAN, sticky="call", slow_ms=None, feedback=True) == {}
    assert (await store.rollouts.pairs(none)).pairs == 0
