"""Questions about features and releases: how they fare, what they cost, and whether answers are what was asked for."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchkeeper.store.questions import sql, where
from watchkeeper.store.rows import CallFilter

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]

FEATURES_MAX = 1_000
RELEASES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFigures:
    """How a feature fares: the calls of clients, except where money is meant."""

    feature: str
    calls: int
    errors: int
    cancelled: int
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    checked_outputs: int
    """Answers that were held against a schema."""
    repaired_outputs: int
    failed_outputs: int
    copied_calls: int
    """Shadows and replays: they are part of the cost and of nothing else."""
    cost_nusd: int | None
    """Of all calls that have a price; None when none has."""
    uncertain_nusd: int
    """The part of it that is estimated or disputed."""
    unpriced_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFigures:
    """How a release fares in one environment, with the calls of clients."""

    release: str
    environment: str
    calls: int
    errors: int
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    ok_outputs: int
    repaired_outputs: int
    failed_outputs: int
    cost_nusd: int | None
    """Of the priced calls; None when none is."""
    priced_calls: int
    cost_squares: float
    """Sum of the squares of each priced call's nano-dollars: for the spread of their mean."""
    estimated_calls: int
    first_at: datetime
    last_at: datetime

    @property
    def checked_outputs(self) -> int:
        """Answers that were held against a schema."""
        return self.ok_outputs + self.repaired_outputs + self.failed_outputs


@dataclass(frozen=True, slots=True)
class OutputStep:
    """The answers of one release in one step of a window."""

    step: int
    """From 0."""
    release: str
    checked: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputShare:
    """What was asked of a feature's answers of late, and before."""

    feature: str
    checked: int
    failed: int
    checked_before: int
    failed_before: int
    last_call: str
    """Id of the latest call that failed so; empty for none."""
    last_release: str


class ReleaseQuestions:
    """Asks about features and releases."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def features(self, chosen: CallFilter) -> tuple[FeatureFigures, ...]:
        """Return how each feature fares, by name."""
        conditions, values = where(chosen)
        found = await self._ask(sql("feature_figures").format(where=conditions), values | {"limit": FEATURES_MAX})
        return tuple(_feature(*row) for row in found)

    async def releases(self, chosen: CallFilter) -> tuple[ReleaseFigures, ...]:
        """Return how each release fares in each environment, the most called first."""
        conditions, values = where(chosen)
        found = await self._ask(sql("release_figures").format(where=conditions), values | {"limit": RELEASES_MAX})
        return tuple(_release(*row) for row in found)

    async def output_steps(
        self, since: datetime, until: datetime, *, steps: int, chosen: CallFilter
    ) -> tuple[OutputStep, ...]:
        """Return what became of answers in each step of a window cut into equal ones, by release.

        Args:
            since: Of the window; `chosen` has the same.
            until: Not included.
            steps: How many.
            chosen: Which calls.
        """
        step_ms = max(1, int((until - since).total_seconds() * 1000) // steps)
        conditions, values = where(chosen)
        values |= {"since_ms": int(since.timestamp() * 1000), "step_ms": step_ms}
        found = await self._ask(sql("output_steps").format(where=conditions), values)
        return tuple(
            OutputStep(int(step), str(release), int(checked), int(failed))
            for step, release, checked, failed in found
            if 0 <= step < steps
        )

    async def output_shares(
        self, since: datetime, late: datetime, until: datetime, *, limit: int
    ) -> tuple[OutputShare, ...]:
        """Return what became of answers by feature, those with the most failures of late first.

        Args:
            since: From when on answers count as before.
            late: From when on they count as of late.
            until: Not included.
            limit: Of features.
        """
        values = {"since": _stored(since), "late": _stored(late), "until": _stored(until), "limit": limit}
        names = ("checked", "failed", "checked_before", "failed_before")
        return tuple(
            OutputShare(
                feature=str(feature),
                **dict(zip(names, map(int, counts), strict=True)),
                last_call=str(call),
                last_release=str(release),
            )
            for feature, *counts, call, release in await self._ask(sql("output_shares"), values)
        )


def _feature(
    feature: str, calls: int, errors: int, cancelled: int, took: Sequence[float], *rest: Any
) -> FeatureFigures:
    checked, repaired, failed, copied, nusd, uncertain, unpriced = rest
    p50, p95 = took if calls else (None, None)
    return FeatureFigures(
        feature=feature,
        calls=int(calls),
        errors=int(errors),
        cancelled=int(cancelled),
        duration_p50_ms=p50,
        duration_p95_ms=p95,
        checked_outputs=int(checked),
        repaired_outputs=int(repaired),
        failed_outputs=int(failed),
        copied_calls=int(copied),
        cost_nusd=None if nusd is None else int(nusd),
        uncertain_nusd=int(uncertain),
        unpriced_calls=int(unpriced),
    )


def _release(
    release: str, environment: str, calls: int, errors: int, took: Sequence[float], *rest: Any
) -> ReleaseFigures:
    ok, repaired, failed, nusd, priced, squares, estimated, first_at, last_at = rest
    return ReleaseFigures(
        release=release,
        environment=environment,
        calls=int(calls),
        errors=int(errors),
        duration_p50_ms=took[0],
        duration_p95_ms=took[1],
        ok_outputs=int(ok),
        repaired_outputs=int(repaired),
        failed_outputs=int(failed),
        cost_nusd=None if nusd is None else int(nusd),
        priced_calls=int(priced),
        cost_squares=float(squares),
        estimated_calls=int(estimated),
        first_at=first_at,
        last_at=last_at,
    )


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
