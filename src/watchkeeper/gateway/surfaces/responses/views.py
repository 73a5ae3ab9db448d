"""The shapes of a Responses request, and what is said of one that does not fit.

A field that is not named here is refused by its path; fields that are named and not read say nothing to a model (the
ids and states under which OpenAI keeps an item) or are looked at for a value other than their default.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT, UNREADABLE
from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.refusals import BadRequest

T = TypeVar("T")

UNKNOWN = "other APIs do not know it"
STATELESS = "this gateway keeps no state for translated targets"


class Strict(Struct, gc=False, forbid_unknown_fields=True):
    """An object whose every field must be known."""


class Breakpoint(Strict):
    """`prompt_cache_breakpoint`: the provider should cache what stands before here."""

    mode: str = "explicit"
    ttl: str | None = None


class InputText(Strict, tag="input_text", tag_field="type"):
    """Words of the client."""

    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class OutputText(Strict, tag="output_text", tag_field="type"):
    """Words of the model, from an earlier reply."""

    text: str
    annotations: list[Raw] | None = None
    logprobs: list[Raw] | None = None
    parsed: Raw = ABSENT
    """What OpenAI's client has made of the text, given back with it."""


class Refusal(Strict, tag="refusal", tag_field="type"):
    """The model's refusal, from an earlier reply."""

    refusal: str


class InputImage(Strict, tag="input_image", tag_field="type"):
    """A picture: a web address or a data URL."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class InputFile(Strict, tag="input_file", tag_field="type"):
    """A file: base64 or a data URL in `file_data`, or a web address."""

    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


Content = InputText | OutputText | Refusal | InputImage | InputFile


class Message(Strict):
    """A message of either form, easy or full."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]
    type: str = "message"
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    """A label for OpenAI's own models; no other API knows one."""


class FunctionCall(Strict):
    """A tool that the model asked for in an earlier reply."""

    type: str
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None
    namespace: str | None = None
    caller: Raw = ABSENT
    parsed_arguments: Raw = ABSENT
    """What OpenAI's client has made of the arguments, given back with them."""
    is_async: Raw = msgspec.field(name="async", default=ABSENT)


class FunctionCallOutput(Strict):
    """What the client's tool gave back."""

    type: str
    call_id: str
    output: str | list[Content]
    id: str | None = None
    status: str | None = None
    name: str | None = None
    """Of the tool; its call has said it."""
    namespace: str | None = None
    caller: Raw = ABSENT


class ReasoningText(Strict):
    """A piece of a reasoning item."""

    type: Literal["summary_text", "reasoning_text"]
    text: str


class ReasoningItem(Strict):
    """The model's reasoning, from an earlier reply."""

    type: str
    summary: list[ReasoningText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    id: str | None = None
    status: str | None = None


class Kind(Struct, gc=False):
    """Tells what an item or a tool is."""

    type: str | None = None


class FunctionTool(Strict):
    """A function that the client offers."""

    type: str
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    allowed_callers: Raw = ABSENT
    defer_loading: Raw = ABSENT
    is_async: Raw = msgspec.field(name="async", default=ABSENT)
    output_schema: Raw = ABSENT


class NamedTool(Strict):
    """The object form of `tool_choice`."""

    type: str
    name: str


class Format(Strict):
    """`text.format`."""

    type: str
    name: str | None = None
    description: str | None = None
    json_schema: Raw = msgspec.field(name="schema", default=ABSENT)
    strict: bool | None = None


class TextSettings(Strict):
    """`text`."""

    format: Format | None = None
    verbosity: Raw = ABSENT


class ReasoningSettings(Strict):
    """`reasoning`."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    """The former name of `summary`."""
    context: str | None = None
    mode: str | None = None


class StreamSettings(Strict):
    """`stream_options`."""

    include_obfuscation: bool | None = None


def read(decode: Callable[[Raw | bytes], T], raw: Raw | bytes, where: str) -> T:
    """Decode what stands at `where` in the client's body.

    Raises:
        BadRequest: it has the wrong type, or lacks a field.
        CannotCarry: it has a field or is of a kind that is not known here.
    """
    try:
        return decode(raw)
    except UNREADABLE as problem:
        raise refusal_of(problem, where) from None


def refusal_of(problem: Exception, where: str) -> BadRequest | CannotCarry:
    """Say what a decoder found at `where`, by the path of the field as the client wrote it."""
    if not isinstance(problem, msgspec.ValidationError):
        return BadRequest(f"`{where}` cannot be read: {problem}.", param=where)
    what, _, inside = str(problem).partition(" - at `$")
    field = where + inside.rstrip("`")
    quoted = what.rsplit("`", 2)[-2] if what.endswith("`") else ""
    if what.startswith("Object contains unknown field"):
        return CannotCarry(f"{field}.{quoted}", UNKNOWN)
    if what.startswith("Object missing required field"):
        return BadRequest(f"`{field}.{quoted}` is required.", param=f"{field}.{quoted}")
    if what.startswith("Invalid value '") and field.endswith(".type"):
        return no_counterpart(field, what[15:-1])
    return BadRequest(f"`{field}` has the wrong type: {what[:1].lower()}{what[1:]}.", param=field)


def no_counterpart(field: str, kind: str) -> CannotCarry:
    """Say that only OpenAI has this kind of item, content, tool or format."""
    return CannotCarry(field, f"`{kind}` has no counterpart in other APIs")


def leave_out(raw: Raw, where: str, *defaults: bytes, why: str = UNKNOWN) -> None:
    """Pass over a field that is absent, null, false or one of its defaults (compact JSON).

    Raises:
        CannotCarry: it says anything else.
    """
    if bytes(raw) not in (b"", b"null", b"false", *defaults):
        raise CannotCarry(where, why)


def opens_with(raw: Raw, sign: bytes) -> bool:
    """Tell whether a value begins with `{`, `[` or a quotation mark: what it is, before it is decoded."""
    return memoryview(raw)[:1].tobytes() == sign
