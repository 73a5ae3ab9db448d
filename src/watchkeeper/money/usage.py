"""Reads the usage that an upstream reports and puts every token into exactly one bucket."""

import msgspec
from msgspec import Struct

from watchkeeper.core.usage import Usage

TOKENS_MAX = 1_000_000_000
"""A report that counts more is not believed: no model takes or gives near as much in one call."""


class InputDetails(Struct, gc=False):
    """Parts of `prompt_tokens`."""

    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    audio_tokens: int | None = 0


class OutputDetails(Struct, gc=False):
    """Parts of `completion_tokens`."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class OpenAIUsage(Struct, gc=False):
    """The `usage` object of a chat completion or an embeddings reply, as far as it is billed."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    total_tokens: int | None = 0
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = 0
    """DeepSeek's name for cached tokens."""


_decode = msgspec.json.Decoder(OpenAIUsage, strict=False).decode
_NO_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()


def from_openai(raw: bytes) -> Usage | None:
    """Read a `usage` object; None when it cannot be read or its totals cannot be true."""
    try:
        return disjoint(_decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def disjoint(found: OpenAIUsage) -> Usage | None:
    """Put every token of a usage object into one bucket; None when its totals cannot be true.

    OpenAI's details are parts of the totals (cached and audio tokens of `prompt_tokens`, reasoning and audio tokens of
    `completion_tokens`), so they are taken out of them. A part that is larger than what is left of its total is cut to
    it: the totals are what the provider bills by. xAI counts reasoning beside the completion and Gemini in
    `total_tokens` alone; both bill it as output.
    """
    prompt, completion = found.prompt_tokens or 0, found.completion_tokens or 0
    if not (0 <= prompt <= TOKENS_MAX and 0 <= completion <= TOKENS_MAX):
        return None
    sent, got = found.prompt_tokens_details, found.completion_tokens_details
    cache_read = cache_write = audio_in = reasoning = audio_out = 0
    if sent is not None or found.prompt_cache_hit_tokens:
        sent = sent or _NO_DETAILS
        cache_read = _part(sent.cached_tokens or found.prompt_cache_hit_tokens, prompt)
        cache_write = _part(sent.cache_write_tokens, prompt - cache_read)
        audio_in = _part(sent.audio_tokens, prompt - cache_read - cache_write)
    beside = (found.total_tokens or 0) - prompt - completion
    if got is not None or beside > 0:
        got = got or _NO_OUTPUT_DETAILS
        reasoning = got.reasoning_tokens or 0
        if 0 < beside <= TOKENS_MAX and reasoning in (0, beside):
            completion += beside
            reasoning = beside
        reasoning = _part(reasoning, completion)
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
    """How much of what is left a detail may claim."""
    return max(0, min(tokens, left)) if tokens else 0
