"""Asks through the official clients, and says in the same words what came back, whole or as a stream."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from anthropic import Anthropic
from openai import OpenAI

from watchkeeper.core.call import Surface

Json = dict[str, Any]
Called = tuple[str, str, Any]
"""A tool that the model asks for: id, name and arguments."""

BASES: dict[Surface, Json] = {
    "chat": {"messages": [{"role": "user", "content": "one two three"}]},
    "completions": {"prompt": "one two three"},
    "responses": {"input": "one two three"},
    "messages": {"messages": [{"role": "user", "content": "one two three"}], "max_tokens": 64},
    "embeddings": {"input": "one two three"},
    "count_tokens": {"messages": [{"role": "user", "content": "one two three"}]},
}
"""An ordinary request, but for the model."""


@dataclass(slots=True)
class Seen:
    """What a client sees of a reply, in no API's words but for why it stopped."""

    text: str = ""
    thinking: str = ""
    seal: str | None = None
    tools: list[Called] = field(default_factory=list)
    stop: str = ""
    stop_sequence: str | None = None
    input_tokens: int = 0
    """Cached ones included, whichever API counts them."""
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Clients:
    """The official clients of one gateway."""

    openai: OpenAI
    anthropic: Anthropic

    def ask(self, surface: Surface, *, is_stream: bool = False, **request: Any) -> Seen:
        """Make a call; `model` is part of the request, and what it does not say is that of an ordinary one."""
        asked = BASES[surface] | request
        match surface:
            case "chat":
                return self._chat(asked, is_stream)
            case "completions":
                return self._completions(asked, is_stream)
            case "responses":
                return self._responses(asked, is_stream)
            case "messages":
                return self._messages(asked, is_stream)
            case "embeddings":
                reply = self.openai.embeddings.create(**asked)
                return Seen(input_tokens=reply.usage.prompt_tokens)
            case "count_tokens":
                return Seen(input_tokens=self.anthropic.messages.count_tokens(**asked).input_tokens)
            case _:
                raise ValueError(surface)

    def _chat(self, asked: Json, is_stream: bool) -> Seen:
        if is_stream:
            asked = asked | {"stream_options": {"include_usage": True}}
            return _chunks(self.openai.chat.completions.create(**asked, stream=True))
        reply: Any = self.openai.chat.completions.create(**asked)
        choice = reply.choices[0]
        seen = Seen(choice.message.content or "", stop=choice.finish_reason)
        seen.thinking = getattr(choice.message, "reasoning_content", None) or ""
        seen.tools = [
            (call.id, call.function.name, json.loads(call.function.arguments))
            for call in choice.message.tool_calls or ()
        ]
        _count(seen, reply.usage)
        return seen

    def _completions(self, asked: Json, is_stream: bool) -> Seen:
        if not is_stream:
            reply = self.openai.completions.create(**asked)
            seen = Seen(reply.choices[0].text, stop=reply.choices[0].finish_reason)
            _count(seen, reply.usage)
            return seen
        seen = Seen()
        for chunk in self.openai.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
            for choice in chunk.choices:
                if choice.index == 0:
                    seen.text += choice.text
                    seen.stop = choice.finish_reason or seen.stop
            _count(seen, chunk.usage)
        return seen

    def _responses(self, asked: Json, is_stream: bool) -> Seen:
        if not is_stream:
            return _response(self.openai.responses.create(**asked))
        said: list[str] = []
        seen = Seen()
        for event in self.openai.responses.create(**asked, stream=True):
            if event.type == "response.output_text.delta":
                said.append(event.delta)
            if event.type in ("response.completed", "response.incomplete"):
                seen = _response(event.response)
        assert "".join(said) == seen.text
        return seen

    def _messages(self, asked: Json, is_stream: bool) -> Seen:
        if is_stream:
            with self.anthropic.messages.stream(**asked) as stream:
                reply: Any = stream.get_final_message()
        else:
            reply = self.anthropic.messages.create(**asked)
        seen = Seen(stop=reply.stop_reason, stop_sequence=reply.stop_sequence)
        for block in reply.content:
            match block.type:
                case "text":
                    seen.text += block.text
                case "thinking":
                    seen.thinking += block.thinking
                    seen.seal = block.signature or None
                case "tool_use":
                    seen.tools.append((block.id, block.name, block.input))
                case _:
                    raise ValueError(block.type)
        cached = reply.usage.cache_read_input_tokens or 0
        seen.input_tokens, seen.cached_tokens = reply.usage.input_tokens + cached, cached
        seen.output_tokens = reply.usage.output_tokens
        return seen


def _chunks(chunks: Iterable[Any]) -> Seen:
    seen = Seen()
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        _count(seen, chunk.usage)
        for choice in chunk.choices:
            if choice.index:
                continue
            seen.text += choice.delta.content or ""
            seen.thinking += getattr(choice.delta, "reasoning_content", None) or ""
            seen.stop = choice.finish_reason or seen.stop
            for call in choice.delta.tool_calls or ():
                known = calls.setdefault(call.index, [call.id or "", call.function.name or "", ""])
                known[2] += call.function.arguments or ""
    seen.tools = [(tool_id, name, json.loads(arguments)) for tool_id, name, arguments in calls.values()]
    return seen


def _count(seen: Seen, usage: Any) -> None:
    """Take what chat and completions say of usage."""
    if usage is None:
        return
    seen.input_tokens, seen.output_tokens = usage.prompt_tokens, usage.completion_tokens
    seen.cached_tokens = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0


def _response(response: Any) -> Seen:
    seen = Seen(response.output_text)
    details = response.incomplete_details
    seen.stop = details.reason if details else response.status
    for item in response.output:
        if item.type == "function_call":
            seen.tools.append((item.call_id, item.name, json.loads(item.arguments)))
        if item.type == "reasoning":
            seen.thinking += "".join(piece.text for piece in item.summary)
            seen.seal = item.encrypted_content
    usage = response.usage
    seen.input_tokens, seen.output_tokens = usage.input_tokens, usage.output_tokens
    seen.cached_tokens = (usage.input_tokens_details and usage.input_tokens_details.cached_tokens) or 0
    return seen
