"""A prompt, written as a request to `/chat/completions`."""

from collections.abc import Iterator
from itertools import groupby

import msgspec

from watchkeeper.gateway.neutral import (
    CannotCarry,
    Declined,
    Document,
    Image,
    Output,
    Part,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)

CARRIED = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "verbosity",
    }
)
"""Fields of `Prompt.others` that chat knows and takes as they are."""

LOW_BUDGET_TOKENS = 4_000
"""Up to here a budget for reasoning is a low effort."""
MEDIUM_BUDGET_TOKENS = 16_000
"""Up to here it is a medium one, above it a high one."""

ERROR_MARK = "Error: "
"""Begins the result of a tool that failed: chat has no field for it, and the model must know."""

_CHOICES = {"auto": "auto", "none": "none", "any": "required"}
_UNNAMED = "answer"
"""OpenAI requires a name for a schema."""

Json = dict[str, object]

_write = msgspec.json.Encoder().encode


def request_body(prompt: Prompt, *, model: str) -> bytes:
    """Write a request for one answer.

    Cache hints and the seals of reasoning are left out. The limit of tokens is `max_tokens`, which every compatible
    server knows, but `max_completion_tokens` where reasoning is asked for: models that reason take no other.

    Raises:
        CannotCarry: chat has no field for something; a field is named by its place in the `Prompt`.
    """
    if prompt.top_k is not None:
        raise CannotCarry("top_k")
    for name in prompt.others:
        if name not in CARRIED:
            raise CannotCarry(name)
    request: Json = {"model": model, "messages": _messages(prompt)}
    if prompt.tools:
        request["tools"] = [_tool(tool) for tool in prompt.tools]
    if prompt.tool_choice is not None:
        request["tool_choice"] = _choice(prompt.tool_choice)
    if prompt.parallel_tools is not None:
        request["parallel_tool_calls"] = prompt.parallel_tools
    if prompt.output is not None:
        request["response_format"] = _response_format(prompt.output)
    _add_settings(request, prompt)
    request |= prompt.others
    if prompt.is_stream:
        request["stream"] = True
        request["stream_options"] = {"include_usage": True}
    return _write(request)


