"""Budgets and limits as workers and the keeper both see them: whose calls one counts, how much it allows, and when."""

from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.windows import Window

ScopeKind = Literal["organisation", "tenant", "feature", "key", "subject", "tag", "session", "request"]
Scope = tuple[tuple[ScopeKind, str], ...]
"""Pairs of a kind and a value, `*` for each value of its own; all must hold. In the order of `SCOPE_KINDS`."""

SCOPE_KINDS: tuple[ScopeKind, ...] = (
    "organisation", "tenant", "feature", "key", "subject", "tag", "session", "request",
)  # fmt: skip

Mode = Literal["hard", "soft", "degrade", "shadow"]
"""hard: what does not fit is refused. soft: only counted. degrade: as hard, but from a share of the limit on, calls go
to another tier, then to the cache only. shadow: nothing is refused, and what would have been is counted."""
RateUnit = Literal["requests", "tokens", "concurrent"]
Doubt = Literal["refuse", "allow"]


class Budget(Struct, frozen=True, gc=False):
    """What may be spent in a window, by each holder of a scope."""

    id: str
    """Stays when the limit changes, so that what was spent still counts."""
    scope: Scope
    unit: BudgetUnit
    limit: int
    """In nano-dollars, tokens or calls."""
    window: Window
    mode: Mode = "hard"
    degrade_at: float = 1.0
    """Share of the limit from which calls go to `degrade_tier`."""
    degrade_tier: str = ""
    cache_only_at: float = 1.0
    if_unsure: Doubt = "refuse"
    """What is done when the keeper cannot be asked and the worker has nothing left to spend."""
    if_unpriced: Doubt = "refuse"
    """What is done about a call that nobody can price."""
    holds_worst_case: bool = False
    """Always, not only near the limit."""


class Limit(Struct, frozen=True, gc=False):
    """How fast, or how many at a time, each holder of a scope may call."""

    id: str
    scope: Scope
    unit: RateUnit
    limit: int
    per_s: int
    """Length of the window that slides; 0 for `concurrent`."""
    if_unsure: Doubt = "allow"


Rule = Budget | Limit


def account_key(rule_id: str, values: tuple[str, ...]) -> str:
    """Name the account of one holder: the rule and the values of its scope, such as `tenant=*:month:usd|acme`."""
    return "|".join((rule_id, *(quote(value, safe=" *@:") for value in values)))
