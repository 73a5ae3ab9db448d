"""The three ways in which each scenario is asked, with the official clients at their default settings."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from anthropic import Anthropic
from openai import OpenAI

Variant = Literal["chat", "chat stream", "messages stream"]
VARIANTS: tuple[Variant, ...] = ("chat", "chat stream", "messages stream")

PROMPT = "Explain in exactly sixty words why a gateway earns trust."
WITHIN_S = 130.0


class Told(NamedTuple):
    """What a client was told."""

    text: str
    model: str
    has_usage: bool
    call_id: str


Ask = Callable[[str], Told]
"""Asks a model."""


def ask_with(variant: Variant, base_url: str, key: str) -> Ask:
    """Return what asks in one of the ways; errors are the client's own."""
    match variant:
        case "chat":
            return lambda model: _chat(base_url, key, model)
        case "chat stream":
            return lambda model: _chat_stream(base_url, key, model)
        case "messages stream":
            return lambda model: _messages_stream(base_url.removesuffix("/v1"), key, model)


def _chat(base_url: str, key: str, model: str) -> Told:
    with OpenAI(base_url=base_url, api_key=key, timeout=WITHIN_S) as client:
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": PROMPT}]
        )
    reply = raw.parse()
    return Told(
        reply.choices[0].message.content or "", reply.model, reply.usage is not None, raw.headers["x-wk-call-id"]
    )


def _chat_stream(base_url: str, key: str, model: str) -> Told:
    text, name, has_usage = "", "", False
    with OpenAI(base_url=base_url, api_key=key, timeout=WITHIN_S) as client:
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": PROMPT}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            name = chunk.model or name
            has_usage = has_usage or chunk.usage is not None
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    return Told(text, name, has_usage, stream.response.headers["x-wk-call-id"])


def _messages_stream(base_url: str, key: str, model: str) -> Told:
    with (
        Anthropic(base_url=base_url, api_key=key, timeout=WITHIN_S) as client,
        client.messages.stream(model=model, max_tokens=200, messages=[{"role": "user", "content": PROMPT}]) as stream,
    ):
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
        call_id = stream.response.headers["x-wk-call-id"]
    return Told(text, message.model, message.usage.output_tokens > 0, call_id)
