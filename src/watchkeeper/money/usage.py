"""Reads the usage that an upstream reports and puts every token into exactly one bucket."""

import msgspec
from msgspec import Struct

from watchkeeper.core.usage import Usage

TOKENS_MAX = 1_000_000_000
"""A report that counts more is not believed: no model takes or gives near as much in one call."""


class ServerTools(Struct, gc=False):
    """Tools that the provider ran and bills by the request."""

    web_search_requests: int | None = 0


class InputDetails(Struct, gc=False):
    """Parts of `prompt_tokens`."""

    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    audio_tokens: int | None = 0
    image_tokens: int | None = 0


class OutputDetails(Struct, gc=False):
    """Parts of `completion_tokens`."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0
    image_tokens: int | None = 0


class OpenAIUsage(Struct, gc=False):
    """The `usage` object of a chat completion or an embeddings reply, as far as it is billed."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = 0
    total_tokens: int | None = 0
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = 0
    """DeepSeek's name for cached tokens."""
    server_tool_use: ServerTools | None = None
    """As OpenRouter reports searches."""


class ResponsesUsage(Struct, gc=False):
    """The `usage` object of OpenAI's Responses API; the details are parts of the totals, as in chat completions."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = 0
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class CacheCreation(Struct, gc=False):
    """Parts of `cache_creation_input_tokens`, by lifetime."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class ThinkingDetails(Struct, gc=False):
    """Parts of Anthropic's `output_tokens`."""

    thinking_tokens: int | None = None


class AnthropicUsage(Struct, gc=False):
    """The `usage` object of a message, or of a stream's event, as far as it is billed."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: ThinkingDetails | None = None
    server_tool_use: ServerTools | None = None


_decode = msgspec.json.Decoder(OpenAIUsage, strict=False).decode
_decode_responses = msgspec.json.Decoder(ResponsesUsage, strict=False).decode
_decode_anthropic = msgspec.json.Decoder(AnthropicUsage, strict=False).decode
_NO_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()


def from_openai(raw: bytes) -> Usage | None:
    """Read a `usage` object; None when it cannot be read, does not count the input, or its totals cannot be true."""
    try:
        return disjoint(_decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def from_responses(raw: bytes) -> Usage | None:
    """Read a `usage` object of the Responses API; None as in `from_openai`."""
    try:
        found = _decode_responses(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    sent, got = found.input_tokens, found.output_tokens
    return disjoint(OpenAIUsage(sent, got, found.total_tokens, found.input_tokens_details, found.output_tokens_details))


def disjoint(found: OpenAIUsage) -> Usage | None:
    """Put every token of a usage object into one bucket; None when it does not count the input or cannot be true.

    OpenAI's details are parts of the totals (cached, audio and image tokens of `prompt_tokens`; reasoning, audio and
    image tokens of `completion_tokens`), so they are taken out of them. A part that is larger than what is left of its
    total is cut to it: the totals are what the provider bills by. xAI counts reasoning beside the completion and Gemini
    in `total_tokens` alone; both bill it as output.
    """
    prompt, completion = found.prompt_tokens, found.completion_tokens or 0
    if prompt is None or not (0 <= prompt <= TOKENS_MAX and 0 <= completion <= TOKENS_MAX):
        return None
    sent, got = found.prompt_tokens_details, found.completion_tokens_details
    cache_read = cache_write = audio_in = image_in = reasoning = audio_out = image_out = 0
    if sent is not None or found.prompt_cache_hit_tokens:
        sent = sent or _NO_DETAILS
        cache_read = _part(sent.cached_tokens or found.prompt_cache_hit_tokens, prompt)
        cache_write = _part(sent.cache_write_tokens, prompt - cache_read)
        audio_in = _part(sent.audio_tokens, prompt - cache_read - cache_write)
        image_in = _part(sent.image_tokens, prompt - cache_read - cache_write - audio_in)
    beside = (found.total_tokens or 0) - prompt - completion
    if got is not None or beside > 0:
        got = got or _NO_OUTPUT_DETAILS
        reasoning = got.reasoning_tokens or 0
        if 0 < beside <= TOKENS_MAX and reasoning in (0, beside):
            completion += beside
            reasoning = beside
        reasoning = _part(reasoning, completion)
        audio_out = _part(got.audio_tokens, completion - reasoning)
        image_out = _part(got.image_tokens, completion - reasoning - audio_out)
    return Usage(
        prompt - cache_read - cache_write - audio_in - image_in,
        cache_read,
        cache_write,
        0,
        completion - reasoning - audio_out - image_out,
        reasoning,
        audio_in,
        audio_out,
        image_in,
        image_out,
        _searches(found.server_tool_use),
    )


def from_anthropic(raw: bytes) -> Usage | None:
    """Read Anthropic's `usage` object; None when it cannot be read, does not count the input, or cannot be true."""
    try:
        return disjoint_anthropic(_decode_anthropic(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def disjoint_anthropic(found: AnthropicUsage) -> Usage | None:
    """Put every token of Anthropic's usage into one bucket; None when the input is not counted or a count is untrue.

    `input_tokens`, cache reads and cache writes stand beside each other. Of the writes and of `output_tokens` there may
    be parts, which are cut to their total; writes whose lifetime is not told had the shorter one, Anthropic's default.
    """
    made = found.cache_creation
    written_5m, written_1h = (made.ephemeral_5m_input_tokens, made.ephemeral_1h_input_tokens) if made else (0, 0)
    written = found.cache_creation_input_tokens or (written_5m or 0) + (written_1h or 0)
    sent, read, got = found.input_tokens, found.cache_read_input_tokens or 0, found.output_tokens or 0
    if sent is None:
        # A stream whose first event is missing counts its output alone; half a bill would look like the whole.
        return None
    if not all(0 <= tokens <= TOKENS_MAX for tokens in (sent, read, written, got)):
        return None
    written_1h = _part(written_1h, written)
    details = found.output_tokens_details
    thought = _part(details.thinking_tokens, got) if details else 0
    searches = _searches(found.server_tool_use)
    return Usage(sent, read, written - written_1h, written_1h, got - thought, thought, server_tools=searches)


def later_anthropic(earlier: AnthropicUsage, now: AnthropicUsage) -> AnthropicUsage:
    """Return what two reports of one stream say together.

    Counts are cumulative, so the later one holds. What it leaves out, or counts as no input where there had been some,
    is as it was before.
    """
    output = earlier.output_tokens if now.output_tokens is None else now.output_tokens
    return AnthropicUsage(
        now.input_tokens or (now.input_tokens if earlier.input_tokens is None else earlier.input_tokens),
        now.cache_creation_input_tokens or earlier.cache_creation_input_tokens,
        now.cache_read_input_tokens or earlier.cache_read_input_tokens,
        output,
        now.cache_creation or earlier.cache_creation,
        now.output_tokens_details or earlier.output_tokens_details,
        now.server_tool_use or earlier.server_tool_use,
    )


def _searches(ran: ServerTools | None) -> int:
    return _part(ran.web_search_requests, TOKENS_MAX) if ran is not None else 0


def _part(tokens: int | None, left: int) -> int:
    """How much of what is left a detail may claim."""
    return max(0, min(tokens, left)) if tokens else 0
