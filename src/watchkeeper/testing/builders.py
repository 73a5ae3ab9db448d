"""Finished calls as a busy product makes them: the same for the same seed, for tests, benchmarks and demonstrations."""

import json
import random
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from watchkeeper.core.call import Attempt, Call, CallStatus, ErrorClass
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.testing.clock import FakeClock

START_NS = 1_790_000_000_000_000_000
"""2026-09-21, the moment of the first call unless another is asked for."""

_VOCABULARY = """
account address again agree answer apply arrive ask balance bank because before begin bill book bring browser button
buy call cancel card change charge check city claim clear click close code collect come company complete confirm
connect contact contract copy correct cost country create credit customer date day decide delay delete deliver
delivery describe detail device different direct discount document door down draft early email empty end enter error
every exchange expect explain fail fast fee field file final find first follow form found free friend from full get
give goods group guide happen help history hold home hour house invoice issue item join keep kind know language
large last late learn leave letter limit line link list little login long look lose make manage match meet message
method minute missing money month more move much name need network never new next night note notice number offer
office old open option order other owner package page paper part partner pass pay payment people percent period
person phone pick place plan please point policy possible post present price print problem process product promise
prove question quick rate reach read ready reason receipt receive record refund refuse region remind remove renew
repair repeat replace report request reset return review right room rule sale save say screen search second see seem
select send service set setting share ship shop short show sign simple site size small solve some sort speak start
state status step still stop store street string subject submit such support sure system table take talk tax tell
term test text thank thing think ticket time title today together total track transfer travel try turn type under
until update use user value version visit wait want warranty watch way week while word work world write wrong year
zero
"""


class _Target(NamedTuple):
    route: str
    provider: str
    model: str
    nusd_in: int
    nusd_out: int
    """Nano-dollars for a token."""
    ms_per_token: float


_FEATURES = ("support", "search", "drafts", "extraction", "translation")
_TARGETS = (
    _Target("gpt-4o-mini", "openai", "gpt-4o-mini-2024-07-18", 150, 600, 9.0),
    _Target("support-chat", "anthropic", "claude-sonnet-4-5", 3_000, 15_000, 14.0),
    _Target("extract", "openai", "gpt-4.1", 2_000, 8_000, 11.0),
    _Target("smollm2-135m", "local", "smollm2-135m", 0, 0, 4.0),
)
_FAILURES: tuple[tuple[ErrorClass, int], ...] = (
    ("rate_limit", 429),
    ("timeout", 504),
    ("upstream_error", 502),
    ("content_policy", 400),
    ("broken_stream", 200),
)
_SUBJECTS = 200_000
_TENANTS = 60
_SENTENCES = 4_000
_SENTENCE_WORDS = 14
_SENTENCE_BYTES = 88
_CHARACTERS_PER_TOKEN = 4


