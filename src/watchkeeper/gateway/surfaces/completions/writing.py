"""A completion and a stream's events, written as a legacy completion and its chunks."""

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Completion,
    Declined,
    DeclinedDelta,
    Event,
    Finish,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ToolBegin,
    Used,
)
from watchkeeper.gateway.surfaces.chat.writing import DONE, finish_reason, usage_json

_write = msgspec.json.Encoder().encode


def reply_body(completion: Completion, *, reply_id: str, created_s: int) -> bytes:
    """Write a complete reply with one choice. A refusal's words are its text; reasoning is left out.

    Raises:
        CannotCarry: the reply holds something else than words, which the request did not ask for.
    """
    said: list[str] = []
    for part in completion.parts:
        match part:
            case Text(text=text) | Declined(text=text):
                said.append(text)
            case Thinking():
                continue
            case _:
                raise CannotCarry("choices[0].text", "a completion consists of words")
    has_refusal = any(isinstance(part, Declined) for part in completion.parts)
    choice = {
        "text": "".join(said),
        "index": 0,
        "logprobs": None,
        "finish_reason": _reason(completion.stop, has_refusal),
    }
    reply: dict[str, object] = {
        "id": reply_id,
        "object": "text_completion",
        "created": created_s,
        "model": completion.model,
        "choices": [choice],
    }
    if completion.usage is not None:
        reply["usage"] = usage_json(completion.usage)
    return _write(reply)


class CompletionsWriter:
    """Writes a stream's events as chunks with one choice."""

    def __init__(self, *, reply_id: str, created_s: int, includes_usage: bool) -> None:
        self._includes_usage = includes_usage
        self._head: dict[str, object] = {"id": reply_id, "object": "text_completion", "created": created_s}
        self._has_refusal = False
        self._usage: Usage | None = None
        self._named("")

    def write(self, events: list[Event]) -> bytes:
        """Write events as the client's API has them.

        Raises:
            CannotCarry: the model asks for a tool, though it was given none.
        """
        return b"".join([self._chunk(event) for event in events])

    def end(self) -> bytes:
        """Write the usage where it was asked for and is known, and the terminator."""
        if not self._includes_usage or self._usage is None:
            return DONE
        return b"data: " + _write({**self._head, "choices": [], "usage": usage_json(self._usage)}) + b"\n\n" + DONE

    def _named(self, model: str) -> None:
        self._head["model"] = model
        self._before = b"data: " + _write(self._head)[:-1] + b',"choices":[{"text":'
        self._after = b"}]" + (b',"usage":null' if self._includes_usage else b"") + b"}\n\n"

    def _chunk(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                return self._choice(text)
            case DeclinedDelta(text=text):
                self._has_refusal = True
                return self._choice(text)
            case Begin(model=model):
                self._named(model)
            case Used(usage=usage):
                self._usage = usage
            case Finish(stop=stop):
                return self._choice("", _write(_reason(stop, self._has_refusal)))
            case ToolBegin():
                raise CannotCarry("choices[0].text", "a completion consists of words")
            case _:
                # Reasoning and ends of parts say nothing here; failures and the end are not given to a writer.
                pass
        return b""

    def _choice(self, text: str, reason: bytes = b"null") -> bytes:
        return self._before + _write(text) + b',"index":0,"logprobs":null,"finish_reason":' + reason + self._after


def _reason(stop: Stop, has_refusal: bool) -> str:
    """`tool_calls` is not known here."""
    return "stop" if stop == "tool_use" else finish_reason(stop, has_refusal=has_refusal)
