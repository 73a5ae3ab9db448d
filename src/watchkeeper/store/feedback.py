"""Feedback: what people and programs thought of calls, each once; and what still has to be sorted out."""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from watchkeeper.core.errors import CallerError
from watchkeeper.core.ids import CallId, is_call_id, made_at_ms
from watchkeeper.store.batch import Row, Rows
from watchkeeper.store.questions import ID_SLACK, Parameters, sql

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[Row]]]
Insert = Callable[[str, Rows, str], Awaitable[None]]
"""Writes rows into a table; a second time under the same token adds nothing."""

GROUPS_MAX = 1_000
SHOWN_MAX = 100
"""Of one call and its session."""
SESSION_DAYS = timedelta(days=30)
"""A session without a call for so long cannot be spoken about any more."""
KEPT = timedelta(days=6)
"""What has waited for longer is not sorted out any more; the inbox forgets it after seven."""
SORTED_COLUMNS = ("entry", "taken_in_at", "outcome", "reason")


class FeedbackConflict(CallerError):
    """Feedback of this id says something else; nothing was changed."""

    code = "feedback_conflict"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    """What was said."""

    id: str
    """Unique among the feedback of its feature and tenant."""
    at: datetime
    call_id: str
    """Empty where the session is meant."""
    session: str
    feature: str
    """As are the next four, the call's, or those of the session's latest call."""
    tenant: str
    release: str
    environment: str
    rollout: str
    name: str
    score: float | None
    """Between 0 and 1; None where none was given."""
    label: str
    comment: str
    value_milli: int | None
    """Thousandths of a unit of value that it reported; None for none."""
    by: str
    """`key:ID`, or who reported it over the control API."""


COLUMNS = tuple(field.name for field in fields(FeedbackRow))
_SAID = ("call_id", "session", "name", "score", "label", "comment", "value_milli")
"""What makes feedback of the same id the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """Which feedback. An empty field does not restrict; all that are set must hold."""

    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    feature: str = ""
    tenant: str = ""
    environment: str = ""
    release: str = ""
    rollout: str = ""
    name: str = ""
    label: str = ""
    call_id: str = ""
    session: str = ""
    features: frozenset[str] | None = None
    """Only of these; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFeedback:
    """What was said of one release in one environment, under one name."""

    feature: str
    environment: str
    release: str
    name: str
    count: int
    scored: int
    """So many of them have a score."""
    score_sum: float
    score_squares: float
    """Sum of the squares of the scores, for the spread of their mean."""
    labels: dict[str, int]
    value_milli: int

    @property
    def score_mean(self) -> float | None:
        """Return the average of the scores; None where there is none."""
        return self.score_sum / self.scored if self.scored else None

    @property
    def score_deviation(self) -> float | None:
        """Return the standard deviation of the scores; None where there are fewer than two."""
        if self.scored < 2:
            return None
        return math.sqrt(max(0.0, self.score_squares - self.score_sum**2 / self.scored) / (self.scored - 1))


class InboxRow(NamedTuple):
    """What the spool brought, in the words of `core.feedback.FeedbackEvent`."""

    entry: str
    taken_in_at: datetime
    """When it came out of the spool."""
    id: str
    received_at: datetime
    key_id: str
    feature: str
    tenant: str
    call_id: str
    session: str
    name: str
    score: float | None
    label: str
    comment: str
    value_milli: int | None


class Subject(NamedTuple):
    """The call that feedback is about, or the session's latest, as far as feedback goes by it."""

    call_id: str
    started_at: datetime
    session: str
    key_id: str
    feature: str
    tenant: str
    release: str
    environment: str
    rollout: str


class Sorted(NamedTuple):
    """What became of an entry of the inbox."""

    entry: str
    taken_in_at: datetime
    outcome: str
    """`kept` or `refused`."""
    reason: str


