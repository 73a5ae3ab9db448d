"""Reads a Responses request into neutral words, for a target that does not speak this API.

What only repeats a default is left out, and so is what names an item for a store that is not kept here (`id`,
`status`), the label `phase`, `reasoning.summary: auto` (a reply shows what reasoning there is) and
`include: ["reasoning.encrypted_content"]` (a reply always has it).
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.neutral import CannotCarry, Output, Prompt, Reasoning, Text, Tool, ToolChoice, Turn
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.places import client_field
from watchkeeper.gateway.surfaces.responses import views
from watchkeeper.gateway.surfaces.responses.items import conversation_of
from watchkeeper.gateway.surfaces.responses.views import STATELESS, UNKNOWN, leave_out, no_counterpart, opens_with, read

T = TypeVar("T")

_STATE = ("previous_response_id", "conversation", "background", "store", "prompt")
_DEFAULTS: dict[str, object] = {"truncation": "disabled", "service_tier": "auto", "metadata": {}, "verbosity": "medium"}
"""Fields of `others` that say nothing with these values."""
_NAMES = {"output": "text.format", "output.description": "text.format.description", "verbosity": "text.verbosity"}
_EFFORTS = ("minimal", "low", "medium", "high")
_GIVEN_ANYWAY = "reasoning.encrypted_content"
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')

_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_input = msgspec.json.Decoder(str | list[Raw]).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_any = msgspec.json.Decoder().decode
_str = msgspec.json.Decoder(str).decode
_strs = msgspec.json.Decoder(list[str]).decode
_int = msgspec.json.Decoder(int).decode
_float = msgspec.json.Decoder(float).decode
_bool = msgspec.json.Decoder(bool).decode
_kind = msgspec.json.Decoder(views.Kind).decode
_function = msgspec.json.Decoder(views.FunctionTool).decode
_choice = msgspec.json.Decoder(str | views.NamedTool).decode
_text = msgspec.json.Decoder(views.TextSettings).decode
_reasoning = msgspec.json.Decoder(views.ReasoningSettings).decode
_stream = msgspec.json.Decoder(views.StreamSettings).decode


def prompt_of(body: bytes) -> Prompt:
    """Read the body of a Responses request, a valid JSON object.

    The model's name is not read. `text.verbosity` is called `verbosity` in `others`, as everywhere else.

    Raises:
        BadRequest: a field has the wrong type or cannot mean anything; `param` is its path.
        CannotCarry: a field has no place in a `Prompt`, or asks for state that is not kept here.
    """
    fields = _Fields(body)
    fields.left.pop("model", None)
    _refuse_state(fields)
    system, turns = _conversation(fields)
    tools = _tools(fields)
    return Prompt(
        system=system,
        turns=turns,
        tools=tools,
        tool_choice=_tool_choice(fields, bool(tools)),
        parallel_tools=_parallel_tools(fields, bool(tools)),
        output=_output(fields),
        max_tokens=fields.take("max_output_tokens", _int),
        temperature=fields.take("temperature", _float),
        top_p=fields.take("top_p", _float),
        reasoning=_thinking(fields),
        user=_user(fields),
        is_stream=_is_stream(fields),
        others=_others(fields),
    )


def field_of(body: bytes, place: str) -> str:
    """Name a place of the prompt that `prompt_of` has read from this body as the body has it."""
    given = _input(_fields(body)["input"])
    turns = [["input"]] if isinstance(given, str) else conversation_of(given).places
    within = place.partition("].content[")  # of a tool's result
    return client_field(place, turns, _NAMES) + (f".output[{within[2].partition(']')[0]}]" if within[1] else "")


class _Fields:
    """The top-level fields that nobody has taken yet; those that are null count as absent."""

    __slots__ = ("left",)

    def __init__(self, body: bytes) -> None:
        try:
            given = _fields(body)
        except UNREADABLE as problem:
            raise BadRequest(f"The body cannot be read: {problem}. Send one JSON object.") from None
        self.left = {name: raw for name, raw in given.items() if is_given(raw)}

    def take(self, name: str, decode: Callable[[bytes], T]) -> T | None:
        """Return the decoded field, None where it is absent."""
        raw = self.left.pop(name, None)
        return None if raw is None else read(decode, raw, name)


def _refuse_state(fields: _Fields) -> None:
    for name in _STATE:
        raw = fields.left.pop(name, ABSENT)
        if name in ("background", "store") and raw:
            read(_bool, raw, name)
        leave_out(raw, name, why=STATELESS)


def _conversation(fields: _Fields) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    instructions = fields.take("instructions", _str)
    system = (Text(instructions),) if instructions else ()
    raw = fields.left.pop("input", None)
    if raw is None:
        raise BadRequest("`input` is required.", param="input")
    given = read(_input, raw, "input")
    if isinstance(given, str):
        return system, (Turn("user", (Text(given),)),)
    conversation = conversation_of(given)
    return (*system, *conversation.system), tuple(conversation.turns)


def _tools(fields: _Fields) -> tuple[Tool, ...]:
    return tuple(_tool(raw, f"tools[{index}]") for index, raw in enumerate(fields.take("tools", _raws) or ()))


def _tool(raw: Raw, where: str) -> Tool:
    kind = read(_kind, raw, where).type
    if kind is None:
        raise BadRequest(f"`{where}.type` is required.", param=f"{where}.type")
    if kind != "function":
        raise no_counterpart(f"{where}.type", kind)
    tool = read(_function, raw, where)
    leave_out(tool.allowed_callers, f"{where}.allowed_callers", b'["direct"]')
    leave_out(tool.defer_loading, f"{where}.defer_loading")
    leave_out(tool.is_async, f"{where}.async")
    leave_out(tool.output_schema, f"{where}.output_schema")
    schema = _schema(tool.parameters, f"{where}.parameters") if is_given(tool.parameters) else _NO_ARGUMENTS
    return Tool(tool.name, schema, tool.description or "", tool.strict is True)


def _schema(raw: Raw, where: str) -> Raw:
    if not opens_with(raw, b"{"):
        raise BadRequest(f"`{where}` must be a JSON schema: an object.", param=where)
    return raw


def _tool_choice(fields: _Fields, has_tools: bool) -> ToolChoice | None:
    raw = fields.left.pop("tool_choice", None)
    if raw is None:
        return None
    kind = "function" if opens_with(raw, b'"') else read(_kind, raw, "tool_choice").type
    if kind is not None and kind != "function":
        raise no_counterpart("tool_choice.type", kind)
    match read(_choice, raw, "tool_choice"):
        case views.NamedTool(name=name):
            return ToolChoice("one", name)
        case "required":
            return ToolChoice("any")
        case "auto":
            return ToolChoice("auto") if has_tools else None
        case "none":
            return ToolChoice("none") if has_tools else None
        case _:
            raise BadRequest("`tool_choice` is `auto`, `none`, `required` or an object.", param="tool_choice")


def _parallel_tools(fields: _Fields, has_tools: bool) -> bool | None:
    given = fields.take("parallel_tool_calls", _bool)
    return given if has_tools else None


def _output(fields: _Fields) -> Output | None:
    """Read `text`; the verbosity goes to the fields that are left."""
    settings = fields.take("text", _text)
    if settings is None:
        return None
    if is_given(settings.verbosity):
        fields.left["verbosity"] = settings.verbosity
    form = settings.format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Output("json")
    if form.type != "json_schema":
        raise no_counterpart("text.format.type", form.type)
    for field, value in (("name", form.name), ("schema", form.json_schema)):
        if not value:
            raise BadRequest(f"`text.format.{field}` is required.", param=f"text.format.{field}")
    schema = _schema(form.json_schema, "text.format.schema")
    return Output("schema", schema, form.name or "", form.description or "", form.strict is True)


def _thinking(fields: _Fields) -> Reasoning | None:
    settings = fields.take("reasoning", _reasoning)
    if settings is None:
        return None
    for name, value, default in (
        ("summary", settings.summary, "auto"),
        ("generate_summary", settings.generate_summary, "auto"),
        ("context", settings.context, "auto"),
        ("mode", settings.mode, "standard"),
    ):
        if value not in (None, default):
            raise CannotCarry(f"reasoning.{name}", UNKNOWN)
    if settings.effort is None:
        return None
    if settings.effort == "none":
        return Reasoning(is_on=False)
    if settings.effort not in _EFFORTS:
        raise no_counterpart("reasoning.effort", settings.effort)
    return Reasoning(effort=settings.effort)


def _user(fields: _Fields) -> str:
    """Both fields name the person who asks; `user` is the former name."""
    user = fields.take("user", _str)
    return fields.take("safety_identifier", _str) or user or ""


def _is_stream(fields: _Fields) -> bool:
    options = fields.take("stream_options", _stream)
    if options is not None and options.include_obfuscation:
        raise CannotCarry("stream_options.include_obfuscation", "a translated stream is not padded")
    return fields.take("stream", _bool) or False


def _others(fields: _Fields) -> dict[str, Raw]:
    """Return what is left and says something. What asks for more in the reply than a translated one has is refused."""
    for index, name in enumerate(fields.take("include", _strs) or ()):
        if name != _GIVEN_ANYWAY:
            raise CannotCarry(f"include[{index}]", "a translated reply does not have it")
    if fields.take("top_logprobs", _int):
        raise CannotCarry("top_logprobs", "a translated reply does not have log probabilities")
    left = fields.left
    for name in _DEFAULTS.keys() & left.keys():
        if read(_any, left[name], name) == _DEFAULTS[name]:
            del left[name]
    return left
