"""Calls that are compared: what is known of each, one call of each session, as many as suffice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.drift.comparing import Numbers
from watchkeeper.evals.drift.levels import Window
from watchkeeper.evals.drift.seen import Seen, Text

MATCHED_LEAST = 200
"""Calls of like hours or weekdays, fewer of which make the whole reference be taken."""
HOURS_BESIDE = 2
"""An hour is compared with the hours of the day around it, so many before and behind."""
CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"})
NO_TOOL = "no tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Calls of one group in one window, in columns."""

    calls: int
    """How many there were; `rows` may be fewer."""
    rows: tuple[Seen, ...]
    inputs: tuple[Text, ...] = ()
    """Beginnings of what was asked in some of them."""
    outputs: tuple[Text, ...] = ()

    def numbers(self, signal: str) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return a figure of each call, and which calls have it."""
        match signal:
            case "input_letters":
                given = [row.input_letters for row in self.rows]
            case "output_letters":
                given = [row.output_letters if row.is_answered else None for row in self.rows]
            case _:
                return self._latency()
        values = np.array([-1 if one is None else one for one in given], dtype=np.float64)
        return values, values >= 0

    def _latency(self) -> tuple[Numbers, NDArray[np.bool_]]:
        values = np.array([row.duration_ms for row in self.rows], dtype=np.float64)
        return values, np.array([row.is_answered for row in self.rows], dtype=np.bool_)

    def words(self, signal: str) -> tuple[list[str], NDArray[np.bool_]]:
        """Return a value of each call, and which calls have one."""
        match signal:
            case "input_language":
                values = [row.input_language for row in self.rows]
            case "output_language":
                values = [row.output_language if row.is_answered else "" for row in self.rows]
            case "tools":
                values = [(row.tools or NO_TOOL) if row.is_answered else "" for row in self.rows]
            case _:
                values = [row.form if row.is_answered else "" for row in self.rows]
        return values, np.array([bool(value) for value in values], dtype=np.bool_)

    def marks(self, signal: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether something holds of each call, and of which calls it can be told."""
        rows = self.rows
        match signal:
            case "refusals":
                met = [row.form == "refusal" for row in rows]
                known = [row.is_answered and row.form != "" for row in rows]
            case "parse_failures":
                met = [row.output_status == "failed" for row in rows]
                known = [row.output_status != "" for row in rows]
            case _:
                met = [row.finish in CUT_OFF for row in rows]
                known = [row.is_answered and row.finish != "" for row in rows]
        return np.array(met, dtype=np.bool_), np.array(known, dtype=np.bool_)

    def part(self, chosen: Sequence[bool] | NDArray[np.bool_]) -> "Sample":
        """Return some of the calls; texts stay as they are."""
        rows = tuple(row for row, is_chosen in zip(self.rows, chosen, strict=True) if is_chosen)
        return Sample(calls=len(rows), rows=rows, inputs=self.inputs, outputs=self.outputs)


def matched(reference: Sample, window: Window, since: datetime) -> Sample:
    """Return what of a reference is like a window: the same hours of the day, working days or not.

    Where that leaves too few calls, the hours count alone, and then nothing does.
    """
    at = [datetime.fromtimestamp(row.at, UTC) for row in reference.rows]
    is_like_day = [_is_weekend(one) == _is_weekend(since) for one in at]
    if window == "day":
        choices = [is_like_day]
    else:
        is_like_hour = [_hours_between(one, since) <= HOURS_BESIDE for one in at]
        choices = [[day and hour for day, hour in zip(is_like_day, is_like_hour, strict=True)], is_like_hour]
    for chosen in choices:
        if sum(chosen) >= MATCHED_LEAST:
            return reference.part(chosen)
    return reference


def comparable(hours: dict[datetime, int], window: Window, since: datetime, begun: datetime) -> list[int]:
    """Return the counts of past windows like one: of the same hour on like days, or of like days.

    Args:
        hours: Calls by hour; an hour without calls may be left out.
        window: Which kind.
        since: Beginning of the window that is compared; it and what comes later is left out.
        begun: Nothing before counts, not even as an hour without calls.
    """
    length = timedelta(hours=1) if window == "hour" else timedelta(days=1)
    found = []
    start = since - timedelta(days=1)
    while start >= begun:
        if _is_weekend(start) == _is_weekend(since):
            steps = int(length / timedelta(hours=1))
            found.append(sum(hours.get(start + timedelta(hours=step), 0) for step in range(steps)))
        start -= timedelta(days=1)
    return found


def _is_weekend(moment: datetime) -> bool:
    return moment.weekday() >= 5


def _hours_between(one: datetime, other: datetime) -> int:
    apart = abs(one.hour - other.hour)
    return min(apart, 24 - apart)
