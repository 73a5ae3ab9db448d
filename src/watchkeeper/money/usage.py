"""Reads the usage that an upstream reports and puts every token into exactly one bucket."""

import msgspec
from msgspec import Struct

from watchkeeper.core.usage import Usage


class _InputDetails(Struct, gc=False):
    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    audio_tokens: int | None = 0


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class _OpenAIUsage(Struct, gc=False):
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = 0
    """DeepSeek's name for cached tokens."""


_decode = msgspec.json.Decoder(_OpenAIUsage, strict=False).decode
_NO_INPUT_DETAILS = _InputDetails()
_NO_OUTPUT_DETAILS = _OutputDetails()


def from_openai(raw: bytes) -> Usage | None:
    """Read the `usage` object of a chat completion or an embeddings reply.

    OpenAI's details are parts of the totals (cached and audio tokens of `prompt_tokens`, reasoning and audio tokens of
    `completion_tokens`), so they are taken out of them. A part that is larger than what is left of its total is cut to it:
    the totals are what the provider bills by. None when the object cannot be read or counts less than nothing.
    """
    try:
        found = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    prompt, completion = found.prompt_tokens or 0, found.completion_tokens or 0
    if prompt < 0 or completion < 0:
        return None
    sent = found.prompt_tokens_details or _NO_INPUT_DETAILS
    got = found.completion_tokens_details or _NO_OUTPUT_DETAILS
    cache_read = _part(sent.cached_tokens or found.prompt_cache_hit_tokens, prompt)
    cache_write = _part(sent.cache_write_tokens, prompt - cache_read)
    audio_in = _part(sent.audio_tokens, prompt - cache_read - cache_write)
    reasoning = _part(got.reasoning_tokens, completion)
    audio_out = _part(got.audio_tokens, completion - reasoning)
    return Usage(
        prompt - cache_read - cache_write - audio_in,
        cache_read,
        cache_write,
        0,
        completion - reasoning - audio_out,
        reasoning,
        audio_in,
        audio_out,
    )


def _part(tokens: int | None, left: int) -> int:
    return max(0, min(tokens or 0, left))
