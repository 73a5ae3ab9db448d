"""Questions about calls of one time and another: which groups there are, and samples of them bounded in size."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from watchkeeper.evals.drift.readings import Group
from watchkeeper.evals.drift.seen import Seen
from watchkeeper.store.questions import Parameters, sql

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]

READ_MAX = 100_000
"""Calls of a window that are read for a sample of it; of more, one in so many."""
HOURS_MAX = 500_000
_OF_GROUP = (
    "origin = 'client' AND empty(faults) AND feature = {feature:String} AND environment = {environment:String}"
    " AND release = {release:String} AND concat(provider, '/', model) = {target:String}"
)


class SampledText(NamedTuple):
    """The beginnings of question and answer of a call; empty where there is none."""

    call: str
    asked: str
    answered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseStep:
    """A feature's calls in one step of a window."""

    step: int
    """From 0."""
    calls: int
    input_letters: float | None
    """Median; None where nobody knows, as the others."""
    output_letters: float | None
    duration_ms: float | None
    answers: int
    """Of which the form is known."""
    refusals: int
    checked: int
    failed: int


class DriftQuestions:
    """Asks for what is compared."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def groups(self, since: datetime, until: datetime, *, least: int, limit: int) -> dict[Group, int]:
        """Return the groups with so many calls in a window, the largest first, and how many each has."""
        values = {"since": _stored(since), "until": _stored(until), "least": least, "limit": limit}
        rows = await self._ask(sql("drift_groups"), values)
        return {Group(*map(str, names)): int(calls) for *names, calls in rows}

    async def begun(self, group: Group, since: datetime) -> datetime | None:
        """Return when the first call of a group came, since a moment; None where none has."""
        text = sql("drift_begun").format(group=_OF_GROUP)
        ((first, calls),) = await self._ask(text, _bound(group) | {"since": _stored(since)})
        return first if calls else None

    async def sample(
        self, group: Group, since: datetime, until: datetime, *, limit: int
    ) -> tuple[int, tuple[Seen, ...]]:
        """Return how many calls of a group a window has, and a sample: one of each session, always the same."""
        values = _window(group, since, until)
        calls = await self._count(values)
        text = sql("drift_sample").format(group=_OF_GROUP)
        rows = await self._ask(text, values | {"one_in": 1 + calls // READ_MAX, "limit": limit})
        return calls, tuple(_sampled(row) for row in rows)

    async def texts(self, group: Group, since: datetime, until: datetime, *, limit: int) -> tuple[SampledText, ...]:
        """Return what was asked and answered in some calls of a window, from its beginning."""
        values = _window(group, since, until)
        calls = await self._count(values)
        text = sql("drift_texts").format(group=_OF_GROUP)
        rows = await self._ask(text, values | {"one_in": 1 + calls // READ_MAX, "limit": limit})
        return tuple(SampledText(*map(str, row)) for row in rows)

    async def hours(self, since: datetime, until: datetime) -> dict[tuple[str, str], dict[datetime, int]]:
        """Return how many calls came in each hour, by feature and environment; hours without calls are left out."""
        values = {"since": _stored(since), "until": _stored(until), "limit": HOURS_MAX}
        found: dict[tuple[str, str], dict[datetime, int]] = {}
        for feature, environment, hour, calls in await self._ask(sql("drift_hours"), values):
            of_feature = found.setdefault((str(feature), str(environment)), {})
            of_feature[datetime.fromtimestamp(int(hour), UTC)] = int(calls)
        return found

    async def course(
        self, feature: str, environment: str, since: datetime, until: datetime, *, steps: int
    ) -> tuple[CourseStep, ...]:
        """Return how a feature's signals went in equal steps of a window; steps without calls are left out.

        Args:
            feature: Whose calls.
            environment: Where; everywhere if empty.
            since: Beginning of the first step.
            until: End of the last one.
            steps: How many.
        """
        step_ms = max(1, int((until - since).total_seconds() * 1000) // steps)
        values = {
            "feature": feature, "environment": environment, "since": _stored(since), "until": _stored(until),
            "since_ms": int(since.timestamp() * 1000), "step_ms": step_ms,
        }  # fmt: skip
        rows = await self._ask(sql("drift_course"), values)
        return tuple(_course(row) for row in rows if 0 <= int(row[0]) < steps)

    async def _count(self, values: Parameters) -> int:
        ((calls,),) = await self._ask(sql("drift_count").format(group=_OF_GROUP), values)
        return int(calls)


def _window(group: Group, since: datetime, until: datetime) -> Parameters:
    return _bound(group) | {"since": _stored(since), "until": _stored(until)}


def _bound(group: Group) -> Parameters:
    return {
        "feature": group.feature,
        "environment": group.environment,
        "release": group.release,
        "target": group.target,
    }


def _sampled(row: Sequence[Any]) -> Seen:
    at, input_letters, output_letters, duration_ms, is_answered, *words = row
    return Seen(
        float(at),
        None if input_letters is None else int(input_letters),
        None if output_letters is None else int(output_letters),
        float(duration_ms),
        bool(is_answered),
        *map(str, words),
    )


def _course(row: Sequence[Any]) -> CourseStep:
    step, calls, asked, answered, took, answers, refusals, checked, failed = row
    return CourseStep(
        step=int(step),
        calls=int(calls),
        input_letters=_known(asked),
        output_letters=_known(answered),
        duration_ms=_known(took),
        answers=int(answers),
        refusals=int(refusals),
        checked=int(checked),
        failed=int(failed),
    )


def _known(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
