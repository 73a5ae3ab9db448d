"""Who wrote a span, and what that writer means by its counts.

Anthropic counts cached input beside `input_tokens`; OpenTelemetry's convention and most libraries count it within. The
same numbers can be either, so it is never guessed from them: the instrumentation's scope decides or, where a collector
has lost it, a family of attribute names that only one writer has. Where each rule was read is said beside it.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from watchkeeper.money.usage import TOKENS_MAX

OBJECT_LENGTH_MAX = 100_000
"""Characters of an attribute that holds an object; a longer one is not read."""
LITERAL_LENGTH_MAX = 10_000
"""Of one that is written as Python writes a dict."""
TEXT_LENGTH_MAX = 300

EmitterName = Literal[
    "anthropic_sdk",
    "claude_code",
    "pydantic_ai",
    "langchain",
    "litellm",
    "vercel",
    "openinference",
    "traceloop",
    "convention",
]


class Told:
    """What a span says, in attributes or in an object inside one; a value of the wrong kind is noted and skipped."""

    def __init__(self, found: Mapping[str, Any], odd: list[str] | None = None) -> None:
        self._found = found
        self.odd: list[str] = [] if odd is None else odd
        """Names of counts that are none."""

    def count(self, *names: str) -> int | None:
        """Return the first of these that is a number of tokens; None where there is none."""
        for name in names:
            value = self._found.get(name)
            if value is None or value == "":
                continue
            tokens = _whole(value)
            if tokens is not None:
                return tokens
            self.odd.append(name)
        return None

    def text(self, *names: str) -> str:
        """Return the first of these that is a text; empty where there is none."""
        for name in names:
            value = self._found.get(name)
            if isinstance(value, str) and value:
                return value[:TEXT_LENGTH_MAX]
        return ""

    def within(self, *path: str) -> "Told":
        """Return what an object says, and an object inside it; one that is not there says nothing."""
        found: Any = self._found
        for name in path:
            found = _object(found.get(name))
        return Told(found, self.odd)

    def has(self, beginnings: tuple[str, ...]) -> bool:
        """Tell whether there is a name that begins so."""
        return any(name.startswith(beginnings) for name in self._found)


class Counted(Struct, frozen=True):
    """A span's counts as its writer means them; None for what it does not say."""

    sent: int | None = None
    got: int | None = None
    """All output; what follows of output is a part of it."""
    total: int | None = None
    """Of `sent` and `got`."""
    is_cache_within: bool = True
    """Cached input is a part of `sent`, and not beside it."""
    cache_read: int | None = None
    cache_write: int | None = None
    """For whatever lifetime."""
    cache_write_1h: int | None = None
    audio_in: int | None = None
    image_in: int | None = None
    reasoning: int | None = None
    audio_out: int | None = None
    image_out: int | None = None
    server_tools: int | None = None


class Emitter(Struct, frozen=True):
    """A writer of spans."""

    name: EmitterName
    scopes: tuple[str, ...]
    """Beginnings of the names of its scopes; one that ends in `=` is the whole name."""
    marks: tuple[str, ...]
    """Beginnings of attribute names that nobody else writes."""
    count: Callable[[Told], Counted]
    provider: str = ""
    """Of every call that it tells of, where it does not say."""


def emitter_of(told: Told, scope: str) -> Emitter:
    """Tell who wrote a span: by its scope, else by its attributes, else somebody who keeps to the convention."""
    by_scope = (one for one in EMITTERS if scope and _is_among(scope, one.scopes))
    by_marks = (one for one in EMITTERS if one.marks and told.has(one.marks))
    return next(by_scope, None) or next(by_marks, _CONVENTION)


def _convention(told: Told) -> Counted:
    """OpenTelemetry's names, those of today and those before, with the extensions of Pydantic AI and OpenLLMetry."""
    name = "gen_ai.usage."
    return Counted(
        sent=told.count(f"{name}input_tokens", f"{name}prompt_tokens"),
        got=told.count(f"{name}output_tokens", f"{name}completion_tokens"),
        total=told.count(f"{name}total_tokens", "llm.usage.total_tokens"),
        cache_read=told.count(
            f"{name}cache_read.input_tokens",
            f"{name}cache_read_input_tokens",
            f"{name}details.cache_read_tokens",
            f"{name}details.cache_read_input_tokens",
            f"{name}details.cached_tokens",
        ),
        cache_write=told.count(
            f"{name}cache_creation.input_tokens",
            f"{name}cache_creation_input_tokens",
            f"{name}cache_write.input_tokens",
            f"{name}details.cache_write_tokens",
            f"{name}details.cache_creation_input_tokens",
        ),
        audio_in=told.count(f"{name}audio.input_tokens", f"{name}details.input_audio_tokens"),
        image_in=told.count(f"{name}image.input_tokens"),
        reasoning=told.count(
            f"{name}reasoning.output_tokens", f"{name}reasoning_tokens", f"{name}details.reasoning_tokens"
        ),
        audio_out=told.count(f"{name}audio.output_tokens", f"{name}details.output_audio_tokens"),
        image_out=told.count(f"{name}image.output_tokens"),
    )


