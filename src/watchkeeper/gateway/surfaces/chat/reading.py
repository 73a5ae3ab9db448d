"""A chat request, read as a prompt."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT, is_given
from watchkeeper.gateway.neutral import CannotCarry, Output, Prompt, Reasoning, Tool, ToolChoice
from watchkeeper.gateway.surfaces.chat.fields import fields_of, limit_of, others_of, refused, stops_of, wrong
from watchkeeper.gateway.surfaces.chat.messages import CacheControl, Message, cache_of, turns_of


class FunctionDefinition(Struct, gc=False, forbid_unknown_fields=True):
    """What a tool does and takes."""

    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None


class ToolDefinition(Struct, gc=False, forbid_unknown_fields=True):
    """A tool that the model may ask for."""

    type: str = "function"
    function: FunctionDefinition | None = None
    cache_control: CacheControl | None = None


class ChosenFunction(Struct, gc=False, forbid_unknown_fields=True):
    """The function that must be used."""

    name: str


class ChosenTool(Struct, gc=False, forbid_unknown_fields=True):
    """`tool_choice` as an object."""

    type: str = "function"
    function: ChosenFunction | None = None


class JsonSchema(Struct, gc=False, forbid_unknown_fields=True):
    """The form of an answer."""

    name: str = ""
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class ResponseFormat(Struct, gc=False, forbid_unknown_fields=True):
    """Whether the answer is text or JSON."""

    type: str
    json_schema: JsonSchema | None = None


class ChatRequest(Struct, gc=False):
    """The fields of a chat request that have a place in a prompt, and those that never have."""

    messages: list[Message]
    tools: list[ToolDefinition] | None = None
    tool_choice: str | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    stream: bool | None = None
    functions: list[Raw] | None = None
    function_call: Raw = ABSENT


_request = msgspec.json.Decoder(ChatRequest).decode
_KNOWN = frozenset(ChatRequest.__struct_fields__) | {"model", "stream_options"}
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_ANY_OBJECT = Raw(b'{"type":"object"}')
_CHOICES = {"auto": ToolChoice("auto"), "none": ToolChoice("none"), "required": ToolChoice("any")}


def prompt_of(body: bytes) -> Prompt:
    """Read a chat request, which is known to be a JSON object.

    Fields that OpenAI does not know go to `others` like those that it does: whether they are carried is the dialect's
    to say. `stream_options` concerns the surface alone and is left out.

    Raises:
        BadRequest: a field has a wrong type or value, or is missing.
        CannotCarry: a field has no place in a prompt.
    """
    try:
        asked = _request(body)
    except msgspec.ValidationError as problem:
        raise refused(problem) from None
    if asked.functions:
        raise CannotCarry("functions", "functions are deprecated: send tools")
    if is_given(asked.function_call):
        raise CannotCarry("function_call", "functions are deprecated: send tools")
    system, turns = turns_of(asked.messages)
    return Prompt(
        system=system,
        turns=turns,
        tools=tuple([_tool(tool, number) for number, tool in enumerate(asked.tools)]) if asked.tools else (),
        tool_choice=_choice(asked.tool_choice),
        parallel_tools=asked.parallel_tool_calls,
        output=_output(asked.response_format),
        max_tokens=limit_of(asked.max_completion_tokens, asked.max_tokens),
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=stops_of(asked.stop),
        reasoning=_reasoning(asked.reasoning_effort),
        user=asked.user or "",
        is_stream=asked.stream or False,
        others=others_of(fields_of(body), _KNOWN),
    )


def _tool(tool: ToolDefinition, number: int) -> Tool:
    field = f"tools[{number}]"
    if tool.type != "function":
        raise CannotCarry(f"{field}.type", "only functions are known")
    function = tool.function
    if function is None:
        raise wrong(f"{field}.function", "is required")
    schema = _object(function.parameters, f"{field}.function.parameters") or _NO_ARGUMENTS
    return Tool(
        function.name, schema, function.description or "", function.strict or False, cache_of(tool.cache_control)
    )


def _choice(choice: str | ChosenTool | None) -> ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        found = _CHOICES.get(choice)
        if found is None:
            raise wrong("tool_choice", "must be `auto`, `none`, `required` or a function")
        return found
    if choice.type != "function":
        raise CannotCarry("tool_choice.type", "only functions are known")
    if choice.function is None:
        raise wrong("tool_choice.function", "is required")
    return ToolChoice("one", choice.function.name)


def _output(form: ResponseFormat | None) -> Output | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Output("json")
    if form.type != "json_schema":
        raise CannotCarry("response_format.type")
    described = form.json_schema
    if described is None:
        raise wrong("response_format.json_schema", "is required")
    schema = _object(described.schema, "response_format.json_schema.schema") or _ANY_OBJECT
    return Output("schema", schema, described.name, described.description or "", described.strict or False)


def _object(schema: Raw, field: str) -> Raw | None:
    """A schema as it was sent; None where there is none."""
    beginning = memoryview(schema)[:1].tobytes()
    if beginning == b"{":
        return schema
    if beginning in (b"", b"n"):
        return None
    raise wrong(field, "must be an object")


def _reasoning(effort: str | None) -> Reasoning | None:
    if not effort:
        return None
    return Reasoning(is_on=False) if effort == "none" else Reasoning(effort=effort)
