"""Reviews as pages show them: who asked for what, and what others said."""

from collections.abc import Sequence

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.release import GateLine, ReviewLine, VoteLine
from watchkeeper.store.gates import GateRow
from watchkeeper.store.reviews import RequestRow

_SAID = {"approve": "approved", "reject": "rejected"}


def review_lines(rows: Sequence[RequestRow]) -> tuple[ReviewLine, ...]:
    """Build the lines of review requests."""
    return tuple(
        ReviewLine(
            id=row.id,
            feature=row.feature,
            feature_href=feature_href(row.feature),
            release=short(row.release),
            href=release_href(row.release),
            environment=row.environment,
            state=row.state,
            by=row.requested_by,
            at=figures.iso(row.at),
            message=row.message,
            votes=tuple(
                VoteLine(vote.by, _SAID[vote.verdict], figures.iso(vote.at), vote.comment) for vote in row.votes
            ),
            is_open=row.state == "open",
        )
        for row in rows
    )


def gate_lines(rows: Sequence[GateRow]) -> tuple[GateLine, ...]:
    """Build the lines of what checks came to."""
    return tuple(GateLine(row.gate, row.run, row.has_passed, row.summary, figures.iso(row.at), row.by) for row in rows)
