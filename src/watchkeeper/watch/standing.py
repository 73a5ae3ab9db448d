"""Alerts on what is there or is not: raised once when it appears, over when it has gone."""

from collections.abc import Mapping
from dataclasses import replace

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark, Over

_SEEN = frozenset({"seen"})


def compare(
    kind: AlertKind, present: Mapping[str, AlertDraft], marks: Mapping[str, Mark], *, over: str
) -> tuple[Findings, ...]:
    """Say what has appeared and what has gone since the last look.

    Args:
        kind: Of all of them.
        present: By key, the alert that each would be.
        marks: By key, what is remembered.
        over: Why one that has gone is over, as a message says it.
    """
    known = {key for key, mark in marks.items() if mark.passed}
    raised = tuple(
        Findings(raised=(draft,), mark=replace(_mark(kind, key, marks), passed=_SEEN))
        for key, draft in present.items()
        if key not in known
    )
    gone = tuple(
        Findings(over=(Over(kind=kind, key=key, reason=over),), mark=replace(marks[key], passed=frozenset()))
        for key in sorted(known - present.keys())
    )
    return raised + gone


def _mark(kind: AlertKind, key: str, marks: Mapping[str, Mark]) -> Mark:
    return marks.get(key) or Mark(kind=kind, key=key, window_start=None, window_end=None)
