"""The part of the look at drift that computes; statistics come with it, which a keeper does not need at its start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.evals.drift.calibrating import replay
from watchkeeper.evals.drift.canary import judge
from watchkeeper.evals.drift.levels import Levels, Window
from watchkeeper.evals.drift.look import Occasion, look_at, look_at_volume
from watchkeeper.evals.drift.measured import Measured
from watchkeeper.evals.drift.readings import Group, Look
from watchkeeper.evals.drift.rounds import Round, Verdict
from watchkeeper.evals.drift.sample import Sample, comparable
from watchkeeper.evals.drift.topics import Embed
from watchkeeper.server.drift_found import Due, Found


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares what was found with what it is to be compared with; for a thread of its own."""

    embed: Embed | None
    """For topics; without it they are left out."""

    def calls(self, due: Due, reference: Found, current: Found) -> Look:
        """Compare a window of calls with a reference."""
        return look_at(_occasion(due), _sample(reference), _sample(current), embed=self.embed)

    def volume(self, due: Due, hours: Mapping[datetime, int]) -> Look:
        """Compare how many calls came with earlier windows."""
        begun, now = due.reference.since, sum(hours.get(hour, 0) for hour in due.hours)
        return look_at_volume(_occasion(due), comparable(dict(hours), due.window, due.since, begun), now)

    def round(self, reference: Sequence[Round], now: Round, before: Verdict | None) -> Verdict:
        """Compare a canary's round with earlier ones."""
        return judge(reference, now, before)

    def replay(self, group: Group, window: Window, history: Found, of_look: Levels) -> Measured:
        """Compare each window of a history with the rest of it."""
        return replay(group, window, _sample(history), of_look)


def _occasion(due: Due) -> Occasion:
    return Occasion(
        group=due.group,
        window=due.window,
        since=due.since,
        until=due.until,
        levels=due.levels,
        reference=due.reference,
    )


def _sample(found: Found) -> Sample:
    return Sample(calls=found.calls, rows=found.rows, inputs=found.inputs, outputs=found.outputs)
