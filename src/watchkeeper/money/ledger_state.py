"""How an account of the ledger stands, for people and alerts."""

from dataclasses import dataclass
from datetime import datetime

from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.budgets import Mode


@dataclass(frozen=True, slots=True)
class AccountState:
    """One holder of one budget, now."""

    key: str
    budget: str
    """Id of the rule."""
    scope: dict[str, str]
    """By kind of scope, the holder's own value."""
    unit: BudgetUnit
    mode: Mode
    limit: int
    settled: int
    """In the present window."""
    leased: int
    """By all workers."""
    window_start: datetime | None
    """None for all time."""
    window_end: datetime | None
    """None for all time; of a rolling window, when the oldest part of it is next left out."""
    expired: int = 0
    """Held by calls of workers that died, until somebody resolves it."""
    refused: int = 0
    """Questions refused, ever."""
    would_refuse: int = 0
    """Calls that would have been refused in mode `shadow`, ever."""
    unpriced_calls: int = 0
    """Calls counted as 0 as nobody could price them, ever."""
