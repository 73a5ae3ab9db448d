"""OpenAI's Responses, whole and in named, numbered events."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import Any

from watchkeeper.testing.apis import openai
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import (
    CREATED_S,
    Event,
    Refusal,
    Said,
    fragments_of,
    input_tokens,
    renamed_usage,
    signature_of,
    tokens_of,
    written,
)

BROKEN = b'{"type":"response.output_text.delta","output_index":0,"del'
INCOMPLETE = MappingProxyType({"length": "max_output_tokens", "content_filter": "content_filter"})
"""Finish reasons that leave a response incomplete, in the words of this API."""
WORDS = MappingProxyType(
    {
        "context_length_exceeded": "Your input exceeds the context window of this model. "
        "Please adjust your input and try again.",
    }
)
_DEFAULTS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
)
"""What a response repeats of its request, and what it says where the request says nothing."""


@dataclass(frozen=True, slots=True)
class _Note:
    """One event before it has its number."""

    kind: str
    facts: Json
    tokens: int = 0


class Responses:
    """OpenAI's Responses: what is thought is a reasoning item with a summary, and each tool a function call."""

    def document(self, asked: Asked, said: Said) -> Json:
        """Write a whole response."""
        is_complete = said.reason not in INCOMPLETE
        return {
            **_opening(asked, said),
            "status": "completed" if is_complete else "incomplete",
            "incomplete_details": None if is_complete else {"reason": INCOMPLETE[said.reason]},
            "output": _items(asked, said),
            "usage": None if said.reports_usage == "missing" else _usage(asked, said),
        }

    def events(self, asked: Asked, said: Said) -> list[Event]:
        """Write a response as a stream."""
        opening, whole = _opening(asked, said), self.document(asked, said)
        notes = [_Note("response.created", {"response": opening}), _Note("response.in_progress", {"response": opening})]
        for index, item in enumerate(whole["output"]):
            notes.extend(_item_notes(index, item))
        if said.is_terminated:
            notes.append(_Note(f"response.{whole['status']}", {"response": whole}))
        return _numbered(notes, start=0)

    def refused(self, _asked: Asked, refusal: Refusal) -> tuple[int, Json]:
        """Write an error."""
        param = "input" if refusal.param == "messages" else refusal.param
        message = WORDS.get(refusal.code or "", refusal.message)
        return refusal.status, openai.error(replace(refusal, message=message, param=param))

    def failed(self, asked: Asked, refusal: Refusal, sent: list[Event]) -> list[Event]:
        """Write an error as an event, and that the response has failed."""
        facts = {"code": refusal.code, "message": refusal.message}
        response = {**_opening(asked, Said(text="")), "status": "failed", "error": facts}
        notes = [_Note("error", {**facts, "param": refusal.param}), _Note("response.failed", {"response": response})]
        return _numbered(notes, start=len(sent))

    def broken(self, data: bytes) -> Event:
        """Put what is not JSON where a piece of text would be."""
        return Event(data=data or BROKEN, name="response.output_text.delta")


def _opening(asked: Asked, said: Said) -> Json:
    repeated = {name: asked.json.get(name, default) for name, default in _DEFAULTS.items()}
    return {
        "id": f"resp_scripted_{asked.number}",
        "object": "response",
        "created_at": CREATED_S,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": said.model or asked.model,
        "output": [],
        "usage": None,
        **repeated,
    }


def _items(asked: Asked, said: Said) -> list[Json]:
    """Write what is thought, said and called as output items."""
    items: list[Json] = []
    if said.thinking:
        summary = [{"type": "summary_text", "text": said.thinking}]
        thought: Json = {"id": f"rs_scripted_{asked.number}", "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" in (asked.json.get("include") or []):
            thought["encrypted_content"] = signature_of(said.thinking)
        items.append(thought)
    status = "incomplete" if said.reason in INCOMPLETE else "completed"
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]
        head = {"id": f"msg_scripted_{asked.number}", "type": "message", "status": status}
        items.append({**head, "role": "assistant", "content": content})
    for index, tool in enumerate(said.tools):
        call = {"call_id": tool.id, "name": tool.name, "arguments": tool.written}
        items.append({"id": f"fc_scripted_{asked.number}_{index}", "type": "function_call", "status": status, **call})
    return items


def _item_notes(index: int, item: Json) -> Iterator[_Note]:
    """Write the events of one item, from added to done."""
    here = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "reasoning":
            start, inside = {**item, "summary": []}, _summary_notes({**here, "summary_index": 0}, item)
        case "message":
            start, inside = {**item, "content": []}, _text_notes({**here, "content_index": 0}, item)
        case _:
            start, inside = {**item, "arguments": ""}, _call_notes(here, item)
    if "status" in item:
        start["status"] = "in_progress"
    yield _Note("response.output_item.added", {"output_index": index, "item": start})
    yield from inside
    yield _Note("response.output_item.done", {"output_index": index, "item": item})


def _summary_notes(here: Json, item: Json) -> Iterator[_Note]:
    [part] = item["summary"]
    yield _Note("response.reasoning_summary_part.added", {**here, "part": {**part, "text": ""}})
    for token in tokens_of(part["text"]):
        yield _Note("response.reasoning_summary_text.delta", {**here, "delta": token}, 1)
    yield _Note("response.reasoning_summary_text.done", {**here, "text": part["text"]})
    yield _Note("response.reasoning_summary_part.done", {**here, "part": part})


def _text_notes(here: Json, item: Json) -> Iterator[_Note]:
    [part] = item["content"]
    yield _Note("response.content_part.added", {**here, "part": {**part, "text": ""}})
    for token in tokens_of(part["text"]):
        yield _Note("response.output_text.delta", {**here, "delta": token, "logprobs": []}, 1)
    yield _Note("response.output_text.done", {**here, "text": part["text"], "logprobs": []})
    yield _Note("response.content_part.done", {**here, "part": part})


def _call_notes(here: Json, item: Json) -> Iterator[_Note]:
    for fragment in fragments_of(item["arguments"]):
        yield _Note("response.function_call_arguments.delta", {**here, "delta": fragment})
    yield _Note("response.function_call_arguments.done", {**here, "name": item["name"], "arguments": item["arguments"]})


def _usage(asked: Asked, said: Said) -> Json:
    if said.usage is not None:
        return renamed_usage(said.usage)
    prompt, answer = input_tokens(asked), said.output_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer,
        "output_tokens_details": {"reasoning_tokens": len(tokens_of(said.thinking))},
        "total_tokens": prompt + answer,
    }


def _numbered(notes: list[_Note], *, start: int) -> list[Event]:
    return [
        Event(
            data=written({"type": note.kind, "sequence_number": number, **note.facts}),
            tokens=note.tokens,
            name=note.kind,
        )
        for number, note in zip(count(start), notes, strict=False)
    ]
