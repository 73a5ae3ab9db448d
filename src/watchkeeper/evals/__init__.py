"""Evaluation: suites of cases, scorers, runs, statistics, gates, and drift.

For tests: `from watchkeeper.evals import ask, cases, check`; see docs/evals-python.md. Nothing is loaded before its
name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper.evals.pytest_style import CaseOfSuite, ask, cases, check, read_cases, score
    from watchkeeper.evals.surroundings import Surroundings

__all__ = ["CaseOfSuite", "Surroundings", "ask", "cases", "check", "read_cases", "score"]

_HOMES = {"Surroundings": "watchkeeper.evals.surroundings"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "watchkeeper.evals.pytest_style")), name)
