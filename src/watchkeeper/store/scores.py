"""Scores: what scorers said of the answers of real calls, beside what people said of them."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from math import sqrt
from typing import Any, Literal

from watchkeeper.core.ids import CallId, made_at_ms
from watchkeeper.evals.outcome import Status
from watchkeeper.releases.sequential import Sums
from watchkeeper.store.batch import Rows
from watchkeeper.store.feedback import Ask, Insert
from watchkeeper.store.questions import ID_SLACK, Parameters, sql

GROUPS_MAX = 5_000

By = Literal["release", "day"]
Origin = Literal["online", "label", "feedback"]
"""Who says so: scorers of answers that were drawn, people who were asked to, people who used the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """What one scorer said of one answer."""

    call_id: str
    at: datetime
    """When the call began."""
    marked_at: datetime
    rule: str
    feature: str
    tenant: str
    environment: str
    release: str
    rollout: str
    model: str
    """`provider/model`."""
    session: str
    subject: str
    scorer: str
    status: Status
    score: float | None
    """Between 0 and 1; None where it is unmeasured."""
    reason: str
    judge: str
    """Release of the judge; empty for none."""
    cost_nusd: int | None
    """What the judge cost; None where there was none, or nobody knows."""
    probability: float
    """With which the call was drawn; above 0."""
    origin: Origin