class Feedback:
    """Keeps feedback, finds it, and counts it."""

    def __init__(self, ask: Ask, insert: Insert) -> None:
        self._ask = ask
        self._insert = insert
        self._adding = asyncio.Lock()

    async def add(self, rows: Sequence[FeedbackRow]) -> list[tuple[FeedbackRow, bool]]:
        """Keep feedback unless it is there already; return what is kept under each id, and whether it is new.

        Of two rows with the same id, feature and tenant the first counts. What is kept may say something else than what
        was given: `same` tells.
        """
        async with self._adding:
            found = await self._ask(sql("feedback_known"), {"ids": [row.id for row in rows]})
            known = {_key(row): row for row in map(_row, found)}
            answers: list[tuple[FeedbackRow, bool]] = []
            fresh = Rows(COLUMNS)
            for row in rows:
                kept = known.get(_key(row))
                if kept is None:
                    known[_key(row)] = row
                    fresh.add(tuple(_plain(getattr(row, name)) for name in COLUMNS))
                answers.append((kept or row, kept is None))
            new = [row for row, is_new in answers if is_new]
            if new:
                await self._insert("feedback", fresh, _token(map(_key, new)))
            return answers

    async def find(self, chosen: FeedbackFilter, *, limit: int) -> list[FeedbackRow]:
        """List feedback, the newest first."""
        conditions, values = _where(chosen)
        rows = await self._ask(sql("feedback_list").format(where=conditions), values | {"limit": limit})
        return [_row(row) for row in rows]

    async def about(self, subject: Subject) -> list[FeedbackRow]:
        """List what was said of a call, and of its session where it has one, the newest first."""
        conditions = (
            "(call_id = {call_id:String} OR (call_id = '' AND session != '' AND session = {session:String}))"
            " AND feature = {feature:String} AND tenant = {tenant:String}"
        )
        values = {name: getattr(subject, name) for name in ("call_id", "session", "feature", "tenant")}
        rows = await self._ask(sql("feedback_list").format(where=conditions), values | {"limit": SHOWN_MAX})
        return [_row(row) for row in rows]

    async def by_release(self, chosen: FeedbackFilter) -> list[ReleaseFeedback]:
        """Sum feedback up by feature, environment, release and name."""
        conditions, values = _where(chosen)
        text = sql("feedback_by_release").format(where=conditions)
        return [
            ReleaseFeedback(
                feature=feature,
                environment=environment,
                release=release,
                name=name,
                count=int(count),
                scored=int(scored),
                score_sum=float(total or 0.0),
                score_squares=float(squares or 0.0),
                labels={str(label): int(times) for label, times in sorted(labels.items())},
                value_milli=int(value_milli or 0),
            )
            for feature, environment, release, name, count, scored, total, squares, labels, value_milli in (
                await self._ask(text, values | {"limit": GROUPS_MAX})
            )
        ]

    async def waiting(self, now: datetime, *, limit: int) -> list[InboxRow]:
        """List what has not been sorted out yet, the oldest first; at most a tenth of the limit from one key."""
        values = {"since": now.astimezone(UTC) - KEPT, "limit": limit, "of_key": max(1, limit // 10)}
        return [InboxRow(*row) for row in await self._ask(sql("feedback_waiting"), values)]

    async def calls(self, ids: Sequence[str]) -> dict[str, Subject]:
        """Return what is known of some calls; those that are not stored are left out."""
        good = [CallId(one) for one in ids if is_call_id(one)]
        if not good:
            return {}
        made = [datetime.fromtimestamp(min(made_at_ms(one), _LATEST_MS) / 1000, UTC) for one in good]
        values: Parameters = {"ids": good, "from": min(made) - ID_SLACK, "to": max(made) + ID_SLACK}
        return {str(row[0]): Subject(*row[1:]) for row in await self._ask(sql("feedback_calls"), values)}

    async def sessions(self, names: Sequence[str], now: datetime) -> dict[str, list[Subject]]:
        """Return the latest call of each session, once for every key, feature and tenant; the latest first."""
        if not names:
            return {}
        values: Parameters = {"sessions": list(names), "since": now.astimezone(UTC) - SESSION_DAYS}
        found: dict[str, list[Subject]] = {}
        for row in await self._ask(sql("feedback_sessions"), values):
            found.setdefault(str(row[0]), []).append(Subject(*row[1:]))
        return found

    async def sort_out(self, outcomes: Sequence[Sorted]) -> None:
        """Write down what became of entries of the inbox: they wait no more."""
        rows = Rows(SORTED_COLUMNS)
        for one in outcomes:
            rows.add((one.entry, _us(one.taken_in_at), one.outcome, one.reason))
        await self._insert("feedback_sorted", rows, _token((one.entry,) for one in outcomes))


_LATEST_MS = 9_000_000_000_000


def same(one: FeedbackRow, other: FeedbackRow) -> bool:
    """Tell whether two say the same about the same."""
    return all(getattr(one, name) == getattr(other, name) for name in _SAID)


def _token(keys: Iterable[tuple[str, ...]]) -> str:
    return hashlib.blake2b("\0".join(part for key in keys for part in key).encode(), digest_size=16).hexdigest()


def _key(row: FeedbackRow) -> tuple[str, str, str]:
    return row.feature, row.tenant, row.id


def _row(row: Row) -> FeedbackRow:
    return FeedbackRow(**dict(zip(COLUMNS, row, strict=True)))


def _where(chosen: FeedbackFilter) -> tuple[str, Parameters]:
    terms: list[str] = []
    values: Parameters = {}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if not value and value != frozenset():
            continue
        match field.name:
            case "features":
                terms.append("feature IN {features:Array(String)}")
                value = sorted(value)
            case "since":
                terms.append("at >= {since:DateTime64(6)}")
            case "until":
                terms.append("at < {until:DateTime64(6)}")
            case name:
                terms.append(f"{name} = {{{name}:String}}")
        values[field.name] = value.astimezone(UTC) if isinstance(value, datetime) else value
    return " AND ".join(terms) or "true", values


def _plain(value: Any) -> Any:
    return _us(value) if isinstance(value, datetime) else value


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