def _anthropic_sdk(told: Told) -> Counted:
    """The usage object of Anthropic's library, kept as it was; without it, nothing is told of what was cached."""
    usage = told.within("response_data", "usage")
    sent = usage.count("input_tokens")
    if sent is None:
        return _convention(told)
    written, written_1h = _writes(usage)
    return Counted(
        sent=sent,
        got=usage.count("output_tokens"),
        is_cache_within=False,
        cache_read=usage.count("cache_read_input_tokens"),
        cache_write=written,
        cache_write_1h=written_1h,
        reasoning=usage.within("output_tokens_details").count("thinking_tokens"),
        server_tools=usage.within("server_tool_use").count("web_search_requests"),
    )


def _claude_code(told: Told) -> Counted:
    return Counted(
        sent=told.count("input_tokens"),
        got=told.count("output_tokens"),
        is_cache_within=False,
        cache_read=told.count("cache_read_tokens"),
        cache_write=told.count("cache_creation_tokens"),
    )


def _langchain(told: Told) -> Counted:
    """Both objects of details are texts as Python writes them. Writes by lifetime stand instead of their sum."""
    sent, got = told.within("gen_ai.usage.input_token_details"), told.within("gen_ai.usage.output_token_details")
    written_5m, written_1h = sent.count("ephemeral_5m_input_tokens"), sent.count("ephemeral_1h_input_tokens")
    written = (written_5m or 0) + (written_1h or 0)
    return replace(
        _convention(told),
        cache_read=sent.count("cache_read"),
        cache_write=written or sent.count("cache_creation"),
        cache_write_1h=written_1h,
        audio_in=sent.count("audio"),
        reasoning=got.count("reasoning"),
        audio_out=got.count("audio"),
    )


def _litellm(told: Told) -> Counted:
    """The usage object among the metadata; its attributes alone do not tell what was cached."""
    usage = told.within("metadata.usage_object")
    sent, got = usage.within("prompt_tokens_details"), usage.within("completion_tokens_details")
    if usage.count("prompt_tokens") is None:
        return _openinference(told) if told.has(("llm.token_count.",)) else _convention(told)
    made = sent.within("cache_creation_token_details")
    return Counted(
        sent=usage.count("prompt_tokens"),
        got=usage.count("completion_tokens"),
        total=usage.count("total_tokens"),
        cache_read=_known(sent.count("cached_tokens"), usage.count("cache_read_input_tokens")),
        cache_write=_known(sent.count("cache_creation_tokens"), usage.count("cache_creation_input_tokens")),
        cache_write_1h=made.count("ephemeral_1h_input_tokens"),
        audio_in=sent.count("audio_tokens"),
        image_in=sent.count("image_tokens"),
        reasoning=got.count("reasoning_tokens"),
        audio_out=got.count("audio_tokens"),
        image_out=got.count("image_tokens"),
        server_tools=usage.within("server_tool_use").count("web_search_requests"),
    )


