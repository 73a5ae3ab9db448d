"""The keeper's look at drift: which groups are due, what they are compared with, and where findings go."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.clock import Clock
from watchkeeper.evals.drift.following import BY, FIRST_DAYS, YOUNG, first_reference, over, told, window_before
from watchkeeper.evals.drift.levels import LOOKS_A_MONTH, RATE, Levels, Window, levels
from watchkeeper.evals.drift.measured import Measured
from watchkeeper.evals.drift.readings import Group, Look, Reading, Reference, sentence
from watchkeeper.evals.drift.seen import Seen, Text
from watchkeeper.evals.drift.signals import SIGNAL
from watchkeeper.server.drift_found import Due, Found
from watchkeeper.server.rounds import Duty
from watchkeeper.store.alerts import Alerts
from watchkeeper.store.drift import Drift, FindingDraft
from watchkeeper.store.drift_figures import SampledText
from watchkeeper.watch import drift as watching

if TYPE_CHECKING:
    from watchkeeper.server.drift_looks import Comparer

EVERY_S = 300.0
LATE = timedelta(minutes=2)
"""An hour is looked at when it is over for so long: the calls of its last seconds have been taken in then."""
LEAST_CALLS = 100
GROUPS_MAX = 50
"""Of one look, those with the most calls."""
SAMPLE_MAX = 5_000
HISTORY_MAX = 50_000
"""Calls of a group whose windows are replayed."""
TEXTS_MAX = 500
BACK = timedelta(days=90)
"""How far back a group's beginning is looked for."""
VOLUME_BACK = timedelta(days=28)
REPLAYED = timedelta(days=28)
SILENT = timedelta(days=2)
"""A group without calls for so long has no drift any more."""
KEPT_MAX = 64
"""Samples of references that are kept in memory."""

TOO_YOUNG = "There is less than a day of calls to compare with."
AS_BEFORE = "it is as it was before."
SILENCE = "No calls of it come any more."

_log = logging.getLogger("watchkeeper.drift")


class Figures(Protocol):
    """The questions asked of the analytics store, as `store.drift_figures` answers them."""

    async def groups(self, since: datetime, until: datetime, *, least: int, limit: int) -> dict[Group, int]:
        """Return the groups with so many calls in a window."""
        ...

    async def begun(self, group: Group, since: datetime) -> datetime | None:
        """Return when the first call of a group came."""
        ...

    async def sample(
        self, group: Group, since: datetime, until: datetime, *, limit: int
    ) -> tuple[int, tuple[Seen, ...]]:
        """Return how many calls a window has, and a sample."""
        ...

    async def texts(self, group: Group, since: datetime, until: datetime, *, limit: int) -> tuple[SampledText, ...]:
        """Return beginnings of what was asked and answered."""
        ...

    async def hours(self, since: datetime, until: datetime) -> dict[tuple[str, str], dict[datetime, int]]:
        """Return calls by hour, feature and environment."""
        ...