COLUMNS = tuple(field.name for field in fields(ScoreRow))


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that has not been looked at."""

    call_id: CallId
    at: datetime
    stored_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFilter:
    """Which scores. An empty field does not restrict; all that are set must hold."""

    feature: str = ""
    environment: str = ""
    release: str = ""
    tenant: str = ""
    rollout: str = ""
    name: str = ""
    """Of a scorer, or `feedback:NAME`."""
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    features: Collection[str] | None = None
    """Only of these; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFigures:
    """What was said under one name of one release in one environment, in all or on one day."""

    feature: str
    environment: str
    release: str
    name: str
    day: date | None
    """By UTC; None for all of them."""
    origin: Origin
    count: int
    passed: int
    failed: int
    unmeasured: int
    scored: int
    """So many have a score."""
    mean: float | None
    """Of all calls that could have been drawn, as the scores let expect; None where there is none. Weighted by one over
    the probability of each (J. Hajek in "Foundations of Statistical Inference", 1971)."""
    error: float | None
    """Standard error of the mean; None for fewer than two scores."""
    cost_nusd: int
    """What judges cost, as far as it is known."""
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Whose scores are added up."""

    rule: str
    feature: str
    environment: str
    release: str
    """Empty for calls without one."""
    since: datetime
    """Inclusive."""
    until: datetime
    """Exclusive."""


class Scores:
    """Keeps scores, and answers what was said of whom."""

    def __init__(self, ask: Ask, insert: Insert) -> None:
        self._ask = ask
        self._insert = insert

    async def waiting(
        self, feature: str, environment: str, *, after: tuple[int, str], until_us: int, limit: int
    ) -> list[Waiting]:
        """List answers behind a cursor (microseconds at which the last was stored, and its id), oldest first."""
        values: Parameters = {"feature": feature, "environment": environment, "limit": limit, "until_us": until_us}
        values |= {"after_us": after[0], "after_id": after[1]}
        found = await self._ask(sql("scores_waiting"), values)
        return [Waiting(CallId(str(row[0])), row[1], int(row[2])) for row in found]

    async def known(self, rule: str, feature: str, ids: Sequence[str]) -> frozenset[str]:
        """Return which calls have been marked under a rule."""
        if not ids:
            return frozenset()
        made = [datetime.fromtimestamp(made_at_ms(CallId(one)) / 1000, UTC) for one in ids]
        values: Parameters = {"rule": rule, "feature": feature, "ids": list(ids)}
        values |= {"from": min(made) - ID_SLACK, "to": max(made) + ID_SLACK}
        return frozenset([str(row[0]) for row in await self._ask(sql("scores_known"), values)])

    async def add(self, rows: Sequence[ScoreRow]) -> None:
        """Keep scores; the same ones a second time add nothing."""
        if not rows:
            return
        written = Rows(COLUMNS)
        for row in rows:
            written.add(tuple(_plain(getattr(row, name)) for name in COLUMNS))
        keys = "\0".join(f"{row.rule}\1{row.call_id}\1{row.scorer}" for row in rows)
        await self._insert("scores", written, hashlib.blake2b(keys.encode(), digest_size=16).hexdigest())

    async def spent(self, rule: str, feature: str, since: datetime) -> tuple[int, int]:
        """Return what judges have cost under a rule since a moment (nUSD), and how many marks have no price."""
        values: Parameters = {"rule": rule, "feature": feature, "since": since.astimezone(UTC)}
        ((spent, unpriced),) = await self._ask(sql("scores_spent"), values)
        return int(spent), int(unpriced)

    async def figures(self, chosen: ScoreFilter, *, by: By = "release", limit: int = GROUPS_MAX) -> list[ScoreFigures]:
        """Sum scores up by feature, environment, release and name, and by day where that is asked."""
        conditions, values = _where(chosen)
        groups = "feature, environment, release, name" + (", toDate(at, 'UTC')" if by == "day" else "")
        named = "name = {name:String}" if chosen.name else "true"
        every = sql("scores_all").format(where=conditions)
        text = sql("scores").format(groups=groups, all=every, named=named)
        return [_figures(row, has_day=by == "day") for row in await self._ask(text, values | {"limit": limit})]

    async def lost(self, of: Followed) -> dict[str, Sums]:
        """Return by scorer how far scores stay below 1, added up over sessions, or calls without one."""
        values: Parameters = {name: getattr(of, name) for name in ("rule", "feature", "environment", "release")}
        values |= {"since": of.since.astimezone(UTC), "until": of.until.astimezone(UTC)}
        found = {}
        for scorer, units, count, total, squared_totals, squared_counts, cross in await self._ask(
            sql("scores_lost"), values
        ):
            sums = (float(total), float(squared_totals), float(squared_counts), float(cross))
            found[str(scorer)] = Sums(int(units), int(count), *sums)
        return found


def _where(chosen: ScoreFilter) -> tuple[str, Parameters]:
    """Write the conditions that scores and feedback share; that on the name comes behind both."""
    terms: list[str] = []
    values: Parameters = {"name": chosen.name} if chosen.name else {}
    for name in ("feature", "environment", "release", "tenant", "rollout"):
        if value := getattr(chosen, name):
            terms.append(f"{name} = {{{name}:String}}")
            values[name] = value
    for name, sign in (("since", ">="), ("until", "<")):
        if (moment := getattr(chosen, name)) is not None:
            terms.append(f"at {sign} {{{name}:DateTime64(6)}}")
            values[name] = moment.astimezone(UTC)
    if chosen.features is not None:
        terms.append("feature IN {features:Array(String)}")
        values["features"] = sorted(chosen.features)
    return " AND ".join(terms) or "true", values


def _figures(row: Sequence[Any], *, has_day: bool) -> ScoreFigures:
    day, rest = (row[4], row[5:]) if has_day else (None, row[4:])
    origin, count, passed, failed, unmeasured, scored, total, weight, squares, cross, squared, cost, first, last = rest
    mean = float(total) / float(weight) if scored else None
    error = None
    if mean is not None and scored > 1:
        scatter = float(squared) - 2 * mean * float(cross) + mean**2 * float(squares)
        error = sqrt(max(scatter, 0.0) * scored / (scored - 1)) / float(weight)
    return ScoreFigures(
        **dict(zip(("feature", "environment", "release", "name"), map(str, row[:4]), strict=True)),
        day=day,
        origin=origin,
        count=int(count),
        passed=int(passed),
        failed=int(failed),
        unmeasured=int(unmeasured),
        scored=int(scored),
        mean=mean,
        error=error,
        cost_nusd=int(cost),
        first_at=first,
        last_at=last,
    )


def _plain(value: Any) -> Any:
    return int(value.timestamp() * 1_000_000) if isinstance(value, datetime) else value
