"""Calls of a feature as a window holds them, made up from one source of chance."""

from datetime import UTC, datetime, timedelta

import numpy as np

from watchkeeper.evals.drift.levels import Window, levels
from watchkeeper.evals.drift.look import Occasion
from watchkeeper.evals.drift.readings import Group, Reference
from watchkeeper.evals.drift.sample import Sample
from watchkeeper.evals.drift.seen import Seen

GROUP = Group("support", "production", "wk1-a", "openai/gpt-4o-mini")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = Reference(since=MONDAY, until=MONDAY + timedelta(days=7), by="watchkeeper")
LATER = MONDAY + timedelta(days=8, hours=9)


class Product:
    """A feature whose users and model stay as they are, unless told otherwise."""

    def __init__(self, seed: int) -> None:
        self.dice = np.random.default_rng(seed)

    def sample(
        self,
        count: int,
        since: datetime,
        length: timedelta,
        *,
        answers: float = 1.0,
        inputs: float = 1.0,
        refusals: float = 0.02,
        german: float = 0.1,
        follows: bool = False,
    ) -> Sample:
        """Make calls.

        Args:
            count: How many.
            since: From when on.
            length: Over which time they are spread.
            answers: How long answers are, times the usual.
            inputs: How long inputs are, times the usual.
            refusals: Share of answers that refuse.
            german: Share of inputs in German; the others are in English.
            follows: Whether answers to German inputs are half as long.
        """
        dice = self.dice
        at = since.timestamp() + np.sort(dice.uniform(0, length.total_seconds(), count))
        is_german = dice.random(count) < german
        asked = inputs * dice.lognormal(5, 1, count)
        answered = answers * dice.lognormal(6, 0.8, count) * np.where(is_german & follows, 0.4, 1.0)
        took = dice.lognormal(6.5, 0.5, count)
        is_refused = dice.random(count) < refusals
        fits = dice.random(count) > 0.03
        rows = [
            Seen(
                float(at[one]), int(asked[one]), int(answered[one]), float(took[one]), True,
                "de" if is_german[one] else "en", "en", "refusal" if is_refused[one] else "prose", "stop", "",
                "ok" if fits[one] else "failed",
            )
            for one in range(count)
        ]  # fmt: skip
        return Sample(calls=count, rows=tuple(rows))

    def week(self, count: int = 2_000, **changes: float) -> Sample:
        """Make the calls of the reference."""
        return self.sample(count, WEEK.since, timedelta(days=7), **changes)  # type: ignore[arg-type]  # a table

    def hour(self, count: int = 150, since: datetime = LATER, **changes: float) -> Sample:
        """Make the calls of an hour."""
        return self.sample(count, since, timedelta(hours=1), **changes)  # type: ignore[arg-type]  # a table


def occasion(since: datetime = LATER, window: Window = "hour") -> Occasion:
    """A look at an hour, or at a day."""
    length = timedelta(hours=1) if window == "hour" else timedelta(days=1)
    return Occasion(
        group=GROUP, window=window, since=since, until=since + length, levels=levels(window), reference=WEEK
    )
