"""Budgets and limits for the tests of money: each is about a tag of its own, so that no other test meets it."""

from typing import Any

from msgspec.structs import replace

from watchkeeper.core.money import NUSD_PER_USD, BudgetUnit
from watchkeeper.money.budgets import Budget, Limit
from watchkeeper.money.windows import Window

LIFETIME = Window("lifetime")
CENT = NUSD_PER_USD // 100


def _of_tag(name: str, limit: int, *, unit: BudgetUnit = "nusd", **settings: Any) -> Budget:
    return replace(Budget(name, (("tag", name),), unit, limit, LIFETIME), **settings)


BUDGETS = (
    _of_tag("cent", CENT),
    _of_tag("strict-cent", CENT, holds_worst_case=True),
    _of_tag("seventy", 50 * CENT),
    _of_tag("strict-dollar", 100 * CENT, holds_worst_case=True),
    _of_tag("roomy", 10_000 * CENT),
    _of_tag("soft-cent", CENT, mode="soft"),
    _of_tag("shadow-cent", CENT, mode="shadow"),
    _of_tag("trusting", CENT, if_unsure="allow"),
    _of_tag("careless", CENT, if_unpriced="allow"),
    _of_tag("three-calls", 3, unit="calls"),
    _of_tag("many-tokens", 1_000_000, unit="tokens"),
    _of_tag("monthly", CENT, window=Window("calendar", "month", "Europe/Berlin")),
    _of_tag("degrading", 100 * CENT, mode="degrade", degrade_at=0.8, degrade_tier="cheap", cache_only_at=0.95),
    Budget("each-subject", (("tag", "person"), ("subject", "*")), "calls", 2, LIFETIME),
    Budget("short", (("tag", "short"), ("request", "*")), "tokens", 1_000, LIFETIME),
    Budget("cheap-call", (("tag", "cheap-call"), ("request", "*")), "nusd", CENT // 10, LIFETIME),
    Budget("runaway:session_calls", (("tag", "agent"), ("session", "*")), "calls", 2, LIFETIME),
)
LIMITS = (
    Limit("three-a-minute", (("tag", "three-a-minute"),), "requests", 3, 60),
    Limit("tokens-a-minute", (("tag", "tokens-a-minute"),), "tokens", 60_000, 60),
    Limit("one-at-a-time", (("tag", "one-at-a-time"),), "concurrent", 1, 0),
)
