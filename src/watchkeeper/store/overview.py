"""The overview's questions: a window in equal steps, its totals, the window before it, and what costs most."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.store.questions import sql, where
from watchkeeper.store.rows import Bucket, CallFilter, Overview, Share

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]

CURSOR_START = "0-"

_OWN = "origin = 'client'"
"""Calls that are no copies of others."""
_FIGURES = """
    countIf({own}),
    countIf({own} AND status = 'error'),
    countIf({own} AND status = 'cancelled'),
    quantilesTDigestIf(0.5, 0.95, 0.99)(duration_ms, {own}),
    quantilesTDigestIf(0.5, 0.95)(assumeNotNull(first_token_ms), {own} AND first_token_ms IS NOT NULL),
    countIf({own} AND first_token_ms IS NOT NULL),
    sum(ifNull(cost_nusd, 0)),
    sumIf(ifNull(cost_nusd, 0), cost_status = 'estimated'),
    countIf(cost_status = 'unpriced'),
    sum(input_tokens),
    sum(output_tokens),
    countIf(NOT ({own})),
    countIf({own} AND output_status != ''),
    countIf({own} AND output_status = 'repaired'),
    countIf({own} AND output_status = 'failed')"""


async def answer(ask: Ask, since: datetime, until: datetime, *, steps: int, chosen: CallFilter) -> Overview:
    """Ask everything at once and put the answers together; gaps are filled with empty steps."""
    length = until - since
    step_ms = max(1, int(length.total_seconds() * 1000) // steps)
    window = dataclasses.replace(chosen, since=since, until=until)
    before = dataclasses.replace(chosen, since=since - length, until=since)
    own = "true" if chosen.origin else _OWN
    figures_asked = _FIGURES.format(own=own)
    conditions, values = where(window)
    earlier, earlier_values = where(before)
    steps_values = values | {"since_ms": int(since.timestamp() * 1000), "step_ms": step_ms}
    series, errors, total, previous, features, models = await asyncio.gather(
        ask(sql("series").format(figures=figures_asked, where=conditions), steps_values),
        ask(sql("error_steps").format(where=f"{conditions} AND {own}"), steps_values),
        ask(sql("total").format(figures=figures_asked, where=conditions), values),
        ask(sql("total").format(figures=figures_asked, where=earlier), earlier_values),
        ask(sql("top_features").format(own=own, where=conditions), values),
        ask(sql("top_models").format(own=own, where=conditions), values),
    )
    by_step: dict[int, dict[str, int]] = defaultdict(dict)
    overall: dict[str, int] = defaultdict(int)
    for step, error_class, count in errors:
        by_step[step][error_class] = count
        overall[error_class] += count
    figures = {row[0]: row[1:] for row in series}
    return Overview(
        total=_bucket(since, total[0], overall),
        steps=tuple(
            _bucket(since + timedelta(milliseconds=n * step_ms), figures.get(n), by_step.get(n, {}))
            for n in range(steps)
        ),
        step_s=max(1, step_ms // 1000),
        previous=_bucket(before.since or since, previous[0], {}),
        top_features=tuple(_share(*row) for row in features),
        top_models=tuple(_share(*row) for row in models),
    )


def _share(name: str, calls: int, nusd: int | None, unpriced: int) -> Share:
    return Share(
        name=name,
        calls=int(calls),
        cost_nusd=None if nusd is None else int(nusd),
        unpriced_calls=int(unpriced),
    )


def cursor(stored_at: datetime, call_id: str) -> str:
    """Write the place of a call in the order of storing."""
    moment = stored_at if stored_at.tzinfo else stored_at.replace(tzinfo=UTC)
    return f"{round(moment.timestamp() * 1_000_000)}-{call_id}"


def read_cursor(text: str) -> tuple[int, str]:
    """Read a cursor; one that is none stands before everything."""
    stored_us, _, call_id = text.partition("-")
    return (int(stored_us), call_id) if stored_us.isdigit() else (0, "")


def _bucket(at: datetime, figures: Sequence[Any] | None, errors_by_class: Mapping[str, int]) -> Bucket:
    found: Sequence[Any] = figures or (0, 0, 0, (), (), 0, *[0] * 9)
    calls, errors, cancelled, duration, first, first_count, nusd, estimated, unpriced, tokens_in, tokens_out = found[
        :11
    ]
    copied, checked, repaired, failed = map(int, found[11:])
    p50, p95, p99 = duration if calls else (None, None, None)
    first_p50, first_p95 = first if first_count else (None, None)
    return Bucket(
        at=at,
        calls=int(calls),
        errors=int(errors),
        cancelled=int(cancelled),
        errors_by_class=dict(errors_by_class),
        duration_p50_ms=p50,
        duration_p95_ms=p95,
        duration_p99_ms=p99,
        first_token_p50_ms=first_p50,
        first_token_p95_ms=first_p95,
        cost_nusd=int(nusd),
        estimated_nusd=int(estimated),
        unpriced_calls=int(unpriced),
        input_tokens=int(tokens_in),
        output_tokens=int(tokens_out),
        copied_calls=copied,
        checked_outputs=checked,
        repaired_outputs=repaired,
        failed_outputs=failed,
    )