@dataclass(slots=True, kw_only=True)
class DriftWatch:
    """Looks at every group of calls once for each hour and each day that is over."""

    drift: Drift
    alerts: Alerts
    figures: Figures
    notifications: Callable[[], Notifications]
    clock: Clock
    comparer: "Callable[[], Comparer]"
    """Called in a thread, at a look: what computes may take a while to load."""
    false_alarms: Callable[[], float | None] = lambda: 1.0
    """Per feature and thirty days; None where drift is not looked for."""
    console: str = ""
    """Address of the console, for links; empty when it is not known."""
    looked_until: dict[Window, datetime] = field(default_factory=dict[Window, datetime])
    """End of the last window of each kind that was looked at."""
    kept: dict[tuple[Group, datetime, datetime], Found] = field(
        default_factory=dict[tuple[Group, datetime, datetime], Found]
    )
    """References that were read of late: what is over does not change."""

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (Duty("looking for drift", EVERY_S, self.look),)

    async def look(self) -> None:
        """Look at the last hour and the last day, if they were not looked at."""
        rate = self.false_alarms()
        if rate is None:
            return
        now = self._now()
        for window in LOOKS_A_MONTH:
            since, until = window_before(now - LATE, window)
            if self.looked_until.get(window) != until:
                await self._look_at_window(window, since, until, rate)
                self.looked_until[window] = until
        await self._end_silent(now)

    async def calibrate(self, feature: str) -> Sequence[Measured]:
        """Replay the last four weeks of a feature's groups against themselves, by hours and by days."""
        until = window_before(self._now(), "hour")[1]
        groups = await self.figures.groups(until - REPLAYED, until, least=LEAST_CALLS, limit=GROUPS_MAX * 10)
        own = [group for group in groups if group.feature == feature]
        measured: list[Measured] = []
        for group in own:
            history = Found(*await self.figures.sample(group, until - REPLAYED, until, limit=HISTORY_MAX))
            for window in LOOKS_A_MONTH:
                of_look = levels(window, groups=len(own) + 1, rate=self.false_alarms() or RATE)
                measured.append(await asyncio.to_thread(self._replay, group, window, history, of_look))
        return measured

    async def _look_at_window(self, window: Window, since: datetime, until: datetime, rate: float) -> None:
        last = {(look.group, look.window): look for look in await self.drift.looks()}
        accepted = await self.drift.references()
        groups = await self.figures.groups(since, until, least=LEAST_CALLS, limit=GROUPS_MAX)
        hours = await self.figures.hours(until - VOLUME_BACK, until)
        volumes = {Group(feature, environment, "", ""): counts for (feature, environment), counts in hours.items()}
        many = Counter(group.feature for group in (*groups, *volumes))
        for group in (*groups, *volumes):
            known = last.get((group, window))
            if known is not None and known.until >= until:
                continue
            if group in volumes:
                begun = max(min(volumes[group]), _accepted_since(accepted.get(group), min(volumes[group])))
                reference: Reference | None = Reference(since=begun, until=since, by=BY)
            else:
                reference = await self._reference(group, since, accepted.get(group))
            if reference is None:
                empty = Look(group=group, window=window, since=since, until=until, calls=groups[group])
                await self.drift.note_look(msgspec.structs.replace(empty, not_judged=TOO_YOUNG))
                continue
            due = Due(
                group=group, window=window, since=since, until=until, reference=reference,
                levels=levels(window, groups=many[group.feature], rate=rate),
            )  # fmt: skip
            await self._act(await self._looked(due, volumes.get(group)), last)

    async def _looked(self, due: Due, hours: Mapping[datetime, int] | None) -> Look:
        """Look at a group: at how many calls came, where these are given, else at the calls."""
        if hours is not None:
            return await asyncio.to_thread(lambda: self.comparer().volume(due, hours))
        reference = await self._kept(due.group, due.reference)
        current = await self._found(due.group, due.since, due.until)
        return await asyncio.to_thread(lambda: self.comparer().calls(due, reference, current))

    async def _reference(self, group: Group, since: datetime, known: Reference | None) -> Reference | None:
        """Return what a group is compared with: seven days from its beginning, or what was fixed or accepted since.

        The seven days are written down once they are full. None while there is less than one day.
        """
        if known is not None:
            until = min(known.until, since)
            return msgspec.structs.replace(known, until=until) if until - known.since >= YOUNG else None
        begun = await self.figures.begun(group, since - BACK)
        reference = first_reference(begun, since) if begun is not None else None
        if reference is not None and reference.until - reference.since >= FIRST_DAYS:
            await self.drift.fix_reference(group, reference, reason="its first seven days")
        return reference

    async def _kept(self, group: Group, reference: Reference) -> Found:
        key = group, reference.since, reference.until
        if key not in self.kept:
            while len(self.kept) >= KEPT_MAX:
                del self.kept[next(iter(self.kept))]
            self.kept[key] = await self._found(*key)
        return self.kept[key]

    async def _found(self, group: Group, since: datetime, until: datetime) -> Found:
        calls, rows = await self.figures.sample(group, since, until, limit=SAMPLE_MAX)
        texts = await self.figures.texts(group, since, until, limit=TEXTS_MAX)
        return Found(
            calls,
            rows,
            tuple(Text(one.call, one.asked) for one in texts if one.asked),
            tuple(Text(one.call, one.answered) for one in texts if one.answered),
        )

    def _replay(self, group: Group, window: Window, history: Found, of_look: Levels) -> Measured:
        return self.comparer().replay(group, window, history, of_look)

    async def _act(self, look: Look, last: Mapping[tuple[Group, Window], Look]) -> None:
        """Keep a look, and let what follows from it take effect."""
        before = last.get((look.group, look.window))
        other = last.get((look.group, "day" if look.window == "hour" else "hour"))
        mark = (await self.alerts.marks(watching.KIND)).get(watching.key_of(look.group))
        beyond_doubt = told(look, before)
        gone = over(mark.passed if mark is not None else (), look, before, other)
        found = watching.look(look, beyond_doubt, gone, mark, console=self.console)
        if found:
            raised = await self.alerts.apply(found, self.notifications())
            if raised is None:  # another keeper was first, and writes all of this down
                return
            for row in raised:
                _log.warning("%s %s (%s): %s", row.id, row.kind, row.severity, row.title)
            was_open = mark.passed if mark is not None else frozenset[str]()
            if raised and look.group.target and look.reference is not None:
                # What has moved must not become a part of what later calls are compared with.
                await self.drift.fix_reference(look.group, look.reference, reason="what came before it moved")
            drafts = [_raised(look, one) for one in beyond_doubt if one.signal not in was_open]
            await self.drift.note_findings([*drafts, *(_over(look.group, name, AS_BEFORE) for name in gone)])
        await self.drift.note_look(look)

    async def _end_silent(self, now: datetime) -> None:
        """End what is open of groups that nobody calls any more."""
        marks = {key: mark for key, mark in (await self.alerts.marks(watching.KIND)).items() if mark.passed}
        latest: dict[str, Look] = {}
        for look in await self.drift.looks() if marks else ():
            latest.setdefault(watching.key_of(look.group), look)
        for key, look in latest.items():
            if key not in marks or now - look.until < SILENT:
                continue
            found = watching.ended(look.group, marks[key], SILENCE)
            if await self.alerts.apply(found, self.notifications()) is not None:
                await self.drift.note_findings([_over(look.group, name, SILENCE) for name in marks[key].passed])

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)


def _accepted_since(accepted: Reference | None, otherwise: datetime) -> datetime:
    return accepted.since if accepted is not None else otherwise


def _raised(look: Look, reading: Reading) -> FindingDraft:
    evidence = {
        "window": look.window,
        "since": look.since.isoformat(),
        "until": look.until.isoformat(),
        "reading": msgspec.to_builtins(reading),
    }
    return FindingDraft(
        kind="raised",
        group=look.group,
        signal=reading.signal,
        cause=reading.cause,
        sentence=sentence(reading, look),
        evidence=evidence,
        by=BY,
    )


def _over(group: Group, signal: str, why: str) -> FindingDraft:
    sentence_of = f"{SIGNAL[signal].label}: {why}" if signal in SIGNAL else why
    return FindingDraft(kind="over", group=group, signal=signal, cause="", sentence=sentence_of, evidence={}, by=BY)
