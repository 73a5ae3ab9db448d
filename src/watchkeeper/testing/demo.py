"""A day in the life of a product: calls that read like real ones, with a bad half hour in them.

Made for looking at: pictures of the console, and tests that need every kind of call. The same
seed gives the same day. For bulk, `builders.seeded_calls` is many times faster.
"""

import base64
import json
import math
import random
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from watchkeeper.core.call import Attempt, Call, ErrorClass
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.testing.clock import FakeClock

HOUR_S = 3_600
TROUBLE_HOURS_AGO = 5.2
"""When the first provider begins to refuse, before the day's end."""
TROUBLE_S = 2_100
_SAID: dict[str, list[dict[str, Any]]] = json.loads((files("watchkeeper.testing") / "demo.json").read_text("utf-8"))
"""What was asked and answered, by feature."""
_ROUTING = (
    b'{"strategy":"order","candidates":[{"target":"openai/%b"},{"target":"anthropic/%b"}],'
    b'"decisions":[{"after":1,"failure":"rate_limit","then":"fallback","why":"it asks to wait 20 s"}]}'
)
_TENANTS = ("acme", "globex", "initech", "umbrella")


Json = dict[str, object]
_TOOL: Json = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Looks up an order by its number.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}, "fields": {"type": "array"}}},
    },
}


@dataclass(frozen=True, slots=True)
class _Model:
    route: str
    provider: str
    name: str
    reported: str
    wait_ms: float
    token_ms: float


