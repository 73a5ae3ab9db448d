"""A release: its recipe, what it changes, who approved it, how it fares, where it is live and was."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.live import KINDS, LiveMark, live_marks, tried
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.pages.recipe import RecipeView, recipe_view
from watchkeeper.console.pages.release_diff import RecipeDiff, recipe_diff
from watchkeeper.console.pages.release_metrics import MetricLine, feedback_lines, metric_lines
from watchkeeper.console.query import CallQuery
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.feedback import ReleaseFeedback
from watchkeeper.store.release_figures import ReleaseFigures
from watchkeeper.store.releases import ReleaseRow

HISTORY_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What whoever looks may do with a feature."""

    may_write: bool = True
    may_approve: bool = True
    may_promote: bool = True


@dataclass(frozen=True, slots=True)
class VoteLine:
    """What one person thinks of a release."""

    by: str
    verdict: str
    """`approved` or `rejected`."""
    at: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLine:
    """A request to have a release in an environment."""

    id: int
    feature: str
    feature_href: str
    release: str
    href: str
    environment: str
    state: str
    by: str
    at: str
    message: str
    votes: tuple[VoteLine, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class GateLine:
    """The result of a check."""

    name: str
    run: str
    has_passed: bool
    summary: str
    at: str
    by: str


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """An environment that a release may be brought to."""

    environment: str
    says: str
    """What stands in the way, in words; empty when nothing does."""
    is_live: bool
    may_be_tried: bool = False
    """Whether another release stands there, beside which this one can be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One row of an environment's history."""

    at: str
    environment: str
    did: str
    release: str
    href: str
    tried: str
    by: str
    reason: str
    review: str
    eval_run: str
    is_this: bool = False


@dataclass(frozen=True, slots=True)
class RolloutLink:
    """A rollout in which the release was tried."""

    href: str
    what: str
    state: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePage:
    """The page."""

    id: str
    short: str
    feature: str
    feature_href: str
    author: str
    at: str
    message: str
    parent: str
    parent_href: str
    is_latest: bool
    live: tuple[LiveMark, ...]
    """Where it is live."""
    recipe: RecipeView
    diffs: tuple[RecipeDiff, ...]
    picker: Picker
    problems: tuple[str, ...]
    environment: str
    """In which the figures are compared; empty for all."""
    other: str
    other_href: str
    metrics: tuple[MetricLine, ...]
    calls_href: str
    history: tuple[HistoryLine, ...]
    reviews: tuple[ReviewLine, ...]
    gates: tuple[GateLine, ...]
    places: tuple[PlaceLine, ...]
    rollouts: tuple[RolloutLink, ...]
    edit_href: str
    try_href: str
    permits: Permits


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFound:
    """What the stores say of a release."""

    row: ReleaseRow
    head: str
    parent: ReleaseRow | None
    standings: Sequence[StandingRow]
    """The latest row of each environment of the feature."""
    standing: ReleaseRow | None
    """What stands where it is compared, if that is another one."""
    history: Sequence[StandingRow]
    """Of the feature, the latest first."""
    figures: Sequence[ReleaseFigures]
    previous: str
    """The release with which figures are compared; empty for none."""
    environment: str
    feedback: Sequence[ReleaseFeedback] = ()
    reviews: tuple[ReviewLine, ...] = ()
    gates: tuple[GateLine, ...] = ()
    places: tuple[PlaceLine, ...] = ()
    rollouts: tuple[RolloutLink, ...] = ()


def release_page(found: ReleaseFound, query: CallQuery, permits: Permits) -> ReleasePage:
    """Build the page from what the stores found."""
    row, path = found.row, f"/releases/{found.row.id}"
    fares = {one.release: one for one in found.figures if one.environment == found.environment}
    concerning = [one for one in found.history if _concerns(one, row.id)]
    return ReleasePage(
        id=row.id,
        short=short(row.id),
        feature=row.feature,
        feature_href=feature_href(row.feature),
        author=row.author,
        at=figures.iso(row.at),
        message=row.message,
        parent=short(row.parent),
        parent_href=release_href(row.parent),
        is_latest=found.head == row.id,
        live=live_marks([one for one in found.standings if _concerns(one, row.id)]),
        recipe=recipe_view(row.recipe),
        diffs=_diffs(found),
        picker=picker(query, path),
        problems=query.problems,
        environment=found.environment,
        other=short(found.previous),
        other_href=release_href(found.previous),
        metrics=(
            *metric_lines(fares.get(row.id), fares.get(found.previous)),
            *feedback_lines(found.feedback, environment=found.environment, this=row.id, other=found.previous),
        ),
        calls_href=query.url("/calls", feature=row.feature, release=row.id),
        history=tuple(history_line(one, this=row.id) for one in concerning[:HISTORY_SHOWN]),
        reviews=found.reviews,
        gates=found.gates,
        places=found.places,
        rollouts=found.rollouts,
        edit_href=f"{path}/edit",
        try_href=f"/playground?{urlencode({'release': row.id})}",
        permits=permits,
    )


def history_line(row: StandingRow, *, this: str = "") -> HistoryLine:
    """Build one line of a timeline; `this` is the release whose page it stands on."""
    arms = ", ".join(f"{one.what} of {one.release}" for one in tried(row.rollout))
    return HistoryLine(
        at=figures.iso(row.effective_at),
        environment=row.environment,
        did=KINDS.get(row.kind, row.kind.replace("_", " ")),
        release=short(row.release),
        href=release_href(row.release),
        tried=arms,
        by=row.by,
        reason=row.reason,
        review=str(row.review) if row.review is not None else "",
        eval_run=row.eval_run,
        is_this=row.release == this,
    )


def stood_before(history: Sequence[StandingRow], environment: str, release: str) -> str:
    """Return the release that stood in an environment before one came to it; else the one that stands there now.

    Args:
        history: Of the feature, the latest first.
        environment: Which.
        release: The one that came.
    """
    rows = [row for row in history if row.environment == environment]
    for place, row in enumerate(rows):
        if row.release == release:
            earlier = next((one.release for one in rows[place:] if one.release not in (release, "")), "")
            if earlier:
                return earlier
    return next((row.release for row in rows if row.release != release), "")


def _concerns(row: StandingRow, release: str) -> bool:
    arms = row.rollout.arms if row.rollout is not None else ()
    return row.release == release or any(arm.release == release for arm in arms)


def _diffs(found: ReleaseFound) -> tuple[RecipeDiff, ...]:
    row = found.row
    diffs = []
    if found.parent is not None:
        href = release_href(found.parent.id)
        diffs.append(
            recipe_diff(found.parent.recipe, row.recipe, named=f"its parent {short(found.parent.id)}", href=href)
        )
    standing = found.standing
    if standing is not None and standing.id not in (row.id, row.parent):
        named = f"{short(standing.id)}, live in {found.environment}"
        diffs.append(recipe_diff(standing.recipe, row.recipe, named=named, href=release_href(standing.id)))
    return tuple(diffs)
