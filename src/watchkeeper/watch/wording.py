"""How figures, scopes and moments are written in alerts."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from watchkeeper.core.money import BudgetUnit, usd

_CENT_NUSD = 10_000_000
_LISTED_BY = {
    "tenant": "tenant",
    "feature": "feature",
    "key": "key",
    "subject": "subject",
    "tag": "tag",
    "session": "session",
}
"""Kind of scope -> parameter of the console's list of calls."""


def amount(value: int, unit: BudgetUnit) -> str:
    """Write an amount with its unit; money to the cent, below a dollar exactly."""
    match unit:
        case "nusd":
            return dollars(value)
        case "tokens" | "calls":
            return f"{value:,} {unit}"


def dollars(nusd: int) -> str:
    """Write money to the cent, below a dollar exactly."""
    if abs(nusd) < 100 * _CENT_NUSD:
        return f"${usd(nusd)}"
    cents = round(nusd / _CENT_NUSD)
    return f"${cents // 100:,}.{cents % 100:02d}"


def scope_words(scope: Mapping[str, str]) -> str:
    """Write whose calls count: `feature support, tenant acme`, or `all calls`."""
    return ", ".join(f"{kind} {value}" for kind, value in sorted(scope.items()) if kind in _LISTED_BY) or "all calls"


def calls_link(console: str, scope: Mapping[str, str], *, output: str = "") -> str:
    """Write where the calls of a scope are listed: an address where the console's is known, else a command.

    Args:
        console: Its address; empty where it is not known.
        scope: Kinds that a list cannot be narrowed by are left out.
        output: Only calls with this status of the output; empty for any.
    """
    chosen = {_LISTED_BY[kind]: value for kind, value in sorted(scope.items()) if kind in _LISTED_BY}
    if console:
        asked = chosen | ({"output": output} if output else {})
        return f"{console}/calls{'?' if asked else ''}{urlencode(asked)}"
    chosen |= {"output-status": output} if output else {}
    options = "".join(f" --{name} {value}" for name, value in chosen.items())
    return f"`watchkeeper calls{options}`"


def moment(at: datetime) -> str:
    """Write a moment to the minute with its zone."""
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


def window_words(start: datetime | None, end: datetime | None) -> str:
    """Write since when, and until when, a budget counts."""
    if start is None:
        return "since it exists" if end is None else f"until {moment(end)}"
    return f"since {moment(start)}" if end is None else f"from {moment(start)} to {moment(end)}"
