"""A request for a legacy completion, read as a prompt."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT, is_given
from watchkeeper.gateway.neutral import CannotCarry, Prompt, Text, Turn
from watchkeeper.gateway.surfaces.chat.fields import fields_of, others_of, refused, stops_of, wrong


class CompletionRequest(Struct, gc=False):
    """The fields that have a place in a prompt, and those that never have."""

    prompt: Raw
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    stream: bool | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: Raw = ABSENT


_request = msgspec.json.Decoder(CompletionRequest).decode
_text = msgspec.json.Decoder(str).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_KNOWN = frozenset(CompletionRequest.__struct_fields__) | {"model", "stream_options"}
_TOKENS = frozenset(bytes([byte]) for byte in b"0123456789-[")
"""How a token, or a list of tokens, begins."""


def prompt_of(body: bytes) -> Prompt:
    """Read a request for a completion, which is known to be a JSON object, as the only turn of a conversation.

    Raises:
        BadRequest: a field has a wrong type, or there is no prompt.
        CannotCarry: a field has no place in a prompt: several prompts, tokens, a suffix, an echo, log probabilities.
    """
    try:
        asked = _request(body)
    except msgspec.ValidationError as problem:
        raise refused(problem) from None
    _refuse_unspeakable(asked)
    text = _only_text(asked.prompt)
    return Prompt(
        turns=(Turn("user", (Text(text),) if text else ()),),
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=stops_of(asked.stop),
        user=asked.user or "",
        is_stream=asked.stream or False,
        others=others_of(fields_of(body), _KNOWN),
    )


def _refuse_unspeakable(asked: CompletionRequest) -> None:
    if asked.suffix:
        raise CannotCarry("suffix")
    if asked.echo:
        raise CannotCarry("echo")
    if asked.best_of is not None and asked.best_of != 1:
        raise CannotCarry("best_of")
    if is_given(asked.logprobs) and bytes(asked.logprobs) != b"false":
        raise CannotCarry("logprobs")


def _only_text(prompt: Raw) -> str:
    beginning = memoryview(prompt)[:1].tobytes()
    if beginning == b'"':
        return _text(prompt)
    if beginning != b"[":
        raise wrong("prompt", "must be a text or a list of one text")
    items = _list(prompt)
    kinds = {memoryview(item)[:1].tobytes() for item in items}
    if kinds == {b'"'}:
        if len(items) > 1:
            raise CannotCarry("prompt", "one prompt for each call")
        return _text(items[0])
    if not items or not kinds <= _TOKENS:
        raise wrong("prompt", "must be a text or a list of one text")
    raise CannotCarry("prompt", "tokens of one model mean nothing to another")
