"""Feedback from the gateway to the sums by release: each once, on calls that its key may speak about."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.integration.control.recorded import a_call, record

from watchkeeper.core.call import Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.feedback import FeedbackEvent
from watchkeeper.core.ids import CallIds
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.feedback import KNOWN_OTHERWISE, UNKNOWN, WAIT, FeedbackDesk
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.spool.segment import CALL_RECORD, FEEDBACK_RECORD
from watchkeeper.spool.writer import SpoolWriter
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.cost_rows import CostScope
from watchkeeper.store.feedback import FeedbackFilter, FeedbackRow
from watchkeeper.testing import FakeClock

KEY = b"s" * 32
HOSTILE = "a'b\\\n\"{id:String}\x00ü"


class Office:
    """A store, a spool and a desk; each test has a feature of its own."""

    def __init__(self, analytics: AnalyticsStore, clock: FakeClock, spool: Path, feature: str) -> None:
        self.analytics = analytics
        self.clock = clock
        self.ids = CallIds(clock)
        self.feature = feature
        self.spool = spool
        self.drain = self.new_drain()
        self.desk = self.new_desk()
        self._count = 0

    def new_drain(self) -> Drain:
        pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
        return Drain(self.spool, KEY, self.analytics, pricer, clock=self.clock)

    def new_desk(self) -> FeedbackDesk:
        return FeedbackDesk(
            self.analytics.feedback, self.analytics.value, self.clock, taken_in=lambda: self.drain.feedback()
        )

    def call(self, **fields: object) -> Call:
        self.clock.advance(1.0)
        given = {"feature": self.feature, "release": "wk1-one", "key_id": "key-a", "tenant": ""} | fields
        return a_call(self.ids, self.clock, **given)

    def stored(self, **fields: object) -> Call:
        call = self.call(**fields)
        record(self.analytics, [call], token=call.id)
        return call

    def event(self, **fields: object) -> FeedbackEvent:
        self._count += 1
        values: dict[str, object] = {
            "entry": self.ids.next(),
            "id": f"f{self._count}",
            "received_ns": self.clock.unix_ns(),
            "key_id": "key-a",
            "feature": self.feature,
            "tenant": "",
            "score": 1.0,
        }
        return FeedbackEvent(**(values | fields))  # type: ignore[arg-type]  # a table of fields

    async def bring(self, *records: FeedbackEvent | Call, worker: str = "w0") -> None:
        """Put records on a worker's spool, as the gateway does."""
        spool = SpoolWriter(self.spool / worker, KEY, loop=asyncio.get_running_loop(), clock=self.clock)
        await spool.start()
        for one in records:
            kind = CALL_RECORD if isinstance(one, Call) else FEEDBACK_RECORD
            await spool.commit(kind, msgspec.msgpack.encode(one))
        await spool.close()

    def take_in(self) -> None:
        while self.drain.step():
            pass

    async def kept(self) -> list[FeedbackRow]:
        return await self.analytics.feedback.find(FeedbackFilter(feature=self.feature), limit=1_000)


@pytest.fixture(scope="module")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('feedback')}/analytics")
    yield store
    store.close()


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    # The inbox forgets by the store's own clock.
    return FakeClock(SystemClock().unix_ns())


@pytest.fixture
async def office(analytics: AnalyticsStore, clock: FakeClock, tmp_path: Path, request: pytest.FixtureRequest) -> Office:
    clock.advance(8 * 86_400.0)
    return Office(analytics, clock, tmp_path / "spool", request.node.name)


async def test_feedback_takes_release_and_environment_from_its_call(office: Office) -> None:
    call = office.call(environment="staging", session="s1", rollout="r1", tenant="acme")
    await office.bring(call, office.event(call_id=call.id, name="thumbs", score=0.5, label="up", comment="Danke ü"))
    office.take_in()
    await office.desk.look()
    (row,) = await office.kept()
    assert (row.call_id, row.session, row.feature, row.tenant) == (call.id, "s1", office.feature, "acme")
    assert (row.release, row.environment, row.rollout, row.by) == ("wk1-one", "staging", "r1", "key:key-a")
    assert (row.name, row.score, row.label, row.comment) == ("thumbs", 0.5, "up", "Danke ü")
    assert office.drain.status()["stored"] == 2
    assert office.desk.status() == {"waiting": 0, "kept": 1, "refused": {}}


