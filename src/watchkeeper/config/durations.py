"""Lengths of time as people write them: `250ms`, `3s`, `10m`, `1h`, `7d`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_WRITTEN = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_S = 366 * 86400.0


def seconds_of(text: str) -> float:
    """Read a length of time.

    Raises:
        ValueError: it is not written so, or it is longer than a year.
    """
    found = _WRITTEN.match(text.strip())
    if found is None:
        raise ValueError("must be a length of time such as `250ms`, `3s`, `10m`, `1h` or `7d`")
    length_s = float(found[1]) * _SECONDS[found[2]]
    if length_s > LONGEST_S:
        raise ValueError("must not be longer than a year")
    return length_s


def _read(given: Any) -> float:
    if isinstance(given, str):
        return seconds_of(given)
    raise ValueError("must be a length of time with its unit, such as `3s`")


def written(length_s: float) -> str:
    """Write a length of time the way it is read."""
    for unit in ("d", "h", "m", "s"):
        if length_s >= _SECONDS[unit] and (length_s / _SECONDS[unit]).is_integer():
            return f"{int(length_s / _SECONDS[unit])}{unit}"
    return f"{length_s * 1000:g}ms"


Duration = Annotated[
    float,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["3s"]}),
]
"""Seconds."""
