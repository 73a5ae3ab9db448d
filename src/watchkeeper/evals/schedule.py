"""A suite that is run again and again: when, whom it asks, and what it is compared with."""

from datetime import datetime

from msgspec import Struct

from watchkeeper.config import evals as written
from watchkeeper.config.cron import last_due, next_due
from watchkeeper.config.evals import PREVIOUS

NO_BASELINE = "none"
BY_PREFIX = "schedule:"
"""Begins who has started a run that no person has started."""


class Schedule(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A schedule, wherever it is kept."""

    name: str
    """Unique."""
    suite: str
    """`FEATURE/NAME`: its latest version when it is due."""
    candidate: str = ""
    """As in `api.evaluating.RunWish`."""
    baseline: str = PREVIOUS
    """`previous`, `none`, or as in `api.evaluating.RunWish`."""
    cron: str
    """As `config.cron` reads it."""
    tz: str = "UTC"
    cap_nusd: int | None = None
    repeats: int | None = None

    @property
    def feature(self) -> str:
        """Return the feature of its suite."""
        return self.suite.partition("/")[0]

    @property
    def timing(self) -> str:
        """Return what tells when it is due; one that is due at other times now has missed nothing."""
        return f"{self.cron} {self.tz}"

    def last_due(self, *, since: datetime, until: datetime) -> datetime | None:
        """Return when it was due last in a stretch of time, its end included."""
        return last_due(self.cron, self.tz, since=since, until=until)

    def next_due(self, after: datetime) -> datetime | None:
        """Return when it is due next; None where never again."""
        return next_due(self.cron, self.tz, after)


def declared(one: written.Schedule) -> Schedule:
    """Return what the configuration says of a schedule."""
    return Schedule(
        name=one.identity,
        suite=one.suite,
        candidate=one.candidate,
        baseline=one.baseline,
        cron=one.cron,
        tz=one.tz,
        cap_nusd=one.cap,
        repeats=one.repeats,
    )
