"""Rollouts: releases that are tried, the running ones first."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.live import share
from watchkeeper.releases.standing import Arm
from watchkeeper.store.rollouts import RolloutRow

PATH = "/rollouts"
WHAT = {"canary": "Canary", "ab": "A/B test", "shadow": "Shadow"}
SHAPES = {"running": "valid", "paused": "warning", "done": "ok", "rolled_back": "error", "stopped": "cancelled"}
"""State -> shape; others have the plain one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutHead:
    """What is known of a rollout."""

    id: str
    feature: str
    environment: str
    kind: str
    state: str
    step: int
    """From 0."""
    steps: int
    arms: tuple[Arm, ...]
    baseline: str
    started_at: str
    started_by: str
    ended_at: str
    """Empty while it runs."""
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutLine:
    """One rollout."""

    id: str
    href: str
    what: str
    feature: str
    feature_href: str
    environment: str
    state: str
    shape: str
    share: str
    release: str
    release_href: str
    baseline: str
    baseline_href: str
    step: str
    started_at: str
    started_by: str
    ended_at: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsPage:
    """The page."""

    feature: str
    clear_href: str
    running: tuple[RolloutLine, ...]
    ended: tuple[RolloutLine, ...]


def head_of(row: RolloutRow) -> RolloutHead:
    """Return what every page says of a rollout."""
    return RolloutHead(
        id=row.id,
        feature=row.feature,
        environment=row.environment,
        kind=row.kind,
        state=row.state,
        step=row.step,
        steps=len(row.settings.plan.steps) if row.kind == "canary" else 0,
        arms=row.arms,
        baseline=row.baseline,
        started_at=figures.iso(row.started_at),
        started_by=row.started_by,
        ended_at=figures.iso(row.ended_at) if row.ended_at is not None else "",
        outcome=row.outcome,
    )


def rollouts_page(found: Sequence[RolloutHead], *, feature: str) -> RolloutsPage:
    """Build the page; the latest come first."""
    lines = [rollout_line(one) for one in found]
    return RolloutsPage(
        feature=feature,
        clear_href=PATH,
        running=tuple(line for line in lines if not line.ended_at),
        ended=tuple(line for line in lines if line.ended_at),
    )


def rollout_line(one: RolloutHead) -> RolloutLine:
    """Build one line."""
    release = one.arms[0].release if one.arms else ""
    return RolloutLine(
        id=one.id,
        href=f"{PATH}/{quote(one.id, safe='')}",
        what=WHAT.get(one.kind, one.kind),
        feature=one.feature,
        feature_href=feature_href(one.feature),
        environment=one.environment,
        state=one.state.replace("_", " "),
        shape=SHAPES.get(one.state, "other"),
        share=", ".join(share(arm.share) for arm in one.arms),
        release=", ".join(short(arm.release) for arm in one.arms),
        release_href=release_href(release),
        baseline=short(one.baseline),
        baseline_href=release_href(one.baseline),
        step=f"{one.step + 1} of {one.steps}" if one.steps else figures.NOTHING,
        started_at=one.started_at,
        started_by=one.started_by,
        ended_at=one.ended_at,
        outcome=one.outcome,
    )
