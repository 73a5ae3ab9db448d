"""OpenAI's documents: completions whole and in chunks, embeddings, models, errors. Token counts are word counts."""

import base64
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from watchkeeper.testing.asked import Asked, Json

CREATED_S = 1_767_225_600
DIMENSIONS = 8
ARGUMENT_FRAGMENT_LENGTH = 8
"""Characters of a tool call's arguments in one chunk of a stream."""

_TOKEN = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model asks for."""

    name: str
    arguments: Json
    id: str = "call_scripted"

    @property
    def written(self) -> str:
        """The arguments as the model writes them."""
        return json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream before it is written: a document, and how many output tokens it brings."""

    document: Json
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model says."""

    text: str
    tools: tuple[Tool, ...] = ()
    finish_reason: str = ""
    """`stop` or `tool_calls` when empty."""
    model: str = ""
    """The name to answer with; the one asked for when empty."""

    @property
    def reason(self) -> str:
        """The finish reason to report."""
        return self.finish_reason or ("tool_calls" if self.tools else "stop")


def tokens_of(text: str) -> list[str]:
    """Split a text into what counts as tokens here: words with the white space before them."""
    return _TOKEN.findall(text)


def usage_of(asked: Asked, said: Said) -> Json:
    """Count a call's tokens: words of the messages or inputs, and words of all answers."""
    prompt = len(tokens_of(" ".join(_texts(asked.json.get("messages", asked.json.get("input"))))))
    if asked.is_embeddings:
        return {"prompt_tokens": prompt, "total_tokens": prompt}
    answer = _output_tokens(said) * asked.choices
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def completion(asked: Asked, said: Said, usage: Json | None) -> Json:
    """Write a whole chat completion."""
    choices = [
        {
            "index": index,
            "message": _message(said),
            "logprobs": _logprobs(tokens_of(said.text)) if asked.json.get("logprobs") else None,
            "finish_reason": said.reason,
        }
        for index in range(asked.choices)
    ]
    return _document(asked, said, "chat.completion", choices=choices, **({} if usage is None else {"usage": usage}))


def chunks(asked: Asked, said: Said) -> Iterator[Chunk]:
    """Write a chat completion as the chunks of a stream, without usage."""

    def chunk(index: int, delta: Json, *, reason: str | None = None, tokens: tuple[str, ...] = ()) -> Chunk:
        logprobs = _logprobs(list(tokens)) if tokens and asked.json.get("logprobs") else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return Chunk(_document(asked, said, "chat.completion.chunk", choices=[choice]), len(tokens))

    everyone = range(asked.choices)
    for index in everyone:
        yield chunk(index, {"role": "assistant", "content": "" if said.text else None})
    for token in tokens_of(said.text):
        for index in everyone:
            yield chunk(index, {"content": token}, tokens=(token,))
    for delta in _tool_deltas(said.tools):
        for index in everyone:
            yield chunk(index, delta)
    for index in everyone:
        yield chunk(index, {}, reason=said.reason)


def usage_chunk(asked: Asked, said: Said, usage: Json) -> Json:
    """Write the extra chunk that carries usage and no choice."""
    return _document(asked, said, "chat.completion.chunk", choices=[], usage=usage)


def embeddings(asked: Asked, said: Said, usage: Json | None) -> Json:
    """Write one vector for each input, as numbers or packed in base64 as asked."""
    inputs = asked.json.get("input")
    is_single = isinstance(inputs, str) or (isinstance(inputs, list) and all(isinstance(item, int) for item in inputs))
    rows = [inputs] if is_single else list(inputs or [])
    is_packed = asked.json.get("encoding_format") == "base64"
    dimensions = asked.json.get("dimensions") or DIMENSIONS
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(row, dimensions, is_packed=is_packed)}
        for index, row in enumerate(rows)
    ]
    document: Json = {"object": "list", "data": data, "model": said.model or asked.model}
    return document if usage is None else {**document, "usage": usage}


def models(names: list[str]) -> Json:
    """Write the list of models."""
    rows = [{"id": name, "object": "model", "created": CREATED_S, "owned_by": "scripted"} for name in names]
    return {"object": "list", "data": rows}


def error(message: str, *, error_type: str, code: str | None, param: str | None = None) -> Json:
    """Write an error."""
    return {"error": {"message": message, "type": error_type, "param": param, "code": code}}


def _document(asked: Asked, said: Said, kind: str, **rest: Any) -> Json:
    return {
        "id": f"chatcmpl-scripted-{asked.number}",
        "object": kind,
        "created": CREATED_S,
        "model": said.model or asked.model,
        "system_fingerprint": "fp_scripted",
        **rest,
    }


def _message(said: Said) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tools:
        message["tool_calls"] = [
            {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.written}}
            for tool in said.tools
        ]
    return message


def _tool_deltas(tools: tuple[Tool, ...]) -> Iterator[Json]:
    for index, tool in enumerate(tools):
        function = {"name": tool.name, "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": tool.id, "type": "function", "function": function}]}
        for start in range(0, len(tool.written), ARGUMENT_FRAGMENT_LENGTH):
            fragment = tool.written[start : start + ARGUMENT_FRAGMENT_LENGTH]
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def _output_tokens(said: Said) -> int:
    return len(tokens_of(said.text)) + sum(len(tokens_of(tool.written)) for tool in said.tools)


def _logprobs(tokens: list[str]) -> Json:
    return {
        "content": [
            {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens
        ],
        "refusal": None,
    }


def _vector(row: Any, dimensions: int, *, is_packed: bool) -> list[float] | str:
    seed = sum(str(row).encode())
    numbers = [((seed + position * 31) % 97) / 97 for position in range(dimensions)]
    return base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode() if is_packed else numbers


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of messages or inputs; what is not text costs nothing here."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(value.get("content", value.get("text")))