async def test_feedback_that_comes_before_its_call_waits_for_it(office: Office) -> None:
    call = office.call()
    await office.bring(office.event(call_id=call.id))
    office.take_in()
    await office.desk.look()
    assert (await office.kept(), office.desk.status()["waiting"]) == ([], 1)
    await office.bring(call, worker="w1")
    office.take_in()
    await office.desk.look()
    assert [row.call_id for row in await office.kept()] == [call.id]


async def test_feedback_on_nothing_is_refused_after_a_while_and_forgotten(office: Office) -> None:
    await office.bring(office.event(call_id=office.ids.next()), office.event(session="nobody's"))
    office.take_in()
    await office.desk.look()
    office.clock.advance(WAIT.total_seconds())
    await office.desk.look()
    assert office.desk.status() == {"waiting": 0, "kept": 0, "refused": {UNKNOWN: 2}}
    await office.new_desk().look()
    assert await office.kept() == []


@pytest.mark.parametrize(
    ("call", "key", "may"),
    [
        ({"key_id": "key-a", "feature": "other"}, {}, True),
        ({"key_id": "key-b"}, {}, True),
        ({"key_id": "key-b", "tenant": "acme"}, {}, True),
        ({"key_id": "key-b", "tenant": "acme"}, {"tenant": "acme"}, True),
        ({"key_id": "key-b", "tenant": "acme"}, {"tenant": "evil"}, False),
        ({"key_id": "key-b", "tenant": ""}, {"tenant": "evil"}, False),
        ({"key_id": "key-b", "feature": "other"}, {}, False),
    ],
)
async def test_a_key_speaks_about_calls_of_its_feature_and_tenant_only(
    office: Office, call: dict[str, object], key: dict[str, object], may: bool
) -> None:
    about = office.stored(**call)
    in_session = office.stored(**call | {"session": f"s-{about.id}"})
    on_call = office.event(call_id=about.id, **key)
    on_session = office.event(session=in_session.session, **key)
    await office.bring(on_call, on_session)
    office.take_in()
    office.clock.advance(WAIT.total_seconds())
    await office.desk.look()
    assert office.desk.status()["kept"] == (2 if may else 0)
    assert office.desk.status()["refused"] == ({} if may else {UNKNOWN: 2})


async def test_the_session_of_another_tenant_does_not_stand_in_the_way(office: Office) -> None:
    office.stored(session="same name", tenant="acme", key_id="k1", release="wk1-acme")
    office.stored(session="same name", tenant="other", key_id="k2", release="wk1-other")
    await office.bring(office.event(session="same name", key_id="k3", tenant="acme"))
    office.take_in()
    await office.desk.look()
    assert [(row.tenant, row.release) for row in await office.kept()] == [("acme", "wk1-acme")]


async def test_the_same_id_is_the_same_feedback_however_often_it_comes(office: Office) -> None:
    call = office.stored()
    first = office.event(id=HOSTILE, call_id=call.id, comment=HOSTILE, value_milli=1_000)
    again = msgspec.structs.replace(first, entry=office.ids.next())
    otherwise = msgspec.structs.replace(first, entry=office.ids.next(), score=0.0)
    await office.bring(first, again, otherwise)
    office.take_in()
    await office.desk.look()
    assert [(row.id, row.comment, row.score) for row in await office.kept()] == [(HOSTILE, HOSTILE, 1.0)]
    assert office.desk.status() == {"waiting": 0, "kept": 2, "refused": {KNOWN_OTHERWISE: 1}}
    day = datetime.fromtimestamp(office.clock.unix_ns() / 1e9, UTC)
    scope = CostScope(since=day.replace(hour=0), until=day.replace(year=day.year + 1))
    assert (await office.analytics.value.units(scope))[office.feature].reported_milli == 1_000


