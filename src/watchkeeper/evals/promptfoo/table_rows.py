"""Turns one row of a table of tests into a test: columns that begin with two underscores mean something."""

import math
import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.promptfoo.assertion_words import read_assertion
from watchkeeper.evals.promptfoo.errors import ConfigRefused

_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)")
_SPECIAL = (
    "expected",
    "prefix",
    "suffix",
    "description",
    "providerOutput",
    "metric",
    "threshold",
    "metadata",
    "config",
)


def read_row(row: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Return the test as a configuration would have it.

    Raises:
        ConfigRefused: a `__config:` column names an assertion or a setting that there is not, or holds no number.
    """
    test: dict[str, Any] = {"vars": {}, "assert": [], "options": {}, "metadata": {}}
    settings: dict[int, dict[str, float]] = {}
    metric = None
    for written, cell in row.items():
        key = written.strip()
        if key.startswith("__expected"):
            if cell.strip():
                test["assert"].append(read_assertion(cell.strip()))
        elif key in ("__prefix", "__suffix"):
            test["options"][key[2:]] = cell
        elif key in ("__description", "__providerOutput"):
            test[key[2:]] = cell
        elif key == "__metric":
            metric = cell
        elif key == "__threshold":
            test["threshold"] = _number(cell)
        elif key.startswith("__metadata:"):
            _metadata(test["metadata"], key.removeprefix("__metadata:"), cell)
        elif key.startswith("__config:"):
            _setting(settings, key, cell, place)
        elif key != "__metadata":
            test["vars"][key] = cell
    for index, assertion in enumerate(test["assert"]):
        if metric is not None:
            assertion["metric"] = metric
        for name, value in settings.get(index, {}).items():
            assertion[name] = value
            test["metadata"][name] = value
    optional = ("description", "providerOutput", "threshold", "metadata")
    return {key: value for key, value in test.items() if key not in optional or value}


def single_underscores(head: Mapping[str, Any]) -> list[str]:
    """Return the columns that were probably meant to begin with two underscores."""
    return [key for key in head if not key.startswith("__") and key.startswith(tuple(f"_{name}" for name in _SPECIAL))]


def _number(text: str) -> float | None:
    """As `parseFloat` does: what stands at the beginning counts."""
    found = _NUMBER.match(text)
    return float(found[0]) if found else None


def _metadata(metadata: dict[str, Any], key: str, cell: str) -> None:
    if not cell.strip():
        return
    if key.endswith("[]"):
        parts = [part.strip() for part in re.split(r"(?<!\\),", cell)]
        metadata[key[:-2]] = [part.replace("\\,", ",", 1) for part in parts]
    else:
        metadata[key] = cell


def _setting(settings: dict[int, dict[str, float]], key: str, cell: str, place: str) -> None:
    parts = key.removeprefix("__config:").split(":")
    if len(parts) != 2:
        return
    which, name = parts
    number = re.fullmatch(r"__expected(\d*)", which)
    if number is None or name != "threshold":
        raise ConfigRefused(f"{place}: the column {key} must be `__config:__expectedN:threshold`.")
    value = _number(cell)
    if value is None or not math.isfinite(value):
        raise ConfigRefused(f"{place}: the column {key} must hold a number, not `{cell}`.")
    settings.setdefault(int(number[1] or 1) - 1, {})[name] = value
