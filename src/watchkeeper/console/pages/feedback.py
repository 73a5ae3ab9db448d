"""What somebody thought of a call, as its page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.money.units import written
from watchkeeper.store.feedback import FeedbackRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackLine:
    """One thing that was said."""

    name: str
    score: str
    """Empty where none was given, as are the next three."""
    label: str
    value: str
    comment: str
    on: str
    """Empty for the call itself."""
    by: str
    at: str


def feedback_lines(rows: Iterable[FeedbackRow]) -> tuple[FeedbackLine, ...]:
    """Return the lines, in the order given."""
    return tuple(
        FeedbackLine(
            name=row.name,
            score="" if row.score is None else f"{row.score:g}",
            label=row.label,
            value="" if row.value_milli is None else f"{written(row.value_milli)} units of value",
            comment=row.comment,
            on="" if row.call_id else "on the session",
            by=row.by,
            at=figures.iso(row.at),
        )
        for row in rows
    )
