"""Asks the gateway: a feature with variables, or a model with messages, and reads what came."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from watchkeeper.core.conversation.values import as_array, as_object, as_string
from watchkeeper.core.money import CostStatus, nusd
from watchkeeper.evals.outcome import Answer, ToolCall

ANSWER_S = 120.0
"""How long an answer may take, where nothing else is said."""
ERROR_LETTERS_MAX = 500
WHOLE_MAX = 2**53
"""Figures of an answer beyond it are no counts, and not all that reads them could."""
CHAT = "/chat/completions"
_STATUSES: Mapping[str, CostStatus] = {"measured": "measured", "estimated": "estimated", "disputed": "disputed"}


class Ask(Struct, frozen=True, kw_only=True):
    """What is asked."""

    model: str
    """`feature/NAME@RELEASE`, a route, or `provider/model`."""
    messages: Sequence[Mapping[str, Any]] = ()
    variables: Mapping[str, Any] | None = None
    """Of a feature."""
    parameters: Mapping[str, Any] = {}
    """Of a model: further fields of the request, as the chat API has them."""
    feature: str = ""
    """For which the call counts; a feature that is asked counts for itself."""
    repeat: int = 0

    @property
    def body(self) -> bytes:
        """Write the request."""
        fields: dict[str, Any] = {"model": self.model, "messages": list(self.messages), **self.parameters}
        if self.variables is not None:
            fields["variables"] = self.variables
        return msgspec.json.encode(fields)


class Gateway:
    """The gateway, as somebody asks it who holds a key."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, key: str, *, run: str = "", within_s: float = ANSWER_S
    ) -> None:
        """Make ready.

        Args:
            client: Open, and closed by whoever opened it.
            url: Of the gateway, with `/v1`.
            key: A virtual key.
            run: Id of the run, which its calls then carry.
            within_s: How long an answer may take.
        """
        self._client = client
        self._within_s = within_s
        self._url = url.rstrip("/") + CHAT
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "x-wk-cache": "off"}
        if run:
            self._headers["x-wk-meta-eval-run"] = run

    async def ask(self, ask: Ask, *, case: str = "") -> Answer:
        """Return the answer; whatever goes wrong on the way is its `error`.

        Args:
            ask: What is asked.
            case: Noted with the call.
        """
        headers = dict(self._headers)
        if ask.feature:
            headers["x-wk-feature"] = _ascii(ask.feature)
        if case:
            headers["x-wk-meta-eval-case"] = _ascii(f"{case[:100]}#{ask.repeat}")
        started = time.monotonic()
        try:
            reply = await self._client.post(self._url, content=ask.body, headers=headers, timeout=self._within_s)
        except httpx.TimeoutException:
            return Answer(error=f"no answer came within {self._within_s:g} s", error_code="timeout")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            return Answer(error=f"the gateway at {self._url} was not reached: {why}", error_code="unreachable")
        return read_reply(reply, latency_ms=round((time.monotonic() - started) * 1000, 3))


def read_reply(reply: httpx.Response, *, latency_ms: float) -> Answer:
    """Read what the gateway answered to a chat request."""
    headers = reply.headers
    cost = headers.get("x-wk-cost")
    status: CostStatus = _STATUSES.get(headers.get("x-wk-cost-status", ""), "unpriced")
    known: dict[str, Any] = {
        "call": headers.get("x-wk-call-id", ""),
        "release": headers.get("x-wk-release", ""),
        "latency_ms": latency_ms,
        "cost_nusd": nusd(cost) if cost else None,
        "cost_status": status,
    }
    try:
        content = msgspec.json.decode(reply.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = {}
    if reply.status_code != 200 or "choices" not in content:
        error = as_object(content.get("error"))
        code = as_string(error.get("code")) or f"http_{reply.status_code}"
        said = as_string(error.get("message")) or f"the gateway answered with HTTP {reply.status_code}"
        return Answer(error=f"{code}: {said}"[:ERROR_LETTERS_MAX], error_code=code, **known)
    choice = as_object(next(iter(as_array(content.get("choices"))), None))
    message = as_object(choice.get("message"))
    usage = as_object(content.get("usage"))
    return Answer(
        text=as_string(message.get("content")),
        tool_calls=tuple(_tool_calls(message)),
        refusal=as_string(message.get("refusal")),
        finish=as_string(choice.get("finish_reason")),
        model=as_string(content.get("model")),
        fingerprint=as_string(content.get("system_fingerprint")),
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        logprobs=tuple(_logprobs(choice)),
        **known,
    )


def _tool_calls(message: Mapping[str, Any]) -> list[ToolCall]:
    found = []
    for item in as_array(message.get("tool_calls")):
        function = as_object(as_object(item).get("function"))
        found.append(ToolCall(name=as_string(function.get("name")), arguments=as_string(function.get("arguments"))))
    return found


def _logprobs(choice: Mapping[str, Any]) -> list[float]:
    tokens = as_array(as_object(choice.get("logprobs")).get("content"))
    values = [as_object(token).get("logprob") for token in tokens]
    return [float(value) for value in values if isinstance(value, int | float) and abs(value) <= WHOLE_MAX]


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= WHOLE_MAX
    return value if is_count else None


def _ascii(text: str) -> str:
    return text if text.isascii() and text.isprintable() else quote(text)
