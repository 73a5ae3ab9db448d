"""Every event reaches the store exactly once, whatever dies in between; nothing disappears without a name."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import clickhouse_connect
import msgspec
import pytest
from tests.integration.ingest import killed_keeper

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.ingest.rejected import DAMAGED_FRAME
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.spool.loss import Loss
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.segment import CALL_RECORD, LOSS_RECORD, Record
from watchkeeper.spool.writer import SpoolWriter
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.rows import CallDetail, CallFilter

KEY = killed_keeper.KEY
ROOT = Path(__file__).parents[3]
CLOCK = SystemClock()
IDS = CallIds(CLOCK)
QUESTION = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Where is my Refund, please?"}]}'
ANSWER = (
    b'{"choices":[{"index":0,"message":{"role":"assistant","content":"On its way."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":100}}'
)


def _call(**fields: object) -> Call:
    attempt = Attempt(
        number=1, provider="openai", model="gpt-4o-mini", dialect="openai", started_ms=0.1, http_status=200
    )
    values: dict[str, object] = {
        "id": IDS.next(),
        "started_ns": CLOCK.unix_ns(),
        "worker": "w0",
        "feature": "support",
        "route": "gpt-4o-mini",
        "http_status": 200,
        "attempts": [attempt],
        "usage": Usage(1000, output_text=100),
        "usage_status": "measured",
        "request_body": QUESTION,
        "request_bytes": len(QUESTION),
        "response_body": ANSWER,
        "response_bytes": len(ANSWER),
        "request_headers": [(b"user-agent", b"test")],
    }
    return Call(**(values | fields))  # type: ignore[arg-type]  # a table of fields


async def _write(folder: Path, payloads: list[bytes], *, kind: int = CALL_RECORD, frames: int = 1) -> None:
    spool = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=CLOCK)
    await spool.start()
    for part in range(frames):
        *others, last = payloads[part::frames]
        for payload in others:
            spool.append(kind, payload)
        await spool.commit(kind, last)
    await spool.close()


def _drain(spool: Path, store: object) -> Drain:
    pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
    return Drain(spool, KEY, store, pricer, clock=CLOCK)  # type: ignore[arg-type]  # fakes have what is used


async def _stored(tmp_path: Path, calls: list[Call]) -> list[CallDetail]:
    await _write(tmp_path / "spool" / "w0", [msgspec.msgpack.encode(call) for call in calls])
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    drain = _drain(tmp_path / "spool", store)
    while drain.step():
        pass
    found = [await store.call(call.id) for call in calls]
    store.close()
    return [detail for detail in found if detail is not None]


async def test_a_call_is_priced_read_and_found_by_its_words(tmp_path: Path) -> None:
    call = _call(tags=["beta"], metadata={"plan": "gold"}, chunk_offsets_us=b"")
    (found,) = await _stored(tmp_path, [call])
    assert (found.row.cost_nusd, found.row.cost_status) == (210_000, "measured")
    assert [(line.bucket, line.units, line.amount_nusd) for line in found.cost_lines] == [
        ("input_uncached", 1000, 150_000),
        ("output_text", 100, 60_000),
    ]
    assert found.price_source.endswith("openai/gpt-4o-mini")
    assert (found.row.input_preview, found.row.output_preview) == ("Where is my Refund, please?", "On its way.")
    assert (found.row.finish_reason, found.row.tags, found.metadata) == ("stop", ("beta",), {"plan": "gold"})
    assert (found.request_body, found.response_body) == (QUESTION, ANSWER)
    assert found.user_agent == "test"
    assert found.row.started_at.tzinfo is not None
    assert segments_of(tmp_path / "spool" / "w0") == []

    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    for search, count in (
        ("refund", 1),
        ("REFUND way", 1),
        ("ref", 0),
        ("refund nothing", 0),
        ("' OR 1=1 --", 0),
        ("?", 0),
    ):
        assert await store.count(CallFilter(search=search)) == count, search
    store.close()


async def test_what_cannot_be_priced_is_unpriced_and_never_free(tmp_path: Path) -> None:
    unknown = Attempt(number=1, provider="nobody", model="m", dialect="openai", started_ms=0.0, http_status=200)
    model = Attempt(
        number=1, provider="openai", model="no-such-model", dialect="openai", started_ms=0.0, http_status=200
    )
    found = await _stored(tmp_path, [_call(attempts=[unknown]), _call(attempts=[model])])
    assert [(detail.row.cost_nusd, detail.row.cost_status) for detail in found] == [(None, "unpriced")] * 2


async def test_bodies_that_are_not_text_come_back_byte_for_byte(tmp_path: Path) -> None:
    hostile = bytes(range(256)) * 3
    (found,) = await _stored(tmp_path, [_call(request_body=hostile, response_body=hostile, sent_body=hostile)])
    assert (found.request_body, found.response_body, found.sent_body) == (hostile, hostile, hostile)


async def test_what_cannot_be_read_is_counted_and_the_rest_is_stored(tmp_path: Path) -> None:
    call = _call()
    spool = tmp_path / "spool"
    await _write(spool / "w0", [b"\xc1 not a call", msgspec.msgpack.encode(call)])
    await _write(spool / "w0", [b"of the future"], kind=200)
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    drain = _drain(spool, store)
    while drain.step():
        pass
    assert drain.status()["rejected"] == {"undecodable": 1, "unknown_kind": 1}
    assert drain.status()["stored"] == 1
    assert await store.call(call.id) is not None
    store.close()


@pytest.mark.parametrize("at", [lambda size: size // 2, lambda size: size * 2 // 3, lambda size: size - 30])
async def test_a_damaged_segment_is_put_aside_and_the_others_go_on(tmp_path: Path, at: Callable[[int], int]) -> None:
    spool = tmp_path / "spool"
    calls = [_call() for _ in range(6)]
    payloads = [msgspec.msgpack.encode(call) for call in calls]
    await _write(spool / "w0", payloads[:4], frames=4)
    await _write(spool / "w0", payloads[4:])
    first = segments_of(spool / "w0")[0]
    damaged = bytearray(first.read_bytes())
    damaged[at(len(damaged))] ^= 1
    first.write_bytes(damaged)
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    drain = _drain(spool, store)
    while drain.step():
        pass
    assert sum(drain.status()["rejected"].values()) == 1
    assert len(list((spool / "rejected").glob("*.seg*"))) == 1
    assert await store.call(calls[0].id) is not None
    assert await store.call(calls[5].id) is not None
    store.close()


async def test_a_damaged_frame_costs_its_own_calls_and_no_others(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    calls = [_call() for _ in range(6)]
    await _write(spool / "w0", [msgspec.msgpack.encode(call) for call in calls], frames=3)
    (segment,) = segments_of(spool / "w0")
    reader = SegmentReader(segment, KEY)
    first, second = reader.read(), reader.read()
    assert first is not None
    assert second is not None
    damaged = bytearray(segment.read_bytes())
    damaged[second.after.offset - 1] ^= 1
    segment.write_bytes(damaged)
    store = _Forgetful()
    drain = _drain(spool, store)
    while drain.step():
        pass
    status = drain.status()
    assert (status["accepted"], status["stored"], status["rejected"]) == (6, 4, {"damaged_frame": 2})
    drain.close()
    kept = _kept(spool)
    assert [record.kind for record in kept] == [DAMAGED_FRAME]
    assert kept[0].payload in bytes(damaged)


async def test_what_was_rejected_is_kept_sealed(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    await _write(spool / "w0", [b"\xc1 of no use", b"\xc1 secret"])
    drain = _drain(spool, _Forgetful())
    while drain.step():
        pass
    drain.close()
    assert [record.payload for record in _kept(spool)] == [b"\xc1 of no use", b"\xc1 secret"]
    assert all(b"secret" not in path.read_bytes() for path in (spool / "rejected").iterdir())


async def test_a_segment_of_another_key_is_put_aside_whole(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    await _write(spool / "w0", [msgspec.msgpack.encode(_call())])
    (segment,) = segments_of(spool / "w0")
    content = segment.read_bytes()
    segment.rename(segment.with_name("9.seg"))  # the name is part of the key
    drain = _drain(spool, _Forgetful())
    while drain.step():
        pass
    drain.close()
    assert drain.status()["rejected"] == {"unreadable_segment": 1}
    assert (spool / "rejected" / "w0-9.seg.unreadable").read_bytes() == content


async def test_what_a_worker_had_to_drop_is_counted_with_the_rejected(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    await _write(spool / "w0", [msgspec.msgpack.encode(_call())])
    await _write(spool / "w0", [msgspec.msgpack.encode(Loss("spool_full", 7, 1, 2))], kind=LOSS_RECORD)
    for _ in range(2):  # the second drain is that of a keeper started later
        drain = _drain(spool, _Forgetful())
        while drain.step():
            pass
        drain.close()
        status = drain.status()
        assert (status["accepted"], status["stored"], status["rejected"]) == (8, 1, {"spool_full": 7})


async def test_numbers_that_no_column_holds_cost_their_call_and_not_the_batch(tmp_path: Path) -> None:
    calls = [_call(request_bytes=-1), _call(http_status=70_000), _call(), _call(usage=Usage(2**63))]
    found = await _stored(tmp_path, calls)
    assert [detail.row.id for detail in found] == [calls[2].id]


async def test_a_segment_is_kept_while_its_writer_lives_and_deleted_when_it_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "w0"
    spool = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=CLOCK)
    await spool.start()
    store = _Forgetful()
    drain = _drain(tmp_path / "spool", store)
    for _ in range(3):
        await spool.commit(CALL_RECORD, msgspec.msgpack.encode(_call()))
        assert drain.step() == 1
        assert drain.step() == 0
        assert drain.status()["waiting_bytes"] == 0
    assert len(segments_of(folder)) == 1
    await spool.close()
    while drain.step():
        pass
    drain.close()
    assert segments_of(folder) == []
    assert sum(len(ids) for ids in store.taken.values()) == 3


async def test_status_tells_what_waits_while_the_store_is_away(tmp_path: Path) -> None:
    await _write(tmp_path / "spool" / "w0", [msgspec.msgpack.encode(_call()) for _ in range(3)])
    store = _Forgetful()
    store.plan = ["fails before"] * 3
    drain = _drain(tmp_path / "spool", store)
    assert drain.step() == 0
    status = drain.status()
    assert (status["stored"], status["last_stored_at"], status["trouble"]) == (0, None, "OSError: away")
    assert status["waiting_bytes"] > 500
    drain.close()


def _kept(spool: Path) -> list[Record]:
    kept: list[Record] = []
    for path in segments_of(spool / "rejected"):
        reader = SegmentReader(path, KEY)
        while frame := reader.read():
            kept += frame.records
        reader.close()
    return kept


class _Forgetful:
    """A store that fails on command, before or after it has taken the batch in."""

    def __init__(self) -> None:
        self.taken: dict[str, list[str]] = {}
        self.plan: list[str] = []

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        fate = self.plan.pop(0) if self.plan else "takes"
        if fate == "fails before":
            raise OSError("away")
        self.taken.setdefault(token, batch.ids)
        if fate == "fails after":
            raise OSError("gone before it could say so")


@pytest.mark.parametrize("seed", range(10))
async def test_a_store_that_comes_and_goes_gets_every_call_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    calls = [_call() for _ in range(60)]
    spool = tmp_path / "spool"
    await _write(spool / "w0", [msgspec.msgpack.encode(call) for call in calls], frames=12)
    store = _Forgetful()
    store.plan = [chance.choice(["fails before", "fails after", "takes"]) for _ in range(20)]
    for _ in range(60):
        drain = _drain(spool, store)  # each step by a new process, as after a crash
        if not drain.step() and not drain.status()["trouble"]:
            break
        drain.close()
    taken = [call_id for ids in store.taken.values() for call_id in ids]
    assert sorted(taken) == sorted(call.id for call in calls)


def test_a_keeper_that_is_killed_at_any_moment_stores_every_call_once(tmp_path: Path) -> None:
    chance = random.Random(7)
    calls = [_call() for _ in range(1_000)]
    asyncio.run(_write(tmp_path / "spool" / "w0", [msgspec.msgpack.encode(call) for call in calls], frames=50))
    command = [sys.executable, "-m", "tests.integration.ingest.killed_keeper", str(tmp_path), "0"]
    for _ in range(5):
        keeper = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert keeper.stdout is not None
        keeper.stdout.readline()
        time.sleep(chance.random() * 0.15)
        keeper.send_signal(signal.SIGKILL)
        keeper.wait()
        keeper.stdout.close()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=60)
    client = clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/analytics")
    for table, column in (("calls", "id"), ("attempts", "call_id"), ("bodies", "call_id")):
        found = client.query(f"SELECT uniqExact({column}), count() FROM {table}").result_rows
        assert list(found) == [(1000, 1000)], table
    client.close()