async def test_a_death_at_any_moment_repeats_nothing_and_loses_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = office.stored()
    await office.bring(*(office.event(call_id=call.id, value_milli=1_000) for _ in range(3)))
    die_after_insert = True
    insert_calls = AnalyticsStore.insert_calls

    def inserting(self: AnalyticsStore, batch: CallBatch, *, token: str) -> None:
        insert_calls(self, batch, token=token)
        if die_after_insert:
            raise OSError("killed")

    monkeypatch.setattr(AnalyticsStore, "insert_calls", inserting)
    office.drain.step()
    die_after_insert = False
    office.drain.close()
    office.drain = office.new_drain()
    office.take_in()
    sort_out = type(office.analytics.feedback).sort_out

    async def dying(*_: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(type(office.analytics.feedback), "sort_out", dying)
    with pytest.raises(OSError, match="killed"):
        await office.desk.look()
    monkeypatch.setattr(type(office.analytics.feedback), "sort_out", sort_out)
    await office.new_desk().look()
    assert len(await office.kept()) == 3
    assert await office.analytics.feedback.waiting(_now(office), limit=10) == []


async def test_a_key_that_speaks_of_calls_that_never_come_holds_up_nobody_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeeper.ingest.feedback.BATCH", 20)
    call = office.stored(key_id="key-b")
    flood = [office.event(call_id=office.ids.next()) for _ in range(30)]
    await office.bring(*flood, office.event(call_id=call.id, key_id="key-b"))
    office.take_in()
    await office.desk.look()
    assert [row.by for row in await office.kept()] == ["key:key-b"]
    await office.bring(*(office.event(call_id=call.id, key_id="key-b") for _ in range(5)))
    office.take_in()
    for _ in range(3):
        await office.desk.look()
    assert len(await office.kept()) == 6
    office.clock.advance(WAIT.total_seconds())
    for _ in range(16):
        await office.desk.look()
    assert office.desk.status()["refused"] == {UNKNOWN: 30}


async def test_an_unreadable_record_is_rejected_by_name(office: Office) -> None:
    spool = SpoolWriter(office.spool / "w0", KEY, loop=asyncio.get_running_loop(), clock=office.clock)
    await spool.start()
    await spool.commit(FEEDBACK_RECORD, b"\xc1")
    await spool.commit(FEEDBACK_RECORD, msgspec.msgpack.encode(office.event(value_milli=2**63)))
    await spool.close()
    office.take_in()
    assert office.drain.status()["rejected"] == {"undecodable": 2}


async def test_feedback_is_summed_by_release(office: Office) -> None:
    calls = [office.stored(release="wk1-one"), office.stored(release="wk1-two", environment="staging")]
    rows = [
        replace(
            _row(office, calls[number % 2]), id=str(number), score=score, label=label, value_milli=value, name="thumbs"
        )
        for number, (score, label, value) in enumerate(
            [(1.0, "up", None), (None, "down", None), (0.0, "up", 500), (0.25, "", None), (0.5, "down", None)]
        )
    ]
    assert [is_new for _, is_new in await office.analytics.feedback.add([*rows, rows[0]])] == [True] * 5 + [False]
    one, two = await office.analytics.feedback.by_release(FeedbackFilter(feature=office.feature))
    assert (one.release, one.environment, one.name, one.count, one.scored) == ("wk1-one", "production", "thumbs", 3, 3)
    assert (one.score_mean, one.labels, one.value_milli) == (0.5, {"down": 1, "up": 2}, 500)
    assert one.score_deviation == pytest.approx(0.5)
    assert (two.release, two.environment, two.scored, two.score_mean, two.score_deviation) == (
        "wk1-two", "staging", 1, 0.25, None,
    )  # fmt: skip
    assert two.labels == {"down": 1}
    chosen = FeedbackFilter(feature=office.feature, label="down", since=_now(office).replace(year=2000))
    assert {row.id for row in await office.analytics.feedback.find(chosen, limit=9)} == {"1", "4"}


def _now(office: Office) -> datetime:
    return datetime.fromtimestamp(office.clock.unix_ns() / 1e9, UTC)


def _row(office: Office, call: Call) -> FeedbackRow:
    return FeedbackRow(
        id="", at=_now(office), call_id=call.id, session="", feature=office.feature, tenant="", release=call.release,
        environment=call.environment, rollout="", name="rating", score=None, label="", comment="", value_milli=None,
        by="local",
    )  # fmt: skip
