"""Evaluation: suites of cases, scorers, runs, statistics, gates, and drift.

For tests: `from watchkeeper.evals import ask, cases, check`; see docs/evals-python.md. Nothing is loaded before its
name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper.evals.from_python import CaseOfSuite, ask, read_cases, score
    from watchkeeper.evals.pytest_style import cases, check
    from watchkeeper.evals.surroundings import Surroundings

__all__ = ["CaseOfSuite", "Surroundings", "ask", "cases", "check", "read_cases", "score"]

_HOMES = {
    "CaseOfSuite": "watchkeeper.evals.from_python",
    "Surroundings": "watchkeeper.evals.surroundings",
    "ask": "watchkeeper.evals.from_python",
    "cases": "watchkeeper.evals.pytest_style",
    "check": "watchkeeper.evals.pytest_style",
    "read_cases": "watchkeeper.evals.from_python",
    "score": "watchkeeper.evals.from_python",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
