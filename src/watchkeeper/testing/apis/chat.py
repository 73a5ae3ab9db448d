"""Chat completions, whole and in chunks."""

from collections.abc import Iterator
from typing import Any

from watchkeeper.testing.apis import openai
from watchkeeper.testing.apis.openai import Chunk
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import CREATED_S, Event, Said, Tool, input_tokens, tokens_of


class Chat(openai.Chunked):
    """OpenAI's chat completions; what is thought stands in `reasoning_content`, as compatible servers have it."""

    def document(self, asked: Asked, said: Said) -> Json:
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
        usage = {} if said.reports_usage == "missing" else {"usage": _usage(asked, said)}
        return _document(asked, said, "chat.completion", choices=choices, **usage)

    def events(self, asked: Asked, said: Said) -> list[Event]:
        """Write a chat completion as a stream."""
        extra = _document(asked, said, "chat.completion.chunk", choices=[])
        return openai.events(asked, said, list(_chunks(asked, said)), extra={**extra, "usage": _usage(asked, said)})


def _usage(asked: Asked, said: Said) -> Json:
    """Count a call's tokens: words of the messages, and words of all answers."""
    if said.usage is not None:
        return said.usage
    prompt, answer = input_tokens(asked), said.output_tokens * asked.choices
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    if said.thinking:
        thought = len(tokens_of(said.thinking)) * asked.choices
        usage["completion_tokens_details"] = {"reasoning_tokens": thought}
    return usage


def _chunks(asked: Asked, said: Said) -> Iterator[Chunk]:
    """Write the chunks of a stream, without usage."""

    def chunk(index: int, delta: Json, *, reason: str | None = None, token: str = "", thought: str = "") -> Chunk:
        logprobs = _logprobs([token]) if token and asked.json.get("logprobs") else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        document = _document(asked, said, "chat.completion.chunk", choices=[choice])
        return Chunk(document, 1 if token or thought else 0)

    everyone = range(asked.choices)
    for index in everyone:
        yield chunk(index, {"role": "assistant", "content": "" if said.text else None})
    for thought in tokens_of(said.thinking):
        for index in everyone:
            yield chunk(index, {"reasoning_content": thought}, thought=thought)
    for token in tokens_of(said.text):
        for index in everyone:
            yield chunk(index, {"content": token}, token=token)
    for delta in _tool_deltas(said.tools):
        for index in everyone:
            yield chunk(index, delta)
    for index in everyone:
        yield chunk(index, {}, reason=said.reason)


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
    if said.thinking:
        message["reasoning_content"] = said.thinking
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
        for fragment in tool.fragments:
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def _logprobs(tokens: list[str]) -> Json:
    return {
        "content": [
            {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens
        ],
        "refusal": None,
    }
