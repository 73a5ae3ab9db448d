"""What the requests of OpenAI's surfaces have in common: errors that name a field, and fields that pass through."""

import msgspec
from msgspec import Raw

from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.refusals import BadRequest

fields_of = msgspec.json.Decoder(dict[str, Raw]).decode

_DEFAULTS: dict[str, frozenset[bytes]] = {
    "n": frozenset({b"1"}),
    "best_of": frozenset({b"1"}),
    "echo": frozenset({b"false"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "logit_bias": frozenset({b"{}"}),
    "logprobs": frozenset({b"false"}),
    "top_logprobs": frozenset({b"0"}),
    "metadata": frozenset({b"{}"}),
    "modalities": frozenset({b'["text"]', b"[]"}),
    "service_tier": frozenset({b'"auto"'}),
    "store": frozenset({b"false"}),
    "verbosity": frozenset({b'"medium"'}),
}
_NULL = b"null"


def others_of(fields: dict[str, Raw], known: frozenset[str]) -> dict[str, Raw]:
    """Leave the fields that are not known here and say something: neither null nor what holds without them."""
    others: dict[str, Raw] = {}
    for name, value in fields.items():
        if name not in known:
            text = bytes(value)
            if text != _NULL and text not in _DEFAULTS.get(name, ()):
                others[name] = value
    return others


def refused(problem: msgspec.ValidationError) -> BadRequest | CannotCarry:
    """Tell the client which of its fields is wrong; a field that nobody here knows cannot be carried."""
    what, _, where = str(problem).partition(" - at `$")
    place = where.strip(".`")
    if what.startswith(("Object missing required field", "Object contains unknown field")):
        name = what.rsplit("`", 2)[-2]
        field = f"{place}.{name}" if place else name
        if what.startswith("Object contains"):
            return CannotCarry(field)
        return BadRequest(f"`{field}` is required.", param=field)
    return BadRequest(f"`{place}` has the wrong type: {what[:1].lower()}{what[1:]}.", param=place or None)


def wrong(field: str, why: str) -> BadRequest:
    """Tell the client that a field has a value that it cannot have."""
    return BadRequest(f"`{field}` {why}.", param=field)


def limit_of(asked: int | None, also_asked: int | None) -> int | None:
    """Choose between `max_completion_tokens` and `max_tokens`.

    Raises:
        BadRequest: both are given, and they differ.
    """
    if asked is None or also_asked is None or asked == also_asked:
        return also_asked if asked is None else asked
    raise wrong("max_tokens", "and `max_completion_tokens` contradict each other")


def stops_of(stop: str | list[str] | None) -> tuple[str, ...]:
    """Read `stop`: one text or several."""
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)
