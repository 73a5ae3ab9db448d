"""Cost by any dimensions equals what an independent sum over the calls says, to the nano-dollar."""

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import clickhouse_connect
import pytest
from tests.integration.store.billed import BERLIN, DAY_BEFORE_DST, DAYS, HOSTILE, Bill, billed_calls
from tests.integration.store.filled import batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.cost_rows import NO_SPEND, CostAnswer, CostScope, Dimension, Named, Spend, Step

DIMENSIONS: tuple[Dimension, ...] = (*get_args(Named), *get_args(Step))
PAIRS = list(itertools.combinations(DIMENSIONS, 2))
ALL = CostScope(since=DAY_BEFORE_DST, until=DAY_BEFORE_DST + timedelta(days=DAYS))
AMOUNTS = (
    "calls", "input_tokens", "output_tokens", "cached_tokens", "uncounted_calls", "cost_nusd", "estimated_nusd",
    "disputed_nusd", "estimated_calls", "unpriced_calls", "priced_tokens",
)  # fmt: skip


class Billed:
    """A store and what it should say."""

    def __init__(self, store: AnalyticsStore, bill: Bill, url: str) -> None:
        self.store = store
        self.bill = bill
        self.url = url

    def correct(self, call: Call, new_nusd: int, *, at: datetime) -> None:
        """Write a correction as another part of the program does."""
        client = clickhouse_connect.get_client(dsn=self.url)
        client.command(
            "INSERT INTO corrections SELECT {id:String}, {started:DateTime64(6)}, {at:DateTime64(6)}, NULL, "
            "{new:Int64}, 'a list', 'a reason', 'ana'",
            parameters={
                "id": call.id,
                "started": datetime.fromtimestamp(call.started_ns / 1e9, UTC),
                "at": at,
                "new": new_nusd,
            },
        )
        client.close()


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billed]:
    """Some hundred of the calls are corrected, some of them twice."""
    url = f"chdb://{tmp_path_factory.mktemp('cost')}/analytics"
    store = AnalyticsStore.open(url)
    found = Billed(store, Bill(billed_calls()), url)
    store.insert_calls(batch_of(found.bill.calls), token="all")
    dice = random.Random(3)
    now = ALL.until
    for call in dice.sample(found.bill.calls, 120):
        for _ in range(dice.choice((1, 1, 2))):
            now += timedelta(seconds=1)
            found.bill.corrections[call.id] = dice.randrange(10**9)
            found.correct(call, found.bill.corrections[call.id], at=now)
    yield found
    store.close()


def groups(answer: CostAnswer) -> dict[tuple[str, ...], Spend]:
    return {group.names: group.spend for group in answer.groups}


def added(*spends: Spend | None) -> tuple[int, ...]:
    return tuple(sum(getattr(spend, name) or 0 for spend in spends if spend is not None) for name in AMOUNTS)


@pytest.mark.parametrize("by", [(), *((one,) for one in DIMENSIONS), *PAIRS, DIMENSIONS], ids="-".join)
async def test_every_group_is_the_sum_of_its_calls(billed: Billed, by: tuple[Dimension, ...]) -> None:
    answer = await billed.store.cost.by(ALL, *by, tz=BERLIN)
    assert answer.total == billed.bill.total()
    assert groups(answer) == (billed.bill.by(*by, tz=BERLIN) if by else {})
    assert (answer.other, answer.other_groups) == (None, 0)


@pytest.mark.parametrize("by", [("subject",), ("tenant", "tag"), ("hour",)], ids="-".join)
async def test_the_dearest_come_first_and_the_rest_is_one_sum(billed: Billed, by: tuple[Dimension, ...]) -> None:
    expected = billed.bill.by(*by, tz=BERLIN)
    answer = await billed.store.cost.by(ALL, *by, tz=BERLIN, limit=7)
    costs = [group.spend.cost_nusd or 0 for group in answer.groups]
    assert costs == sorted((spend.cost_nusd or 0 for spend in expected.values()), reverse=True)[:7]
    assert answer.other_groups == len(expected) - 7
    assert added(*groups(answer).values(), answer.other) == added(*expected.values())


async def test_by_tag_a_call_counts_under_each_of_its_tags_and_in_the_total_once(billed: Billed) -> None:
    answer = await billed.store.cost.by(ALL, "tag")
    assert answer.total.calls == len(billed.bill.calls)
    assert sum(group.spend.calls for group in answer.groups) == sum(
        max(1, len(set(call.tags))) for call in billed.bill.calls
    )


