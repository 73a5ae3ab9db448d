"""A/A: windows of one's own history against the rest of it, and how often that would have been told as drift.

Where a feature's calls are not independent of each other in a way that nobody has thought of, it shows here: the share
of false alarms is measured, not believed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from watchkeeper.evals.drift.following import LENGTH, told
from watchkeeper.evals.drift.levels import Levels, Window
from watchkeeper.evals.drift.look import LEAST, Occasion, look_at
from watchkeeper.evals.drift.measured import Measured
from watchkeeper.evals.drift.readings import Group, Look, Reference
from watchkeeper.evals.drift.sample import Sample

MONTH = timedelta(days=30)
WINDOWS_MAX = 720


def replay(group: Group, window: Window, history: Sample, levels: Levels) -> Measured:
    """Compare each window of a history with everything else in it, as if that were its reference."""
    starts = _windows(history, window)
    looks: list[Look] = []
    left_out = 0
    for start in starts:
        first, end = start.timestamp(), (start + LENGTH[window]).timestamp()
        inside = [first <= row.at < end for row in history.rows]
        if sum(inside) < LEAST:
            left_out += 1
            continue
        occasion = Occasion(
            group=group, window=window, since=start, until=start + LENGTH[window], levels=levels,
            reference=Reference(since=starts[0], until=starts[-1] + LENGTH[window], by="A/A"),
        )  # fmt: skip
        looks.append(look_at(occasion, history.part([not one for one in inside]), history.part(inside)))
    alarms, by_signal = _alarms(looks)
    return Measured(
        group=group,
        window=window,
        looks=len(looks),
        left_out=left_out,
        alarms=alarms,
        by_signal=by_signal,
        a_month=alarms * (MONTH / LENGTH[window]) / len(looks) if looks else None,
        suspected=sum(one.breach != "" for look in looks for one in look.readings),
    )


def _alarms(looks: Sequence[Look]) -> tuple[int, dict[str, int]]:
    by_signal: dict[str, int] = {}
    open_signals: set[str] = set()
    before: Look | None = None
    for look in looks:
        now = {one.signal for one in told(look, before)}
        for name in now - open_signals:
            by_signal[name] = by_signal.get(name, 0) + 1
        breached = {one.signal for one in look.readings if one.breach}
        open_signals = now | (open_signals & breached)
        before = look
    return sum(by_signal.values()), by_signal


def _windows(history: Sample, window: Window) -> list[datetime]:
    if not history.rows:
        return []
    first = datetime.fromtimestamp(min(row.at for row in history.rows), UTC)
    last = datetime.fromtimestamp(max(row.at for row in history.rows), UTC)
    start = first.replace(minute=0, second=0, microsecond=0)
    if window == "day":
        start = start.replace(hour=0)
    found: list[datetime] = []
    while start <= last and len(found) < WINDOWS_MAX:
        found.append(start)
        start += LENGTH[window]
    return found
