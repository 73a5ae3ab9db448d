"""Numbers as people read them. Every function is pure and gives plain text without markup."""

import json
from datetime import datetime, timedelta
from decimal import Decimal

from watchkeeper.core.money import NUSD_PER_USD, usd

NOTHING = "–"
"""Stands where a figure is not known or does not apply."""
_ROUNDS_UP = 999.5
"""From here on three figures round to a thousand, which the next unit writes as 1."""


def count(number: int | None) -> str:
    """Write a whole number with thousands apart: 12480 -> "12,480"."""
    return NOTHING if number is None else f"{number:,}"


def short_count(number: int) -> str:
    """Write a whole number in at most five letters: 12480 -> "12.5k"."""
    if number < 10_000:
        return f"{number:,}"
    for scale, letter in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "B")):
        if number < _ROUNDS_UP * scale:
            return f"{number / scale:.3g}{letter}"
    return f"{number / 1_000_000_000:.0f}B"


def amount(nusd: int | None) -> str:
    """Write dollars without the sign: two decimals from one dollar up, three figures below, never an exponent."""
    if nusd is None:
        return NOTHING
    if nusd == 0:
        return "0"
    dollars = nusd / NUSD_PER_USD
    if abs(dollars) >= 1:
        return f"{dollars:,.2f}"
    places = min(9, 2 - _exponent(dollars))
    return f"{dollars:.{places}f}"


def column_amount(nusd: int | None) -> str:
    """Write dollars without the sign for a column, its points below each other: six decimals below one dollar.

    What is less than the last decimal is told so, never rounded to nothing: "<0.000001".
    """
    if nusd is None:
        return NOTHING
    if nusd == 0 or abs(nusd) >= NUSD_PER_USD:
        return amount(nusd)
    return f"{nusd / NUSD_PER_USD:.6f}" if abs(nusd) >= NUSD_PER_USD // 1_000_000 else "<0.000001"


def money(nusd: int | None) -> str:
    """Write dollars with the sign, as `amount` does; "unpriced" when there is no amount."""
    return "unpriced" if nusd is None else f"${amount(nusd)}"


def signed_amount(nusd: int) -> str:
    """Write a difference in dollars without the sign of dollars: "+1.20", "−0.000450", "0"."""
    if not nusd:
        return "0"
    return f"{'+' if nusd > 0 else '−'}{column_amount(abs(nusd))}"


def exact_money(nusd: int | None) -> str:
    """Write every digit of an amount in dollars."""
    return "unpriced" if nusd is None else f"${usd(nusd)}"


def milliseconds(ms: float | None) -> str:
    """Write a time for a column whose header names the unit ms: 3.21 -> "3.2", 1240.4 -> "1,240"."""
    if ms is None:
        return NOTHING
    return f"{ms:.1f}" if ms < 10 else f"{ms:,.0f}"


def duration(ms: float | None) -> str:
    """Write a time with its unit: "0.42 ms", "340 ms", "1.24 s", "2 min 03 s", "3 h 20 min"."""
    if ms is None:
        return NOTHING
    if ms < 10:
        return f"{ms:.2g} ms"
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.3g} s"
    minutes, seconds = divmod(round(ms / 1_000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(octets: int) -> str:
    """Write a number of bytes: "812 B", "1.2 KB", "3.4 MB" (1 KB = 1,000 B)."""
    if octets < 1_000:
        return f"{octets} B"
    for scale, unit in ((1_000, "KB"), (1_000_000, "MB"), (1_000_000_000, "GB")):
        if octets < _ROUNDS_UP * scale:
            return f"{octets / scale:.3g} {unit}"
    return f"{octets / 1_000_000_000:,.0f} GB"


def share(part: int, whole: int) -> str:
    """Write a part of a whole in percent: "0 %", "0.04 %", "12.5 %"."""
    if whole == 0:
        return NOTHING
    percent = 100 * part / whole
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if 0 < percent < 0.01:
        return "<0.01 %"
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.1f} %"


def rate(dollars_per_million: Decimal) -> str:
    """Write a price per million units without trailing zeros: Decimal("0.150") -> "0.15"."""
    text = f"{dollars_per_million:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(length: timedelta) -> str:
    """Name a length of time in its largest even unit: "24 hours", "7 days", "90 minutes"."""
    seconds = round(length.total_seconds())
    for unit_s, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit_s * (2 if name == "day" else 1) and seconds % unit_s == 0:
            number = seconds // unit_s
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{seconds} seconds"


def iso(at: datetime) -> str:
    """Write an instant for a machine, in UTC with milliseconds and a Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def moment(text: str, form: str = "full") -> str:
    """Write an instant given by `iso` for people, in UTC.

    Args:
        text: The instant; empty gives nothing.
        form: `full` with the year and the zone, `row` for columns whose header names the zone, `clock` without a day.
    """
    if not text:
        return ""
    at = datetime.fromisoformat(text)
    match form:
        case "clock":
            return f"{at:%H:%M:%S}"
        case "row":
            return f"{at:%b %d %H:%M:%S}"
        case _:
            return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def pretty_json(text: str) -> str:
    """Indent a JSON text; text that is not JSON comes back unchanged."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else text


def _exponent(number: float) -> int:
    """Return the decimal exponent of the first significant digit: 0.0123 -> -2."""
    return int(f"{number:e}".split("e")[1])
