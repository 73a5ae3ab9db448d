"""Reads the usage that a span reports, whoever wrote it, and puts every token into exactly one bucket."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from watchkeeper.core.usage import Usage
from watchkeeper.money.emitters import Counted, Emitter, EmitterName, Told, emitter_of

_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_REQUESTED = ("gen_ai.request.model", "llm.request.model_name", "ai.model.id", "llm.model_name", "model")
_RESPONDED = ("gen_ai.response.model", "llm.response.model_name", "ai.response.model")
_TODAY = {
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
}
"""OpenTelemetry's names of providers that were others before."""


class SpanUsage(Struct, frozen=True):
    """What a span tells of what a call used."""

    emitter: EmitterName
    usage: Usage | None
    """None where it does not count the input: half a bill would look like the whole."""
    provider: str
    """In lower case, by OpenTelemetry's name of today; empty where it is not told."""
    requested_model: str
    """Empty where it is not told, as the next."""
    responded_model: str
    is_contradictory: bool
    """Parts exceed what they are parts of, or a count is none: the usage is as near as can be, and worth a look."""

    @property
    def model(self) -> str:
        """The model that is billed: the one that answered, as far as that is told."""
        return self.responded_model or self.requested_model


def usage_of(attributes: Mapping[str, Any], scope: str = "") -> SpanUsage:
    """Read a span's attributes, by name; nothing that is in them makes it fail.

    A span that repeats the totals of its children, such as an agent's, says the same as its model calls do: whoever
    adds up must leave it out.

    Args:
        attributes: Values as OTLP has them: texts, numbers, and objects either as such or written as JSON.
        scope: Name of the instrumentation scope; empty where it is not known.
    """
    told = Told(attributes)
    emitter = emitter_of(told, scope)
    usage, is_contradictory = disjoint(emitter.count(told))
    return SpanUsage(
        emitter.name,
        usage,
        _provider(told, emitter),
        told.text(*_REQUESTED),
        told.text(*_RESPONDED),
        is_contradictory or bool(told.odd),
    )


def disjoint(found: Counted) -> tuple[Usage | None, bool]:
    """Put every token into one bucket; None when the input is not counted. Also tell whether the counts contradict.

    Parts hold as they are told, and what is left of a total is floored at 0. Cache writes whose lifetime is not told
    had the shorter one, Anthropic's default.
    """
    read, written, written_1h = found.cache_read or 0, found.cache_write or 0, found.cache_write_1h or 0
    is_odd = written_1h > written
    written = max(written, written_1h)
    audio_in, image_in = found.audio_in or 0, found.image_in or 0
    cached = read + written if found.is_cache_within else 0
    sent = _total(found)
    if sent is None:
        if not (read or written):
            return None, is_odd
        sent, is_odd = cached + audio_in + image_in, True
    got = found.got
    if got is None:
        got = max(0, found.total - sent) if found.total is not None and found.is_cache_within else 0
    reasoning, audio_out, image_out = found.reasoning or 0, found.audio_out or 0, found.image_out or 0
    uncached = sent - cached - audio_in - image_in
    text = got - reasoning - audio_out - image_out
    usage = Usage(
        input_uncached=max(0, uncached),
        cache_read=read,
        cache_write_5m=written - written_1h,
        cache_write_1h=written_1h,
        output_text=max(0, text),
        output_reasoning=reasoning,
        audio_in=audio_in,
        audio_out=audio_out,
        image_in=image_in,
        image_out=image_out,
        server_tools=found.server_tools or 0,
    )
    return usage, is_odd or uncached < 0 or text < 0


def _total(found: Counted) -> int | None:
    """Return all input; where only the sum with the output is told, what that leaves."""
    if found.sent is not None or found.total is None or found.got is None or not found.is_cache_within:
        return found.sent
    return found.total - found.got if found.total >= found.got else None


def _provider(told: Told, emitter: Emitter) -> str:
    """Vercel names provider and API together, such as `anthropic.messages`."""
    said = told.text(*_PROVIDERS) or told.text("ai.model.provider")
    name = (said.partition(".")[0] if emitter.name == "vercel" else said).lower()
    return _TODAY.get(name, name) or emitter.provider
