"""What somebody may see: questions are limited to their features before they are asked, texts are left out."""

from dataclasses import replace
from typing import Final

from watchkeeper.api.auth import Operator
from watchkeeper.api.permits import require
from watchkeeper.api.services import Services
from watchkeeper.store.changes import ACCESS, ChangeFilter
from watchkeeper.store.cost_rows import CostScope, Named
from watchkeeper.store.rows import CallDetail, CallFilter, CallRow

FEATURE: Final[Named] = "feature"


async def calls_seen(chosen: CallFilter, parts: Services, by: Operator) -> CallFilter:
    """Return a filter that finds only calls that somebody may read, and by their text only those they may read whole.

    Raises:
        NotAllowed: a feature is asked for that they may not read.
    """
    if chosen.feature:
        await require(parts, by, "read", feature=chosen.feature)
    if not chosen.search:
        return replace(chosen, features=by.rights.features("read"))
    if chosen.feature:
        await require(parts, by, "read_bodies", feature=chosen.feature)
    read, whole = by.rights.features("read"), by.rights.features("read_bodies")
    return replace(chosen, features=whole if read is None else read if whole is None else read & whole)


async def scope_seen(scope: CostScope, parts: Services, by: Operator) -> CostScope:
    """Return a scope of only such calls as somebody may read.

    Raises:
        NotAllowed: a feature is asked for that they may not read.
    """
    named = [value for name, value in scope.where if name == FEATURE]
    for feature in named:
        await require(parts, by, "read", feature=feature)
    features = by.rights.features("read")
    if named or features is None:
        return scope
    return replace(scope, where=(*scope.where, *((FEATURE, feature) for feature in sorted(features))))


def changes_seen(chosen: ChangeFilter, by: Operator) -> ChangeFilter:
    """Return a filter that finds only changes that somebody may know of; who has read what is for auditors."""
    read, audited = by.rights.features("read"), by.rights.features("audit")
    features = None if read is None or audited is None else read | audited
    return replace(chosen, features=features, without=() if audited is None else (ACCESS,))


def row_seen(row: CallRow, by: Operator) -> CallRow:
    """Return a call as a list may show it to somebody: without its text where they may not read that."""
    if by.rights.may("read_bodies", row.feature):
        return row
    return replace(row, input_preview="", output_preview="")


def detail_seen(found: CallDetail, by: Operator) -> CallDetail:
    """Return a call without what was asked and answered, where somebody may not read that."""
    if by.rights.may("read_bodies", found.row.feature):
        return found
    return replace(
        without_messages(found), row=row_seen(found.row, by), request_headers=(), request_body=b"", sent_body=None,
        response_body=b"", output_path="", output_error="",
    )  # fmt: skip


def without_messages(found: CallDetail) -> CallDetail:
    """Return a call without the words of its errors, which may quote what was asked; class and code say what failed."""
    attempts = tuple(replace(attempt, error_message="") for attempt in found.attempts)
    return replace(found, error_message="", attempts=attempts)
