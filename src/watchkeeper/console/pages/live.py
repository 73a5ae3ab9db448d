"""What is live where, as tables and cards show it: release, since when, by whom, and what is tried beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.releases.standing import Rollout
from watchkeeper.store.environments import StandingRow

USUAL = ("production", "staging", "development")
"""The order of environments that always exist; others follow by name."""
KINDS = {
    "promote": "promoted",
    "rollback": "rolled back to",
    "withdraw": "taken off",
    "canary_start": "canary started on",
    "canary_step": "canary widened on",
    "canary_pause": "canary paused on",
    "canary_resume": "canary resumed on",
    "canary_done": "canary succeeded with",
    "canary_back": "canary taken back to",
    "canary_stop": "canary stopped on",
    "ab_start": "A/B test started on",
    "ab_change": "A/B test changed on",
    "ab_done": "A/B test concluded with",
    "ab_stop": "A/B test stopped on",
    "shadow_start": "shadow started on",
    "shadow_stop": "shadow stopped on",
}
"""Kind of a history's row -> what it did, before the release that holds from then on."""
_TRIED = {"canary": "canary", "ab": "A/B test", "shadow": "shadow"}


@dataclass(frozen=True, slots=True)
class TriedMark:
    """A release that is tried beside the one that stands."""

    what: str
    """`canary 5 %`."""
    release: str
    href: str
    rollout_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMark:
    """What one environment serves."""

    environment: str
    release: str
    """Short; empty where the feature has been taken off."""
    href: str
    since: str
    by: str
    reason: str
    did: str
    """How it came about: `promoted`."""
    tried: tuple[TriedMark, ...]


def live_mark(row: StandingRow) -> LiveMark:
    """Build the mark of an environment's latest row."""
    return LiveMark(
        environment=row.environment,
        release=short(row.release),
        href=release_href(row.release),
        since=figures.iso(row.effective_at),
        by=row.by,
        reason=row.reason,
        did=KINDS.get(row.kind, row.kind.replace("_", " ")),
        tried=tried(row.rollout),
    )


def live_marks(rows: Sequence[StandingRow]) -> tuple[LiveMark, ...]:
    """Build the marks of a feature's environments, production first."""
    return tuple(live_mark(row) for row in sorted(rows, key=lambda row: _rank(row.environment)))


def tried(rollout: Rollout | None) -> tuple[TriedMark, ...]:
    """Name what a rollout tries, with each arm's share."""
    if rollout is None:
        return ()
    href = f"/rollouts/{quote(rollout.id, safe='')}"
    return tuple(
        TriedMark(f"{_TRIED[rollout.kind]} {share(arm.share)}", short(arm.release), release_href(arm.release), href)
        for arm in rollout.arms
    )


def share(part: float) -> str:
    """Write a share of the units: 0.05 -> "5 %"."""
    return f"{100 * part:.3g} %"


def _rank(environment: str) -> tuple[int, str]:
    return (USUAL.index(environment) if environment in USUAL else len(USUAL), environment)