_MINI = _Model("gpt-4o-mini", "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 260, 9)
_LARGE = _Model("support-chat", "openai", "gpt-4.1", "gpt-4.1-2025-04-14", 420, 14)
_CLAUDE = _Model("support-chat", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 610, 16)
_LOCAL = _Model("local", "local", "smollm2-135m", "smollm2-135m", 90, 24)
_HOUSE = _Model("summaries", "house", "house-7b", "house-7b", 340, 11)


def demo_day(until_ns: int, *, seed: int = 1, calls: int = 1_200) -> Iterator[Call]:
    """Yield about `calls` calls of the 24 hours before a moment, oldest first.

    Args:
        until_ns: Unix time of the day's end.
        seed: Another seed gives another day.
        calls: About how many.
    """
    dice = random.Random(seed)  # noqa: S311  drawn to be the same again, not to be secret
    clock = FakeClock()
    ids = CallIds(clock, random_bits=dice.getrandbits)
    begin_ns = until_ns - 24 * HOUR_S * 10**9
    trouble_from = 24 * HOUR_S - TROUBLE_HOURS_AGO * HOUR_S
    weights = [0.25 + math.sin(math.pi * min(max((second / HOUR_S - 3) / 19, 0), 1)) for second in range(0, 86_400, 60)]
    minutes = sorted(dice.choices(range(len(weights)), weights=weights, k=calls))
    for minute in minutes:
        second = 60 * minute + dice.random() * 59
        clock.set_unix_ns(begin_ns + int(second * 1e9))
        is_troubled = trouble_from < second < trouble_from + TROUBLE_S
        yield _Teller(dice, ids.next(), clock.unix_ns(), is_troubled=is_troubled).call()


class _Teller:
    """Makes up one call."""

    def __init__(self, dice: random.Random, call_id: str, started_ns: int, *, is_troubled: bool) -> None:
        self._dice = dice
        self._is_troubled = is_troubled
        tenant = dice.choices(_TENANTS, weights=(8, 4, 2, 1))[0]
        session = f"{tenant}-{dice.randrange(160):03d}"
        self._call = Call(
            id=call_id,
            started_ns=started_ns,
            worker=f"worker-{dice.randrange(2)}",
            key_id=f"FAKEkey{_TENANTS.index(tenant):05d}",
            tenant=tenant,
            subject=f"sub_{dice.randrange(400):016x}",
            session=session,
            tags=["beta"] if dice.random() < 0.1 else [],
            metadata={"region": dice.choice(("eu-west", "us-east"))},
            trace_id=f"{dice.getrandbits(128):032x}",
            snapshot="5c1f0b9a2e7d",
            user_agent="OpenAI/Python 3.52.0",
            request_path="/v1/chat/completions",
        )

    def call(self) -> Call:
        tell: Callable[[], None] = self._dice.choices(
            (self._support, self._tool, self._search, self._draft, self._picture, self._vectors, self._unpriced),
            weights=(48, 12, 16, 10, 3, 6, 5),
        )[0]
        tell()
        call = self._call
        call.request_bytes, call.response_bytes = len(call.request_body), len(call.response_body)
        call.delivered_bytes = call.response_bytes
        for attempt in call.attempts:
            attempt.request_bytes, attempt.response_bytes = call.request_bytes, call.response_bytes
        call.overhead_ms = self._dice.uniform(0.06, 0.3)
        call.request_headers = [(b"content-type", b"application/json"), (b"user-agent", call.user_agent.encode())]
        kind = b"text/event-stream" if call.is_stream and call.status != "error" else b"application/json"
        call.response_headers = [(b"content-type", kind), (b"x-request-id", f"req_{call.id[-8:].lower()}".encode())]
        return call

    def _pair(self, feature: str) -> tuple[str, Any]:
        pair = self._dice.choice(_SAID[feature])
        return pair["question"], pair["answer"]

    def _support(self) -> None:
        question, answer = self._pair("support")
        system = "You help the customers of a small outdoor shop. Answer briefly and in the customer's language."
        messages = [_said("system", system), _said("user", question)]
        if self._dice.random() < 0.3:
            earlier, reply = self._pair("support")
            messages[1:1] = [_said("user", earlier), _said("assistant", reply)]
        self._ask(
            "support", self._dice.choices((_MINI, _LARGE), (3, 2))[0], messages, is_stream=self._dice.random() < 0.7
        )
        self._answer({"role": "assistant", "content": answer})

    def _tool(self) -> None:
        arguments = json.dumps({"number": f"A-{self._dice.randrange(1000, 4000)}", "fields": ["state", "due"]})
        call = {"id": "call_8Kd2", "type": "function", "function": {"name": "find_order", "arguments": arguments}}
        asks: Json = {"role": "assistant", "content": None, "tool_calls": [call]}
        messages = [_said("system", "Use the tools."), _said("user", "When does my parcel come?")]
        answer = asks
        if self._dice.random() < 0.5:
            result: Json = {
                "role": "tool",
                "tool_call_id": "call_8Kd2",
                "content": '{"state": "sent", "due": "Tuesday"}',
            }
            messages += [asks, result]
            answer = _said("assistant", "It was sent yesterday and is due on Tuesday.")
        self._ask("support", _LARGE, messages, is_stream=self._dice.random() < 0.5, tools=[_TOOL])
        self._answer(answer)

    def _search(self) -> None:
        question, found = self._pair("search")
        shape = {"type": "json_schema", "json_schema": {"name": "query", "strict": True, "schema": {"type": "object"}}}
        self._ask("search", _MINI, [_said("user", question)], temperature=0, response_format=shape)
        self._answer(_said("assistant", json.dumps(found)))

    def _draft(self) -> None:
        question, answer = self._pair("drafts")
        self._ask(
            "drafts", self._dice.choice((_CLAUDE, _LOCAL)), [_said("user", question)], is_stream=True, max_tokens=400
        )
        self._answer(_said("assistant", answer))

    def _picture(self) -> None:
        image = {"type": "image_url", "image_url": {"url": _picture_uri()}}
        parts = [{"type": "text", "text": "What is wrong with this zip?"}, image]
        self._ask("support", _LARGE, [{"role": "user", "content": parts}])
        self._answer(
            _said("assistant", "The slider has come off on one side. Pull it to the very bottom and start again.")
        )

    def _unpriced(self) -> None:
        self._ask("summaries", _HOUSE, [_said("user", "Summarise the ticket in one sentence.")], is_stream=True)
        self._answer(_said("assistant", "The customer asks for the parcel to be left with a neighbour."))

    def _vectors(self) -> None:
        call, dice = self._call, self._dice
        call.feature, call.route, call.requested_model, call.surface = "search", "embed", "embed", "embeddings"
        call.request_path = "/v1/embeddings"
        call.request_body = json.dumps({"model": "embed", "input": ["trail jacket", "rain trousers"]}).encode()
        vector = [round(dice.uniform(-1, 1), 4) for _ in range(8)]
        given = {"data": [{"index": n, "embedding": vector} for n in range(2)], "usage": {"prompt_tokens": 6}}
        call.response_body, call.http_status = json.dumps(given).encode(), 200
        call.reported_model, call.duration_ms = "text-embedding-3-small", dice.uniform(40, 140)
        call.usage, call.usage_status = Usage(input_uncached=6), "measured"
        model = _Model("embed", "openai", "text-embedding-3-small", "", 60, 0)
        call.attempts = [_attempt(1, model, 0.1, call.duration_ms, first_byte_ms=call.duration_ms * 0.96)]

    def _ask(
        self, feature: str, model: _Model, messages: list[Json], *, is_stream: bool = False, **more: object
    ) -> None:
        call = self._call
        call.feature, call.route, call.requested_model, call.is_stream = feature, model.route, model.route, is_stream
        body = {"model": model.route, "messages": messages, **({"stream": True} if is_stream else {}), **more}
        call.request_body = json.dumps(body, ensure_ascii=False).encode()
        self._model = model

    def _answer(self, message: Json) -> None:
        call, dice, model = self._call, self._dice, self._model
        begin_ms, chance = 0.1, dice.random()
        if self._is_troubled and model.provider == "openai":
            refused_ms = dice.uniform(30, 90)
            call.attempts = [_refused(1, model, begin_ms, refused_ms)]
            if chance < 0.45:
                call.attempts.append(
                    _refused(2, model, refused_ms + 200, refused_ms + 260, kind="retry", waited_ms=200.0)
                )
                return self._fail("rate_limit", 429, "Rate limit reached for requests per minute.", refused_ms + 260)
            call.routing = _ROUTING % (model.name.encode(), _CLAUDE.name.encode())
            begin_ms, model = refused_ms + 12, _CLAUDE
        elif chance < 0.012:
            call.attempts = [_attempt(1, model, begin_ms, 8_000.0, error_class="timeout")]
            return self._fail("timeout", 504, "No first token within 8 s.", 8_000.0)
        elif chance < 0.02:
            return self._fail("invalid_request", 400, "`messages` must be a list; nothing was sent to a provider.", 0.4)
        self._finish(message, model, begin_ms, ending=_ending(chance) if call.is_stream else "whole")
        return None

    def _finish(self, message: Json, model: _Model, begin_ms: float, *, ending: str) -> None:
        call, dice = self._call, self._dice
        wait_ms = begin_ms + model.wait_ms * dice.lognormvariate(0, 0.35)
        tokens, asked = max(8, len(json.dumps(message)) // 5), max(12, len(call.request_body) // 4)
        tokens //= 1 if ending == "whole" else 2
        cached = asked // 2 if dice.random() < 0.25 else 0
        call.usage = Usage(input_uncached=asked - cached, cache_read=cached, output_text=tokens)
        call.usage_status = "measured" if ending == "whole" else "estimated"
        call.reported_model, call.http_status = model.reported, 200
        usage = {"prompt_tokens": asked, "completion_tokens": tokens, "total_tokens": asked + tokens}
        if call.is_stream:
            self._stream(message, model, wait_ms, is_whole=ending == "whole")
            call.usage_raw = json.dumps(usage).encode()
        else:
            call.duration_ms = wait_ms + tokens * model.token_ms
            choice = {"index": 0, "message": message, "finish_reason": _finish_reason(message)}
            given = {"id": "chatcmpl-9f", "model": model.reported, "choices": [choice], "usage": usage}
            call.response_body = json.dumps(given, ensure_ascii=False).encode()
        times: dict[str, object] = {"first_byte_ms": wait_ms, "usage": call.usage, "usage_status": call.usage_status}
        if call.attempts:
            times["kind"] = "fallback"
        if call.is_stream:
            times["first_token_ms"] = wait_ms
        if dice.random() < 0.15:
            times["connect_ms"] = dice.uniform(18, 60)
        error: ErrorClass = "broken_stream" if ending == "cut" else ""
        number = len(call.attempts) + 1
        call.attempts.append(_attempt(number, model, begin_ms, call.duration_ms, error_class=error, **times))
        call.served_from = "" if ending == "cut" else "upstream"
        if ending == "cut":
            call.status, call.error_class, call.error_code = "error", "broken_stream", "broken_stream"
            call.error_message = "The provider closed the stream before its end; what had arrived was passed on."
        elif ending == "left":
            call.status = "cancelled"

    def _stream(self, message: Json, model: _Model, wait_ms: float, *, is_whole: bool) -> None:
        call, dice = self._call, self._dice
        pieces = _deltas(message)
        if not is_whole:
            pieces = pieces[: max(2, len(pieces) // 2)]
        offsets = [wait_ms]
        for _ in pieces[1:]:
            stall_ms = 400 if dice.random() < 0.01 else 0
            offsets.append(offsets[-1] + model.token_ms * dice.lognormvariate(0.6, 0.5) + stall_ms)
        call.first_token_ms, call.duration_ms = wait_ms, offsets[-1] + 2
        call.chunk_offsets_us = array("I", (int(1_000 * offset) for offset in offsets)).tobytes()
        call.response_body = _events(model.reported, pieces, _finish_reason(message), is_whole=is_whole)

    def _fail(self, error_class: ErrorClass, http_status: int, message: str, duration_ms: float) -> None:
        call = self._call
        call.status, call.error_class, call.error_code = "error", error_class, error_class
        call.http_status, call.error_message, call.duration_ms = http_status, message, duration_ms
        call.response_body = json.dumps({"error": {"message": message, "code": error_class}}).encode()


def _ending(chance: float) -> str:
    return "cut" if chance > 0.985 else "left" if chance > 0.965 else "whole"


def _picture_uri() -> str:
    """A picture of 96 by 64 points: a grey slope."""
    rows = b"".join(b"\0" + bytes(60 + (x + 2 * y) % 180 for x in range(96)) for y in range(64))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _said(role: str, content: str) -> Json:
    return {"role": role, "content": content}


def _attempt(number: int, model: _Model, started_ms: float, ended_ms: float, **fields: object) -> Attempt:
    values: Json = {
        "number": number,
        "provider": model.provider,
        "model": model.name,
        "dialect": "openai",
        "started_ms": started_ms,
        "ended_ms": ended_ms,
        "http_status": 0 if fields.get("error_class") == "timeout" else 200,
        "upstream_request_id": f"req_{number}",
    }
    return Attempt(**(values | fields))  # type: ignore[arg-type]  # a table of fields


def _refused(number: int, model: _Model, started_ms: float, ended_ms: float, **fields: object) -> Attempt:
    message = "Rate limit reached for requests per minute. Please try again in 20 s."
    return _attempt(
        number, model, started_ms, ended_ms,
        first_byte_ms=ended_ms - 1, http_status=429, error_class="rate_limit", error_message=message,
        cost_nusd=0, cost_status="measured", **fields,
    )  # fmt: skip


def _finish_reason(message: Json) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _deltas(message: Json) -> list[Json]:
    content = message.get("content")
    if not isinstance(content, str):
        return [{"role": "assistant"}, {"tool_calls": message["tool_calls"]}]
    words = content.split(" ")
    rest: list[Json] = [{"content": f" {word}"} for word in words[1:]]
    return [{"role": "assistant", "content": words[0]}, *rest]


def _events(model: str, deltas: list[Json], finish: str, *, is_whole: bool) -> bytes:
    choices: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    if is_whole:
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    events = [
        json.dumps({"id": "chatcmpl-9f", "model": model, "choices": [choice]}, ensure_ascii=False) for choice in choices
    ]
    return "".join(f"data: {event}\n\n" for event in [*events, *(["[DONE]"] if is_whole else [])]).encode()
