"""What routing, a breaker, retries and the cache take, what a hit in the cache saves, and what translation costs."""

import contextlib
import time
from collections.abc import Callable

from bench import calls, machine
from bench.figure import Figure, Settings, Target, median
from bench.gateway import CACHED, ROUTED, gateway, swept_spool
from bench.nginx import static_reply
from bench.wrk import Load, run_wrk
from watchkeeper.gateway.dialects import DIALECTS
from watchkeeper.gateway.streams import TranslatedStream
from watchkeeper.gateway.surfaces import ROOMS
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room

CONNECTIONS = 64
ROUNDS = 5
ROUTED_AT_LEAST = 0.8
HIT_AT_LEAST = 1.5
PLAIN_BELOW_US = 60.0
CHUNK_BELOW_US = 8.0


def measure(settings: Settings) -> list[Figure]:
    """Alternate between a bare route, one with everything on, and hits in the cache; time the translations alone."""
    return [*_throughput(settings), *_translation(settings)]


def _throughput(settings: Settings) -> list[Figure]:
    rounds, seconds = settings.pick(ROUNDS, 1), settings.pick(8, 2)
    scratch = settings.scratch / "routing"
    kinds = {"bare": (calls.MODEL, False), "routed": (ROUTED, True), "hit": (CACHED, False)}
    found: dict[str, list[Load]] = {kind: [] for kind in kinds}
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        upstream = enter(static_reply(scratch / "upstream", calls.reply_body(), core=machine.LOAD_CORE))
        worker = enter(gateway(scratch / "on", upstream, records=True, core=machine.SERVED_CORE))
        enter(swept_spool(worker))
        for number in range(rounds + 1):
            for kind, (model, varies) in kinds.items():
                load = run_wrk(
                    scratch,
                    worker.port,
                    worker.key,
                    connections=CONNECTIONS,
                    seconds=seconds if number else 1,
                    model=model,
                    varies=varies,
                )
                if number:
                    found[kind].append(load)
    rates = {kind: [load.calls_per_s for load in loads] for kind, loads in found.items()}
    rows = [Figure(name="a bare route", value=median(rates["bare"]), unit="calls/s", note=_trouble(found["bare"]))]
    for kind, limit, what in (
        ("routed", ROUTED_AT_LEAST, "weights, breaker, retries armed, exact cache on and always missed"),
        ("hit", HIT_AT_LEAST, "answered from the cache"),
    ):
        share = median([one / bare for one, bare in zip(rates[kind], rates["bare"], strict=True)])
        rows.append(
            Figure(
                name=f"calls/s, {what}",
                value=share,
                unit="x bare",
                target=Target("at least", limit),
                note=f"{median(rates[kind]):,.0f} calls/s. {_trouble(found[kind])}".strip(),
                samples=rates,
            )
        )
    return rows


def _trouble(loads: list[Load]) -> str:
    return next((load.trouble for load in loads if load.trouble), "")


def _translation(settings: Settings) -> list[Figure]:
    times = settings.pick(20_000, 500)
    chat, messages = ROOMS["chat"], ROOMS["messages"]
    rows = []
    for room, dialect, request, reply, chunk in (
        (chat, "anthropic", calls.request_body(), _MESSAGE, _MESSAGE_CHUNK),
        (messages, "openai", calls.messages_body(), calls.reply_body(), _CHAT_CHUNK),
    ):
        way = f"{room.surface} to {dialect}"
        plain = _timed(lambda r=room, d=dialect, q=request, a=reply: _plain(r, d, q, a), times)  # type: ignore[misc]  # bound at once
        chunks = _timed_chunk(room, dialect, chunk, times)
        rows += [
            Figure(
                name=f"translation of a plain call, {way}",
                value=plain,
                unit="us",
                target=Target("below", PLAIN_BELOW_US),
                note="Request read and written, reply read and written; 1 KB each. The best of five.",
            ),
            Figure(
                name=f"translation of a stream's chunk, {way}",
                value=chunks,
                unit="us",
                target=Target("below", CHUNK_BELOW_US),
                note="Read and written. The best of five.",
            ),
        ]
    return rows


_MESSAGE = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"'
    + b"All work and no play makes a dull reply. " * 18
    + b'"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":250,"output_tokens":200}}'
)
_MESSAGE_CHUNK = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}\n\n'
)
_CHAT_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}\n\n'
)
_FRAME = ReplyFrame("01BENCH", 1, False, b"{}")


def _plain(room: Room, dialect: str, request: bytes, reply: bytes) -> None:
    translation = room.translation
    assert translation is not None
    spoken = DIALECTS[dialect]
    spoken.request_body(translation.prompt_of(request), "m")
    translation.reply_body(spoken.completion_of(reply), _FRAME)


def _timed_chunk(room: Room, dialect: str, chunk: bytes, times: int) -> float:
    translation = room.translation
    assert translation is not None
    stream = TranslatedStream(DIALECTS[dialect].event_reader(), translation.event_writer(_FRAME))
    if dialect == "anthropic":
        start = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        stream.feed(start + b'"content_block":{"type":"text","text":""}}\n\n')
    return _timed(lambda: stream.feed(chunk), times)


def _timed(act: Callable[[], object], times: int) -> float:
    """Return microseconds for one, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        began_at = time.perf_counter()
        for _ in range(times):
            act()
        best = min(best, time.perf_counter() - began_at)
    return best / times * 1e6
