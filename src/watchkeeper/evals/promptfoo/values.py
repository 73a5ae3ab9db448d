"""What JavaScript makes of values: text, truth, numbers, white space, equality. Verdicts of promptfoo rest on it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.promptfoo.documents import write_json

WHITE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What `\\s` matches and `trim` removes, as the inside of a character class."""
_SPACE = re.compile(f"[{WHITE}]+")
_ENDS = re.compile(f"^[{WHITE}]+|[{WHITE}]+$")
_NUMBER = re.compile(r"[-+]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", re.ASCII)
_DIGITS_MAX = 400
"""Longer whole numbers are infinite as numbers of JavaScript."""


def truth(value: Any) -> bool:
    """Tell whether JavaScript takes a value for true: empty lists and objects are."""
    match value:
        case None | False | 0 | "":
            return False
        case float():
            return not math.isnan(value)
        case _:
            return True


def number_text(value: float) -> str:
    """Write a number as `String(number)` does: 1.0 is `1`, 1e21 is `1e+21`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if abs(value) >= 1e21:
        digits, _, exponent = repr(float(value)).partition("e")
        return f"{digits.removesuffix('.0')}e+{exponent.lstrip('+')}"
    if float(value).is_integer():
        return str(int(value))
    written = repr(float(value))
    if "e" in written and abs(value) >= 1e-6:
        return f"{value:.20f}".rstrip("0")
    return re.sub(r"e-0?", "e-", written)


def text(value: Any) -> str:
    """Write a value as `String(value)` does."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case list() | tuple():
            return ",".join("" if item is None else text(item) for item in value)
        case Mapping():
            return "[object Object]"
        case _:
            return str(value)


def output_text(value: Any) -> str:
    """Write an output as assertions look at it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else write_json(value)


def number(value: Any) -> float:
    """Return what `Number(value)` gives; NaN for what is none."""
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case str():
            return _number_of(trim(value))
        case _:
            return math.nan


def leading_number(value: Any) -> float:
    """Return what `parseFloat(value)` gives: the number that a text begins with, else NaN."""
    found = _NUMBER.match(_ENDS.sub("", text(value)))
    return float(found[0].replace("Infinity", "inf")) if found else math.nan


def _number_of(written: str) -> float:
    if not written:
        return 0.0
    if re.fullmatch(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+", written):
        return float(int(written, 0))
    return float(written.replace("Infinity", "inf")) if _NUMBER.fullmatch(written) else math.nan


def fixed(value: float, digits: int) -> str:
    """Write a number as `toFixed` does."""
    return f"{value:.{digits}f}"


def trim(value: str) -> str:
    """Remove white space at both ends, as `trim` does."""
    return _ENDS.sub("", value)


def words(value: str) -> list[str]:
    """Split at white space as `split(/\\s+/)` does: an empty text is one empty word, ends may give empty ones."""
    return _SPACE.split(value)


def units(value: str) -> list[int]:
    """Return the UTF-16 code units of a text, which JavaScript takes for its letters."""
    data = value.encode("utf-16-le", "surrogatepass")
    return [data[at] | data[at + 1] << 8 for at in range(0, len(data), 2)]


def parse_json(value: str) -> Any:
    """Read JSON as `JSON.parse` does. Raises ValueError."""
    try:
        return json.loads(value, parse_constant=_refuse, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < _DIGITS_MAX else float(digits)


def same(left: Any, right: Any) -> bool:
    """Tell whether two values of JSON are deeply and strictly equal: 1 is 1.0, but never true."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or (left != left and right != right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)