def _add_settings(request: Json, prompt: Prompt) -> None:
    if prompt.max_tokens is not None:
        request["max_tokens" if prompt.reasoning is None else "max_completion_tokens"] = prompt.max_tokens
    if prompt.temperature is not None:
        request["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        request["top_p"] = prompt.top_p
    if prompt.stop:
        request["stop"] = prompt.stop
    if prompt.reasoning is not None and (effort := _effort(prompt.reasoning)):
        request["reasoning_effort"] = effort
    if prompt.user:
        request["user"] = prompt.user


def _messages(prompt: Prompt) -> list[Json]:
    messages: list[Json] = []
    if prompt.system:
        messages.append({"role": "system", "content": _words(prompt.system)})
    for number, turn in enumerate(prompt.turns):
        if turn.role == "user":
            messages += _user(turn, number)
        else:
            messages.append(_assistant(turn, number))
    return messages


def _user(turn: Turn, number: int) -> Iterator[Json]:
    """One message for all that the user says, and one for each tool's result, in the turn's order."""
    parts = turn.parts
    if len(parts) == 1 and isinstance(parts[0], Text):
        yield _named({"role": "user", "content": parts[0].text}, turn)
        return
    fields = [f"turns[{number}].parts[{index}]" for index in range(len(parts))]
    if not parts:
        yield _named({"role": "user", "content": ""}, turn)
    pairs = zip(parts, fields, strict=True)
    for is_result, group in groupby(pairs, lambda pair: isinstance(pair[0], ToolResult)):
        if is_result:
            for part, field in group:
                assert isinstance(part, ToolResult)
                yield _result(part, field)
        else:
            said = list(group)
            only = said[0][0]
            content = only.text if len(said) == 1 and isinstance(only, Text) else [_said(*pair) for pair in said]
            yield _named({"role": "user", "content": content}, turn)


def _named(message: Json, turn: Turn) -> Json:
    if turn.name:
        message["name"] = turn.name
    return message


def _said(part: Part, field: str) -> Json:
    match part:
        case Text(text=text):
            return {"type": "text", "text": text}
        case Image():
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {
                "type": "image_url",
                "image_url": {"url": url, "detail": part.detail} if part.detail else {"url": url},
            }
        case Document():
            return _document(part, field)
        case _:
            raise CannotCarry(field, "only the assistant says this")


def _document(part: Document, field: str) -> Json:
    """A file; plain text is given as words below its name, which every server can read."""
    if part.url:
        raise CannotCarry(field, "chat takes a document itself, not its address")
    if part.text:
        return {"type": "text", "text": f"{part.name}\n\n{part.text}" if part.name else part.text}
    data = f"data:{part.media_type};base64,{part.data}" if part.media_type else part.data
    file = {"filename": part.name, "file_data": data} if part.name else {"file_data": data}
    return {"type": "file", "file": file}


def _result(part: ToolResult, field: str) -> Json:
    texts: list[Text] = []
    for index, piece in enumerate(part.content):
        if isinstance(piece, Document) and piece.text:
            piece = Text(f"{piece.name}\n\n{piece.text}" if piece.name else piece.text)
        if not isinstance(piece, Text):
            raise CannotCarry(f"{field}.content[{index}]", "chat takes only words as a tool's result")
        texts.append(piece)
    if part.is_error and not (texts and texts[0].text.lower().startswith("error")):
        texts[:1] = [Text(ERROR_MARK + texts[0].text if texts else ERROR_MARK.rstrip(": "))]
    return {"role": "tool", "tool_call_id": part.id, "content": _words(texts)}


def _words(texts: list[Text] | tuple[Text, ...]) -> str | list[Json]:
    """Words as a text where they are one: some servers take no parts."""
    if len(texts) == 1:
        return texts[0].text
    return [{"type": "text", "text": text.text} for text in texts] if texts else ""


def _assistant(turn: Turn, number: int) -> Json:
    """One message; chat does not keep the order in which words, reasoning and tools came."""
    texts: list[Text] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    calls: list[Json] = []
    for index, part in enumerate(turn.parts):
        match part:
            case Text():
                texts.append(part)
            case ToolUse(id=tool_id, name=name, arguments=arguments):
                function = {"name": name, "arguments": arguments}
                calls.append({"id": tool_id, "type": "function", "function": function})
            case Thinking(redacted=redacted, text=text):
                if redacted:
                    raise CannotCarry(f"turns[{number}].parts[{index}]", "only its provider can read this reasoning")
                thoughts.append(text)
            case Declined(text=text):
                refusals.append(text)
            case _:
                raise CannotCarry(f"turns[{number}].parts[{index}]", "only the user says this")
    message: Json = {"role": "assistant", "content": None if not texts and (calls or refusals) else _words(texts)}
    if any(thoughts):
        message["reasoning_content"] = "\n\n".join(thoughts)
    if refusals:
        message["refusal"] = "\n\n".join(refusals)
    if calls:
        message["tool_calls"] = calls
    return _named(message, turn)


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema
    if tool.is_strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> str | Json:
    if choice.kind == "one":
        return {"type": "function", "function": {"name": choice.name}}
    return _CHOICES[choice.kind]


def _response_format(output: Output) -> Json:
    if output.kind == "json":
        return {"type": "json_object"}
    described: Json = {"name": output.name or _UNNAMED, "schema": output.schema}
    if output.description:
        described["description"] = output.description
    if output.is_strict:
        described["strict"] = True
    return {"type": "json_schema", "json_schema": described}


def _effort(reasoning: Reasoning) -> str:
    """Chat knows no budget; empty where the model shall choose for itself."""
    budget = reasoning.budget_tokens
    if not reasoning.is_on:
        return "none"
    if reasoning.effort or budget is None:
        return reasoning.effort
    if budget <= LOW_BUDGET_TOKENS:
        return "low"
    return "medium" if budget <= MEDIUM_BUDGET_TOKENS else "high"