def seeded_calls(
    count: int, seed: int = 1, *, start_ns: int = START_NS, length_s: float = 86_400.0, body_bytes: int = 2_000
) -> Iterator[Call]:
    """Yield calls in the order of their start, evenly spread over a stretch of time.

    Of a hundred, about thirty are streams, three fail, one is cancelled, four call a tool and two were tried twice.

    Args:
        count: How many.
        seed: The same seed and arguments give the same calls, byte for byte.
        start_ns: Unix time of the first.
        length_s: From the first call to the moment after the last.
        body_bytes: Request and response of a plain call together, about; a stream's events add three times its text.
    """
    dice = random.Random(seed)  # noqa: S311  drawn to be the same again, not to be secret
    clock = FakeClock()
    ids = CallIds(clock, random_bits=dice.getrandbits)
    writer = _Writer(dice, body_bytes)
    step_ns = max(1, int(length_s * 1e9) // max(1, count))
    for number in range(count):
        started_ns = start_ns + number * step_ns + dice.randrange(step_ns)
        clock.set_unix_ns(started_ns)
        yield writer.call(ids.next(), started_ns)


class _Writer:
    """Makes up one call after the other from one source of chance."""

    def __init__(self, dice: random.Random, body_bytes: int) -> None:
        self._dice = dice
        words = _VOCABULARY.split()
        self._sentences = [" ".join(dice.choices(words, k=_SENTENCE_WORDS)) + "." for _ in range(_SENTENCES)]
        self._asked = max(1, int(body_bytes * 0.6) // _SENTENCE_BYTES)
        self._answered = max(1, int(body_bytes * 0.2) // _SENTENCE_BYTES)

    def call(self, call_id: str, started_ns: int) -> Call:
        dice = self._dice
        target = dice.choices(_TARGETS, weights=(50, 15, 25, 10))[0]
        feature = dice.choice(_FEATURES)
        tenant = int(_TENANTS * dice.random() ** 2)
        chance = dice.random()
        call = Call(
            id=call_id,
            started_ns=started_ns,
            worker="worker-0",
            key_id=f"key{tenant % 12:09}",
            feature=feature,
            tenant=f"tenant-{tenant}",
            subject=f"sub_{dice.randrange(_SUBJECTS):016x}",
            session=f"session-{dice.randrange(_SUBJECTS)}",
            tags=["beta"] if dice.random() < 0.1 else [],
            metadata={"region": "eu"} if dice.random() < 0.2 else {},
            trace_id=f"{dice.getrandbits(128):032x}",
            snapshot="0123456789ab",
            route=target.route,
            requested_model=target.route,
            is_stream=dice.random() < 0.3,
            user_agent="OpenAI/Python 2.8.1",
            request_path="/v1/chat/completions",
            request_headers=[(b"content-type", b"application/json"), (b"user-agent", b"OpenAI/Python 2.8.1")],
        )
        self._ask(call, target)
        if chance < 0.03:
            _fail(call, target, *dice.choice(_FAILURES), duration_ms=dice.uniform(20, 2_000))
        else:
            self._answer(call, target, status="cancelled" if chance < 0.04 else "ok", calls_tool=chance > 0.96)
        if dice.random() < 0.02:
            _try_twice(call)
        return call

    def _ask(self, call: Call, target: _Target) -> None:
        question = " ".join(self._dice.choices(self._sentences, k=self._asked))
        body: dict[str, object] = {
            "model": target.route,
            "messages": [
                {"role": "system", "content": f"You help customers of the {call.feature} team. Answer briefly."},
                {"role": "user", "content": question},
            ],
        }
        if call.is_stream:
            body["stream"] = True
        call.request_body = json.dumps(body).encode()
        call.request_bytes = len(call.request_body)

    def _answer(self, call: Call, target: _Target, *, status: CallStatus, calls_tool: bool) -> None:
        dice = self._dice
        text = "" if calls_tool else " ".join(dice.choices(self._sentences, k=self._answered))
        tokens = max(1, len(text) // _CHARACTERS_PER_TOKEN)
        sent = call.request_bytes // _CHARACTERS_PER_TOKEN
        cached = sent // 2 if dice.random() < 0.2 else 0
        call.usage = Usage(input_uncached=sent - cached, cache_read=cached, output_text=tokens)
        call.usage_status = "measured" if status == "ok" else "estimated"
        call.cost_nusd = sent * target.nusd_in + tokens * target.nusd_out
        call.cost_status = "measured" if status == "ok" else "estimated"
        call.reported_model = target.model
        call.status, call.http_status = status, 200
        call.served_from = "upstream"
        waited_ms = dice.lognormvariate(5.5, 0.5)
        call.duration_ms = waited_ms + tokens * target.ms_per_token * dice.uniform(0.8, 1.3)
        call.overhead_ms = dice.uniform(0.05, 0.4)
        usage = {"prompt_tokens": sent, "completion_tokens": tokens, "total_tokens": sent + tokens}
        if call.is_stream:
            call.first_token_ms = waited_ms
            call.usage_raw = json.dumps(usage).encode()
            call.response_body = _events(call.id, target.model, text, is_whole=status == "ok")
            pieces = call.response_body.count(b"data:")
            gap_us = int((call.duration_ms - waited_ms) * 1000 / pieces)
            call.chunk_offsets_us = array("I", (int(waited_ms * 1000) + gap_us * n for n in range(pieces))).tobytes()
        else:
            call.response_body = _document(call.id, target.model, text, usage, calls_tool=calls_tool)
        call.response_bytes = call.delivered_bytes = len(call.response_body)
        call.response_headers = [(b"content-type", b"text/event-stream" if call.is_stream else b"application/json")]
        call.attempts = [_attempt(call, target, number=1)]


def _attempt(call: Call, target: _Target, *, number: int) -> Attempt:
    return Attempt(
        number=number,
        provider=target.provider,
        model=target.model,
        dialect="openai",
        started_ms=0.1,
        first_byte_ms=call.first_token_ms or call.duration_ms * 0.9,
        ended_ms=call.duration_ms,
        http_status=call.http_status,
        error_class=call.error_class,
        error_message=call.error_message,
        request_bytes=call.request_bytes,
        response_bytes=call.response_bytes,
        first_token_ms=call.first_token_ms,
        error_code=call.error_code,
        usage=call.usage,
        usage_status=call.usage_status,
        cost_nusd=call.cost_nusd,
        cost_status=call.cost_status,
    )


def _fail(call: Call, target: _Target, error_class: ErrorClass, http_status: int, *, duration_ms: float) -> None:
    call.status, call.http_status, call.error_class = "error", http_status, error_class
    call.error_code = error_class
    call.error_message = f"the provider answered with {http_status}"
    call.duration_ms = duration_ms
    call.cost_nusd, call.cost_status = (None, "unpriced") if error_class == "broken_stream" else (0, "measured")
    call.response_body = json.dumps({"error": {"message": call.error_message, "code": error_class}}).encode()
    call.response_bytes = call.delivered_bytes = len(call.response_body)
    call.attempts = [_attempt(call, target, number=1)]


def _try_twice(call: Call) -> None:
    """Put a failed attempt before the one that decided."""
    last = call.attempts[-1]
    last.number, last.started_ms = 2, call.duration_ms * 0.4
    last.kind, last.waited_ms = "retry", call.duration_ms * 0.05
    call.attempts.insert(
        0,
        Attempt(
            number=1,
            provider=last.provider,
            model=last.model,
            dialect="openai",
            started_ms=0.1,
            connect_ms=3.0,
            ended_ms=call.duration_ms * 0.35,
            error_class="unreachable",
            error_message="connection reset",
            cost_nusd=0,
            cost_status="measured",
        ),
    )


def _document(call_id: str, model: str, text: str, usage: dict[str, int], *, calls_tool: bool) -> bytes:
    message: dict[str, object] = {"role": "assistant", "content": text or None}
    if calls_tool:
        function = {"name": "find_order", "arguments": '{"number": "A-1001"}'}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls_tool else "stop"}
    return json.dumps(
        {"id": f"chatcmpl-{call_id}", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    ).encode()


def _events(call_id: str, model: str, text: str, *, is_whole: bool) -> bytes:
    """A stream of a word or two to the event; one that is not whole lacks its end."""
    words = text.split()
    pieces = [" ".join(words[at : at + 2]) + " " for at in range(0, len(words), 2)]
    frame = f'data: {{"id":"chatcmpl-{call_id}","object":"chat.completion.chunk","model":"{model}","choices":[%s]}}\n\n'
    events = [frame % f'{{"index":0,"delta":{{"content":"{piece}"}},"finish_reason":null}}' for piece in pieces]
    if is_whole:
        events += [frame % '{"index":0,"delta":{},"finish_reason":"stop"}', "data: [DONE]\n\n"]
    return "".join(events).encode()
