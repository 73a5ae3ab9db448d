"""Anthropic's Messages API as upstreams speak it: the request."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Declined,
    Document,
    Image,
    Part,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
)

MAX_TOKENS_DEFAULT = 4096
"""Sent where the client set no limit, since Messages wants one; a budget for reasoning comes on top of it."""
EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})

_TOOL_CHOICES = {"auto": "auto", "none": "none", "any": "any", "one": "tool"}
_TIERS = {b'"auto"': "auto", b'"default"': "standard_only", b'"standard_only"': "standard_only"}
_TAKEN_AS_THEY_ARE = frozenset({"cache_control", "inference_geo"})

_write = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode

Json = dict[str, object]


def request_body(prompt: Prompt, *, model: str) -> bytes:
    """Write a request. Turns of one side that follow each other are one message, with its tool results first.

    Left out are empty words, which Messages refuses, a picture's `detail`, which is a hint, and the name of an output's
    schema, which is a label. The words with which a model once refused are sent as its words.

    Raises:
        CannotCarry: Messages has no field for something; a field is named by its place in the `Prompt`.
    """
    fields: Json = {"model": model, "max_tokens": _max_tokens(prompt), "messages": _messages(prompt.turns)}
    if prompt.system:
        fields["system"] = _words_or_blocks(prompt.system, "system")
    if prompt.tools:
        fields["tools"] = [_tool(tool) for tool in prompt.tools]
    choice = _tool_choice(prompt)
    if choice:
        fields["tool_choice"] = choice
    _put_sampling(prompt, fields)
    _put_reasoning_and_output(prompt, fields)
    if prompt.user:
        fields["metadata"] = {"user_id": prompt.user}
    if prompt.is_stream:
        fields["stream"] = True
    for name, value in prompt.others.items():
        fields[name] = _other(name, value)
    return _write(fields)


def _max_tokens(prompt: Prompt) -> int:
    if prompt.max_tokens is not None:
        return prompt.max_tokens
    budget = prompt.reasoning.budget_tokens if prompt.reasoning else None
    return MAX_TOKENS_DEFAULT + (budget or 0)


def _messages(turns: tuple[Turn, ...]) -> list[Json]:
    merged: list[tuple[str, list[Json]]] = []
    for number, turn in enumerate(turns):
        try:
            blocks = _blocks(turn)
        except CannotCarry as misfit:
            raise CannotCarry(f"turns[{number}].{misfit.field}", misfit.why) from None
        if merged and merged[-1][0] == turn.role:
            merged[-1][1].extend(blocks)
        elif blocks:
            merged.append((turn.role, blocks))
    return [{"role": role, "content": _content(_results_first(blocks))} for role, blocks in merged]


def _blocks(turn: Turn) -> list[Json]:
    if turn.name:
        raise CannotCarry("name", "Messages does not name participants")
    return _each(turn.parts, "parts")


def _each(parts: Sequence[Part], place: str) -> list[Json]:
    try:
        return [_block(part) for part in parts if not _is_empty(part)]
    except CannotCarry:
        # looked for again, so that no place is written where all is well
        for number, part in enumerate(parts):
            try:
                _block(part)
            except CannotCarry as misfit:
                raise CannotCarry(f"{place}[{number}].{misfit.field}", misfit.why) from None
        raise


def _is_empty(part: Part) -> bool:
    return isinstance(part, Text | Declined) and not part.text


def _results_first(blocks: list[Json]) -> list[Json]:
    if len(blocks) == 1:
        return blocks
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def _content(blocks: list[Json]) -> str | list[Json]:
    """Return one plain text as it is, which says the same in fewer bytes."""
    first = blocks[0]
    if len(blocks) == 1 and first["type"] == "text" and "cache_control" not in first:
        return str(first["text"])
    return blocks


def _words_or_blocks(parts: Sequence[Text | Image | Document], place: str) -> str | list[Json]:
    if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].cache:
        return parts[0].text
    return _each(parts, place)


def _block(part: Part) -> Json:
    block: Json
    match part:
        case Text():
            block = {"type": "text", "text": part.text}
        case Declined():
            return {"type": "text", "text": part.text}
        case Thinking():
            return _thinking(part)
        case ToolUse():
            block = {"type": "tool_use", "id": part.id, "name": part.name, "input": _arguments(part.arguments)}
        case ToolResult():
            block = _tool_result(part)
        case Image():
            block = {"type": "image", "source": _image_source(part)}
        case Document():
            block = {"type": "document", "source": _document_source(part)}
            if part.name:
                block["title"] = part.name
    if part.cache:
        block["cache_control"] = _cache(part.cache)
    return block


def _cache(lifetime: str) -> Json:
    return {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}


def _thinking(part: Thinking) -> Json:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    if not part.signature:
        raise CannotCarry("signature", "Messages takes back only reasoning that it has sealed")
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _arguments(text: str) -> Raw:
    try:
        _object(text or "{}")
    except UNREADABLE:
        raise CannotCarry("arguments", "they are not a JSON object") from None
    return Raw((text or "{}").encode())


def _tool_result(part: ToolResult) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": part.id}
    if part.content:
        block["content"] = _words_or_blocks(part.content, "content")
    if part.is_error:
        block["is_error"] = True
    return block


def _image_source(image: Image) -> Json:
    if image.url:
        return {"type": "url", "url": image.url}
    if not image.data:
        raise CannotCarry("data", "the picture is empty")
    if not image.media_type:
        raise CannotCarry("media_type", "Messages must be told a picture's type")
    return {"type": "base64", "media_type": image.media_type, "data": image.data}


def _document_source(document: Document) -> Json:
    if document.url:
        return {"type": "url", "url": document.url}
    if document.text:
        if document.media_type not in ("", "text/plain"):
            raise CannotCarry("media_type", "Messages takes text only as text/plain")
        return {"type": "text", "media_type": "text/plain", "data": document.text}
    if not document.data:
        raise CannotCarry("data", "the document is empty")
    if document.media_type != "application/pdf":
        raise CannotCarry("media_type", "Messages takes files only as application/pdf")
    return {"type": "base64", "media_type": document.media_type, "data": document.data}


def _tool(tool: Tool) -> Json:
    written: Json = {"name": tool.name, "input_schema": tool.schema}
    if tool.description:
        written["description"] = tool.description
    if tool.is_strict:
        written["strict"] = True
    if tool.cache:
        written["cache_control"] = _cache(tool.cache)
    return written


def _tool_choice(prompt: Prompt) -> Json | None:
    choice, parallel = prompt.tool_choice, prompt.parallel_tools
    if choice is None:
        # Messages refuses a choice where there is nothing to choose from
        return {"type": "auto", "disable_parallel_tool_use": True} if parallel is False and prompt.tools else None
    written: Json = {"type": _TOOL_CHOICES[choice.kind]}
    if choice.kind == "one":
        written["name"] = choice.name
    if parallel is not None and choice.kind != "none":
        written["disable_parallel_tool_use"] = not parallel
    return written


def _put_sampling(prompt: Prompt, fields: Json) -> None:
    if prompt.temperature is not None:
        if prompt.temperature > 1:
            raise CannotCarry("temperature", "Messages takes 0 to 1")
        fields["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        fields["top_p"] = prompt.top_p
    if prompt.top_k is not None:
        fields["top_k"] = prompt.top_k
    if prompt.stop:
        fields["stop_sequences"] = prompt.stop


def _put_reasoning_and_output(prompt: Prompt, fields: Json) -> None:
    config: Json = {}
    if prompt.reasoning:
        fields["thinking"] = _reasoning(prompt.reasoning)
        if prompt.reasoning.effort:
            if prompt.reasoning.effort not in EFFORTS:
                raise CannotCarry("reasoning.effort", f"Messages does not know `{prompt.reasoning.effort}`")
            config["effort"] = prompt.reasoning.effort
    output = prompt.output
    if output:
        if output.kind == "json":
            raise CannotCarry("output", "Messages promises JSON only after a schema")
        if output.description:
            raise CannotCarry("output.description")
        config["format"] = {"type": "json_schema", "schema": output.schema}
    if config:
        fields["output_config"] = config


def _reasoning(reasoning: Reasoning) -> Json:
    if not reasoning.is_on:
        return {"type": "disabled"}
    if reasoning.budget_tokens is None:
        return {"type": "adaptive"}
    return {"type": "enabled", "budget_tokens": reasoning.budget_tokens}


def _other(name: str, value: Raw) -> object:
    if name in _TAKEN_AS_THEY_ARE:
        return value
    if name == "service_tier":
        tier = _TIERS.get(bytes(value))
        if tier is None:
            raise CannotCarry(name, f"Messages does not know {bytes(value).decode(errors='replace')}")
        return tier
    raise CannotCarry(name)
