"""What users thought of answers, as scores beside those of scorers: points of what was served, labels of calls."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Protocol

from watchkeeper.evals.decision import Label, Point

PREFIX = "feedback "
"""Before the name under which feedback was given, in the title of its scores: `feedback thumbs`."""


class Said(Protocol):
    """Feedback, as far as it counts here; `store.feedback.FeedbackRow` is some."""

    @property
    def call_id(self) -> str:
        """The call that it is about; empty where a session is meant."""

    @property
    def session(self) -> str:
        """The session."""

    @property
    def release(self) -> str:
        """That gave the answer; empty for none."""

    @property
    def name(self) -> str:
        """What was asked."""

    @property
    def score(self) -> float | None:
        """Between 0 and 1; None where none was given."""

    @property
    def by(self) -> str:
        """Who reported it."""


def points_of(rows: Iterable[Said]) -> dict[str, list[Point]]:
    """Return by release a point for each call, or session, that users gave a score: by name, the mean of the scores.

    Calls of one session are one cluster. Who says something is no random draw: a difference between releases is a
    reason to look, not a proof.
    """
    scores: dict[str, dict[tuple[str, str], dict[str, list[float]]]] = defaultdict(dict)
    for row in rows:
        if row.score is not None:
            of_call = scores[row.release].setdefault((row.call_id or row.session, row.session), {})
            of_call.setdefault(PREFIX + row.name, []).append(row.score)
    return {
        release: [
            Point(case=about, cluster=session, values={title: fmean(given) for title, given in found.items()})
            for (about, session), found in by_call.items()
        ]
        for release, by_call in scores.items()
    }


def labels_of(rows: Iterable[Said]) -> list[Label]:
    """Return the scores that users gave to calls as labels, one each; the arm is the release.

    Their probability is 1 because it is not known: they correct no judge, and are for reading beside its marks.
    """
    return [
        Label(arm=row.release, case=row.call_id, repeat=0, scorer=PREFIX + row.name, value=row.score, by=row.by)
        for row in rows
        if row.score is not None and row.call_id
    ]
