"""Runs tasks: many at a time, as fast as each target takes them, within a sum of money."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from watchkeeper.evals.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One case, under one arm, to be asked once."""

    arm: str
    case: str
    repeat: int
    target: str
    """What is asked, for which the concurrency is adapted; empty where nothing is."""
    perform: Callable[[], Awaitable[Outcome]]
    """Ask and mark; never raises for what is wrong with the case, the answer or the model."""
