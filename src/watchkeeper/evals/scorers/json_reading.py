"""Reads answers as JSON, all of them or a part."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

WITHIN_LETTERS_MAX = 200_000
"""Of a text in which JSON is looked for; what stands after that is not seen."""
STARTS_MAX = 32
"""Of brackets at which JSON may begin."""

_decode = msgspec.json.Decoder().decode


class Read(NamedTuple):
    """What a text is as JSON."""

    value: Any = None
    problem: str = ""
    """Why it is none; empty where it is."""

    @property
    def is_read(self) -> bool:
        """Whether it is JSON."""
        return not self.problem


def read_json(text: str) -> Read:
    """Read all of a text as JSON; never raises."""
    try:
        return Read(_decode(text.encode()))
    except RecursionError:
        return Read(problem="it is nested too deeply")
    except msgspec.ValidationError:
        return Read(problem="it has a number too large to be read")
    except (msgspec.DecodeError, UnicodeError):
        return Read(problem="it is not JSON" if text.strip() else "it is empty")


def json_within(text: str) -> Iterator[Any]:
    """Yield the objects and lists that stand in a text, the outermost, in order; never raises.

    Only the first STARTS_MAX brackets at which something may begin are tried.
    """
    text, place = text[:WITHIN_LETTERS_MAX], 0
    for _ in range(STARTS_MAX):
        starts = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
        if not starts:
            return
        place = min(starts)
        try:
            value, place = _LENIENT.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError):
            place += 1


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


_LENIENT = json.JSONDecoder(parse_constant=_no_constant)
