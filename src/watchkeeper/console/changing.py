"""The changes that a chart marks: of the whole installation, and of the feature that it is about."""

from dataclasses import replace
from datetime import datetime

from watchkeeper.api.auth import Operator
from watchkeeper.api.services import Services
from watchkeeper.api.sight import changes_seen
from watchkeeper.console.charts.series import Marker
from watchkeeper.store.changes import ACCESS, Change, ChangeFilter

MARKERS_MAX = 60
"""Of one chart, the latest; more would hide what it shows."""


async def changes_of(
    services: Services, by: Operator, since: datetime, until: datetime, *, feature: str = ""
) -> list[Change]:
    """Return what was changed, oldest first, as far as who asks may know; readings of calls change nothing.

    Args:
        services: Whose changes.
        by: Who asks.
        since: Of the window.
        until: Not included.
        feature: Leaves out the changes of other features; empty for all.
    """
    seen = replace(changes_seen(ChangeFilter(), by), without=(ACCESS,))
    if feature:
        seen = replace(seen, features=frozenset({feature}))
    return await services.control.changes.between(since, until, seen)


async def markers_of(
    services: Services, by: Operator, since: datetime, until: datetime, *, feature: str = ""
) -> list[Marker]:
    """Return the changes that a chart marks; the arguments are those of `changes_of`.

    Of releases those count that change what is live; a push or a review alone changes no answer.
    """
    found = await changes_of(services, by, since, until, feature=feature)
    live = [one for one in found if one.kind != "release" or "environment" in one.detail]
    return [Marker(change.at, change.summary) for change in live[-MARKERS_MAX:]]
