"""What a rollback goes back to."""

from collections.abc import Iterable
from typing import Protocol

from watchkeeper.releases.standing import Rollout

TAKEN_BACK = frozenset({"rollback", "canary_back"})
"""Kinds of rows that say that what stood before them, or was tried, was no good."""


class Stood(Protocol):
    """A row of an environment's history."""

    @property
    def kind(self) -> str:
        """Why it was written."""
        ...

    @property
    def release(self) -> str:
        """Empty where the feature was taken off."""
        ...

    @property
    def rollout(self) -> Rollout | None:
        """What was tried beside it."""
        ...


def tried_in_front(row: Stood) -> bool:
    """Tell whether callers get releases that are tried: a shadow's answers nobody gets."""
    return row.rollout is not None and row.rollout.kind != "shadow"


def fallback_of(rows: Iterable[Stood]) -> str | None:
    """Return the release that a rollback goes back to; None when there is none.

    While releases are tried in front of callers, it is the one that stands. Else it is the last one that stood before
    it, without those that were rolled back themselves and have not been promoted since.

    Args:
        rows: The history, the oldest first.
    """
    stood: list[str] = []
    taken_back: set[str] = set()
    last: Stood | None = None
    for row in rows:
        if row.kind in TAKEN_BACK and last is not None:
            if last.rollout is not None:
                taken_back.update(arm.release for arm in last.rollout.arms)
            if row.release != last.release:
                taken_back.add(last.release)
        taken_back.discard(row.release)
        if not stood or stood[-1] != row.release:
            stood.append(row.release)
        last = row
    if last is None:
        return None
    if tried_in_front(last) and last.release:
        return last.release
    left = [release for release in stood if release and release != last.release and release not in taken_back]
    return left[-1] if left else None
