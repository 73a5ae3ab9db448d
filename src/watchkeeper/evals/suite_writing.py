"""Writes a suite as people write it: a YAML file, and its cases as lines of JSON beside it."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.core.money import usd
from watchkeeper.evals.suite import Case, Gate, Scorer, Suite
from watchkeeper.releases import yaml_text


def write_suite(suite: Suite, path: Path) -> tuple[Path, Path]:
    """Write a suite; `suite_files.read_suite` then reads the same one. Files that are there are replaced.

    Args:
        suite: Feature and name are left out of the file where its folder and its own name say them.
        path: Of the YAML file; its folder must be there. Cases go into `NAME.cases.jsonl` beside it.

    Returns:
        The YAML file, and the file of cases.

    Raises:
        OSError: something cannot be written.
    """
    cases = path.with_name(f"{path.stem}.cases.jsonl")
    _replace(cases, (msgspec.json.encode(_case(case)) + b"\n" for case in suite.cases))
    _replace(path, [yaml_text.written(_suite(suite, path, cases.name)).encode()])
    return path, cases


def _suite(suite: Suite, path: Path, cases: str) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if suite.feature != path.resolve().parent.name:
        written["feature"] = suite.feature
    if suite.name != path.stem:
        written["name"] = suite.name
    if suite.description:
        written["description"] = suite.description
    written["cases"] = cases
    if suite.scorers:
        written["scorers"] = [_scorer(scorer) for scorer in suite.scorers]
    if suite.repeats != 1:
        written["repeats"] = suite.repeats
    if suite.budget_nusd is not None:
        written["budget"] = f"{usd(suite.budget_nusd)} USD"
    if suite.judge:
        written["judge"] = suite.judge
    if suite.gate != Gate():
        written["gate"] = msgspec.to_builtins(suite.gate)
    return written


def _case(case: Case) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(case)
    if case.scorers:
        written["scorers"] = [_scorer(scorer) for scorer in case.scorers]
    return written


def _scorer(scorer: Scorer) -> dict[str, Any]:
    """With `not` for `negated`."""
    written: dict[str, Any] = msgspec.to_builtins(scorer)
    return {"not" if key == "negated" else key: value for key, value in written.items()}


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.writelines(pieces)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
