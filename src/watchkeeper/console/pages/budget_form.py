"""The form in which a budget is edited or added: what was typed, and beside each field what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.config.budget_words import BudgetWrong, Definition
from watchkeeper.config.problems import Place

FIELDS = {
    "name": ("Name", "letters, digits, . _ -; may be empty"),
    "scope": ("Scope", "feature=support, or tenant=*; several between commas"),
    "limit": ("Limit in money", "500 USD"),
    "tokens": ("Limit in tokens", "whole number"),
    "calls": ("Limit in calls", "whole number"),
    "window": ("Window", "calendar-month, rolling 24h, lifetime"),
    "tz": ("Time zone", "UTC"),
    "mode": ("Mode", ""),
    "degrade_at": ("Degrade from", "80%"),
    "degrade_tier": ("to tier", "cheap"),
    "degrade_cache": ("cache only from", "95%"),
    "alerts": ("Alerts at", "50%, 80%, 100%"),
}
"""Field of the form -> its label, and what may be typed."""
FIXED = ("name", "scope", "window", "tz")
"""Fields that say which budget it is: chosen when it is made, and not changed afterwards."""
MODES = ("hard", "soft", "degrade", "shadow")
_WHOLE = ("tokens", "calls")
_DEGRADE = {"degrade_at": "at", "degrade_tier": "tier", "degrade_cache": "cache_only_at"}
_SCOPE_PAIRS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field."""

    name: str
    label: str
    hint: str
    value: str
    problem: str
    """In the configuration's words; empty when it is right."""
    is_fixed: bool
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetForm:
    """The page."""

    name: str
    """Identity of the budget that is edited; empty for a new one."""
    title: str
    action: str
    fields: tuple[FormField, ...]
    problems: tuple[str, ...]
    """About the whole."""
    reason: str
    reason_problem: str
    declared: tuple[tuple[str, str], ...]
    """What the file says, key by key; empty where it says nothing."""


def typed_of(definition: Definition) -> dict[str, str]:
    """Write a definition into the form's fields."""
    degrade: Mapping[str, Any] = definition.get("degrade", {})
    plain = {name: str(definition[name]) for name in ("name", "limit", "tokens", "calls") if name in definition}
    return plain | {
        "scope": ", ".join(f"{kind}={value}" for kind, value in definition.get("scope", {}).items()),
        "window": definition.get("window", "calendar-month"),
        "tz": definition.get("tz", "UTC"),
        "mode": definition.get("mode", "hard"),
        "alerts": ", ".join(definition.get("alerts", ["50%", "80%", "100%"])),
        **{field: str(degrade[key]) for field, key in _DEGRADE.items() if key in degrade},
    }


def definition_from(typed: Mapping[str, str], base: Definition) -> Definition:
    """Read the form over what a budget was before: fields that were emptied leave the definition."""
    found = {key: value for key, value in base.items() if key not in ("limit", "tokens", "calls", "degrade")}
    given = {name: typed.get(name, "").strip() for name in FIELDS}
    for name in ("name", "window", "tz", "mode", "limit"):
        if given[name]:
            found[name] = given[name]
    for name in _WHOLE:
        if text := given[name].replace(",", "").replace(" ", ""):
            found[name] = int(text) if text.isdecimal() and len(text) < 18 else text
    if given["scope"]:
        pairs = [pair.partition("=") for pair in given["scope"].split(",")][:_SCOPE_PAIRS_MAX]
        found["scope"] = {kind.strip(): value.strip() for kind, _, value in pairs}
    found["alerts"] = [part.strip() for part in given["alerts"].split(",") if part.strip()]
    degrade = {key: given[field] for field, key in _DEGRADE.items() if given[field]}
    if degrade and found.get("mode") == "degrade":
        found["degrade"] = degrade
    return found


def budget_form(
    typed: Mapping[str, str],
    *,
    name: str = "",
    declared: Definition | None = None,
    wrong: BudgetWrong | None = None,
    reason_problem: str = "",
) -> BudgetForm:
    """Build the page.

    Args:
        typed: By field.
        name: Identity of the budget that is edited; empty for a new one.
        declared: What the file says of it.
        wrong: Why what was typed cannot be taken.
        reason_problem: What is wrong with the reason.
    """
    by_field = _by_field(wrong.problems if wrong is not None else ())
    return BudgetForm(
        name=name,
        title=f"Edit {name}" if name else "Add a budget",
        action="/budgets/edit" if name else "/budgets/new",
        fields=tuple(
            FormField(
                name=one,
                label=label,
                hint=hint,
                value=typed.get(one, ""),
                problem="; ".join(by_field.get(one, ())),
                is_fixed=bool(name) and one in FIXED,
                options=MODES if one == "mode" else (),
            )
            for one, (label, hint) in FIELDS.items()
        ),
        problems=tuple(by_field.get("", ())),
        reason=typed.get("reason", ""),
        reason_problem=reason_problem,
        declared=tuple((key, _plain(value)) for key, value in declared.items()) if declared else (),
    )


def _by_field(problems: Sequence[tuple[Place, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, message in problems:
        key = str(place[0]) if place else ""
        if key == "degrade" and len(place) > 1:
            key = next((field for field, part in _DEGRADE.items() if part == place[1]), "")
        where = f"{place[1]} " if key == "scope" and len(place) > 1 else ""
        found.setdefault(key if key in FIELDS else "", []).append(f"{where}{message}")
    return found


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