async def test_the_hour_that_the_clocks_repeat_is_two_and_none_is_lost(billed: Billed) -> None:
    answer = await billed.store.cost.by(ALL, "hour", tz=BERLIN)
    hours = sorted(datetime.fromisoformat(group.names[0]).astimezone(UTC) for group in answer.groups)
    assert hours == [ALL.since + timedelta(hours=n) for n in range(48)]
    names = {group.names[0] for group in answer.groups}
    assert {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"} <= names
    day = await billed.store.cost.by(ALL, "day", tz=BERLIN)
    assert {group.names[0]: group.spend.calls for group in day.groups}["2026-10-25"] == len(
        [call for call in billed.bill.calls if local(call).date().isoformat() == "2026-10-25"]
    )


@pytest.mark.parametrize("tz", ["Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Kiritimati", "Australia/Lord_Howe"])
async def test_in_every_zone_the_hours_begin_by_its_clocks_and_add_up(billed: Billed, tz: str) -> None:
    answer = await billed.store.cost.by(ALL, "hour", tz=tz)
    assert groups(answer) == billed.bill.by("hour", tz=tz)
    assert added(*groups(answer).values()) == added(answer.total)
    moments = {datetime.fromisoformat(group.names[0]) for group in answer.groups}
    assert len(moments) == len(answer.groups) in (48, 49)


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_found_and_means_only_itself(billed: Billed, name: str) -> None:
    kinds: tuple[tuple[Named, Callable[[Call], bool]], ...] = (
        ("tenant", lambda call: call.tenant == name),
        ("session", lambda call: call.session == name),
        ("tag", lambda call: name in call.tags),
    )
    for dimension, holds in kinds:
        scope = CostScope(since=ALL.since, until=ALL.until, where=((dimension, name),))
        assert await billed.store.cost.total(scope) == billed.bill.chosen(holds).total()


async def test_conditions_are_or_within_a_dimension_and_and_between_them(billed: Billed) -> None:
    where: tuple[tuple[Named, str], ...] = (
        ("feature", "support"), ("feature", "search"), ("tag", ""), ("tag", "beta"), ("status", "ok"), ("release", ""),
    )  # fmt: skip
    expected = billed.bill.chosen(
        lambda call: (
            call.feature in ("support", "search")
            and (not call.tags or "beta" in call.tags)
            and call.status == "ok"
            and not call.release
        )
    )
    answer = await billed.store.cost.by(CostScope(since=ALL.since, until=ALL.until, where=where), "model", "tag")
    assert answer.total == expected.total()
    assert groups(answer) == expected.by("model", "tag")


async def test_the_beginning_is_in_a_period_and_the_end_is_not(billed: Billed) -> None:
    middle = datetime.fromtimestamp(billed.bill.calls[1000].started_ns // 1000 / 1e6, UTC)
    first = await billed.store.cost.total(CostScope(since=ALL.since, until=middle))
    second = await billed.store.cost.total(CostScope(since=middle, until=ALL.until))
    assert first == Bill(billed.bill.calls[:1000], billed.bill.corrections).total()
    assert second == Bill(billed.bill.calls[1000:], billed.bill.corrections).total()


@pytest.mark.parametrize("by", [(), ("feature",), ("tag", "hour")], ids="-".join)
async def test_a_period_without_calls_costs_nothing_and_has_no_groups(
    billed: Billed, by: tuple[Dimension, ...]
) -> None:
    empty = CostScope(since=ALL.until + timedelta(days=9), until=ALL.until + timedelta(days=10))
    answer = await billed.store.cost.by(empty, *by)
    assert (answer.total, answer.groups, answer.other) == (NO_SPEND, (), None)


async def test_calls_without_any_price_cost_an_unknown_amount_and_not_nothing(billed: Billed) -> None:
    later = CostScope(since=ALL.since + timedelta(days=30), until=ALL.until + timedelta(days=30))
    calls = billed_calls(20, since=later.since, seed=8)
    for call in calls:
        call.cost_nusd, call.cost_status = None, "unpriced"
    billed.store.insert_calls(batch_of(calls), token="unpriced")
    total = await billed.store.cost.total(later)
    assert (total.cost_nusd, total.unpriced_calls, total.priced_calls) == (None, 20, 0)


async def test_more_groups_than_memory_should_hold_are_answered_with_the_dearest(billed: Billed) -> None:
    """Two million people, each with a call: what does not fit is grouped on disk."""
    client = clickhouse_connect.get_client(dsn=billed.url)
    client.command(
        "INSERT INTO calls (id, started_at, stored_at, subject, session, status, cost_nusd, cost_status) "
        "SELECT leftPad(toString(number), 26, '0'), toDateTime64('2027-03-01 12:00:00', 6, 'UTC') + number / 100, "
        "now64(6), concat('sub_', hex(sipHash64(number))), hex(sipHash128(number)), 'ok', number, 'measured' "
        "FROM numbers(2000000)"
    )
    client.close()
    scope = CostScope(since=datetime(2027, 3, 1, tzinfo=UTC), until=datetime(2027, 3, 2, tzinfo=UTC))
    answer = await billed.store.cost.by(scope, "subject", "session", "hour", limit=20)
    assert [group.spend.cost_nusd for group in answer.groups] == list(range(1_999_999, 1_999_979, -1))
    assert answer.other_groups == 1_999_980
    assert answer.total.cost_nusd == sum(range(2_000_000))


def local(call: Call) -> datetime:
    return datetime.fromtimestamp(call.started_ns / 1e9, ZoneInfo(BERLIN))
