"""The stretch of time a page looks at, as it stands in the URL."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.store.rows import YEARS

WINDOWS: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""Windows that end now, by the name they have in the URL."""
_STEPS_S = {"1h": 60, "6h": 300, "24h": 1_200, "7d": 7_200, "30d": 43_200}
CUSTOM_STEPS = 60
ALL = "all"
CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `since` (inclusive) to `until` (exclusive; None for now and on)."""

    name: str
    """A key of `WINDOWS`, `all`, or `custom`."""
    since: datetime | None
    until: datetime | None

    def steps(self, now: datetime) -> tuple[datetime, datetime, int]:
        """Return a beginning, an end, and into how many steps to cut what lies between them, for charts.

        The steps of a named window begin at round times and the last of them holds the present; a window
        without an end reaches to the present, one without a beginning thirty days back.
        """
        if self.name in _STEPS_S:
            step_s = _STEPS_S[self.name]
            until = datetime.fromtimestamp((now.timestamp() // step_s + 1) * step_s, UTC)
            return until - WINDOWS[self.name], until, int(WINDOWS[self.name].total_seconds()) // step_s
        until = self.until or now
        since = self.since or until - WINDOWS["30d"]
        return since, until, max(1, min(CUSTOM_STEPS, int((until - since).total_seconds())))

    def parameters(self) -> dict[str, str]:
        """Return the URL parameters that give this window again."""
        if self.name != CUSTOM:
            return {"window": self.name}
        bounds = {"since": self.since, "until": self.until}
        return {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in bounds.items() if at is not None}


def read_window(parameters: dict[str, str], *, now: datetime, default: str, problems: list[str]) -> Window:
    """Read `window`, or `since` and `until`; what cannot be read is named in `problems` and left out.

    Args:
        parameters: Of the URL.
        now: The present, in UTC.
        default: The window's name when the URL asks for none.
        problems: Receives one sentence for each value that was not understood.
    """
    since = _instant(parameters.get("since", ""), "since", problems)
    until = _instant(parameters.get("until", ""), "until", problems)
    if since and until and since >= until:
        problems.append("The window ends before it begins; both ends were ignored.")
        since = until = None
    if since or until:
        return Window(name=CUSTOM, since=since, until=until)
    name = parameters.get("window") or default
    if name == ALL:
        return Window(name=ALL, since=None, until=None)
    if name not in WINDOWS:
        problems.append(f"There is no window “{name[:40]}”; known are {', '.join(WINDOWS)} and {ALL}.")
        name = default
    return Window(name=name, since=now - WINDOWS[name] if name != ALL else None, until=None)


def _instant(text: str, name: str, problems: list[str]) -> datetime | None:
    """Read ISO 8601; a time without a zone is UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if at.year not in YEARS:
            problems.append(f"“{text[:40]}” ({name}) is outside the years {YEARS[0]} to {YEARS[-1]}; it was ignored.")
            return None
        return at
    except (ValueError, OverflowError):
        problems.append(f"“{text[:40]}” is not a time ({name}); write it like 2026-01-31T14:05Z.")
        return None