def _vercel(told: Told) -> Counted:
    """Since version 6 (it alone has `inputTokenDetails`) cached input is within; before, as the provider counts it."""
    theirs = told.within("ai.response.providerMetadata", "anthropic")
    written, written_1h = _writes(theirs.within("usage"))
    is_cache_within = told.has(("ai.usage.inputTokenDetails.",)) or "anthropic" not in told.text("ai.model.provider")
    return Counted(
        sent=told.count("ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.input_tokens"),
        got=told.count("ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"),
        total=told.count("ai.usage.totalTokens"),
        is_cache_within=is_cache_within,
        cache_read=_known(
            told.count("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
            theirs.count("cacheReadInputTokens"),
        ),
        cache_write=_known(
            told.count("ai.usage.inputTokenDetails.cacheWriteTokens"), written, theirs.count("cacheCreationInputTokens")
        ),
        cache_write_1h=written_1h,
        reasoning=told.count("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
    )


def _openinference(told: Told) -> Counted:
    name = "llm.token_count."
    return Counted(
        sent=told.count(f"{name}prompt"),
        got=told.count(f"{name}completion"),
        total=told.count(f"{name}total"),
        cache_read=told.count(f"{name}prompt_details.cache_read"),
        cache_write=told.count(f"{name}prompt_details.cache_write"),
        audio_in=told.count(f"{name}prompt_details.audio"),
        reasoning=told.count(f"{name}completion_details.reasoning"),
        audio_out=told.count(f"{name}completion_details.audio"),
    )


_CONVENTION = Emitter("convention", (), (), _convention)
"""`model/gen-ai` of open-telemetry/semantic-conventions-genai: input includes what was cached, output the reasoning."""

EMITTERS: tuple[Emitter, ...] = (
    # `com.anthropic.claude_code.tracing`, keys without a prefix (comet-ml/opik, ClaudeCodeMappingRules.java); they are
    # the fields of the API, which counts cached input beside.
    Emitter("claude_code", ("com.anthropic.claude_code",), (), _claude_code, provider="anthropic"),
    # pydantic/logfire, integrations/llm_providers/anthropic.py: `response_data.usage` is the library's own object, and
    # `gen_ai.usage.input_tokens` its `input_tokens`.
    Emitter("anthropic_sdk", ("logfire.anthropic=",), (), _anthropic_sdk, provider="anthropic"),
    # pydantic/pydantic-ai, usage.py: `input_tokens` is all input (genai-prices adds the cached); parts under the names
    # of the convention and, in every version, under `gen_ai.usage.details.`.
    Emitter("pydantic_ai", ("pydantic-ai=",), ("pydantic_ai.", "gen_ai.usage.details."), _convention),
    # langchain-ai/langsmith-sdk, _internal/otel/_otel_exporter.py; langchain_anthropic's `_create_usage_metadata` adds
    # the cached to `input_tokens`.
    Emitter("langchain", ("langsmith=",), ("langsmith.",), _langchain),
    # BerriAI/litellm, integrations/opentelemetry.py: metadata is written out, `usage_object` as Python writes a dict;
    # llms/anthropic/chat/transformation.py adds the cached to `prompt_tokens`. Its scope's name can be configured.
    Emitter("litellm", ("litellm=",), ("metadata.usage_object", "gen_ai.cost.", "litellm."), _litellm),
    # vercel/ai, packages/anthropic: `convert-anthropic-messages-usage.ts` adds the cached since version 6; in version 5
    # `inputTokens: response.usage.input_tokens`.
    Emitter("vercel", ("ai=",), ("ai.usage.",), _vercel),
    # Arize-ai/openinference, openinference-instrumentation-anthropic and -langchain: `prompt` is the sum of the three.
    Emitter(
        "openinference",
        ("openinference.instrumentation", "@arizeai/openinference"),
        ("llm.token_count.", "openinference."),
        _openinference,
    ),
    # traceloop/openllmetry, opentelemetry-instrumentation-anthropic: `input_tokens` is prompt + cache_read +
    # cache_creation. Its scopes are named as those of OpenTelemetry's own libraries, so its other attributes tell.
    Emitter("traceloop", ("@traceloop/",), ("traceloop.", "llm.request.type", "llm.usage.total_tokens"), _convention),
)
"""In the order in which they are looked for."""


def _is_among(scope: str, scopes: Iterable[str]) -> bool:
    return any(scope == one[:-1] if one.endswith("=") else scope.startswith(one) for one in scopes)


def _writes(usage: Told) -> tuple[int | None, int | None]:
    """Return what Anthropic's usage object tells of cache writes: all, and those for an hour."""
    made = usage.within("cache_creation")
    written_5m, written_1h = made.count("ephemeral_5m_input_tokens"), made.count("ephemeral_1h_input_tokens")
    parts = None if written_5m is None and written_1h is None else (written_5m or 0) + (written_1h or 0)
    return _known(usage.count("cache_creation_input_tokens"), parts), written_1h


def _known(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _whole(value: Any) -> int | None:
    """Read a number of tokens: also as a text, as JSON carries 64 bits, and as a float that is whole."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    return value if isinstance(value, int) and 0 <= value <= TOKENS_MAX else None


def _object(value: Any) -> Mapping[str, Any]:
    """Read an object: as it is, as JSON, or as Python writes it."""
    if isinstance(value, str) and value.startswith("{") and len(value) <= OBJECT_LENGTH_MAX:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            value = _literal(value)
    return value if isinstance(value, Mapping) else {}


def _literal(text: str) -> Any:
    if len(text) > LITERAL_LENGTH_MAX:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
