"""What may become of a rollout, by a judge or by hand; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from watchkeeper.core.errors import CallerError
from watchkeeper.releases.standing import Arm
from watchkeeper.store.rollouts import RolloutRow, Turn

Verb = Literal["pause", "resume", "stop", "widen"]
"""What a person may do at any time; a winner is another matter, see `concluded`."""


class RolloutOver(CallerError):
    """The rollout has ended."""

    code = "rollout_ended"
    http_status = 409


class TurnImpossible(CallerError):
    """This kind of rollout, or one that stands like this, does not do that."""

    code = "rollout_cannot"
    http_status = 409


@dataclass(frozen=True, slots=True)
class Why:
    """Who says so, and why."""

    by: str
    reason: str


def turned(row: RolloutRow, verb: Verb, why: Why) -> Turn:
    """Do what a person says.

    Raises:
        RolloutOver: it has ended.
        TurnImpossible: it cannot do that.
    """
    _see_that_it_goes_on(row)
    match verb:
        case "pause":
            return paused(row, why)
        case "resume":
            return _resumed(row, why)
        case "stop":
            return _stopped(row, why)
        case "widen":
            return widened(row, why)


def widened(row: RolloutRow, why: Why) -> Turn:
    """Go on to the next step; the last one of all makes the candidate live."""
    following = row.settings.plan.steps[row.step + 1 :]
    if row.kind != "canary" or not following:
        raise TurnImpossible(
            f"{row.id} has no further step; nothing was changed. `watchkeeper rollout conclude {row.id} --winner "
            "RELEASE` makes one of its releases live for everybody."
        )
    if following[0].share >= 1:
        return concluded(row, row.arms[0].release, why)
    return Turn(
        state="running",
        kind="canary_step",
        release=row.baseline,
        arms=(Arm(row.arms[0].release, following[0].share),),
        step=row.step + 1,
        begins_step=True,
        gives_more=True,
        by=why.by,
        reason=why.reason,
    )


def paused(row: RolloutRow, why: Why) -> Turn:
    """Leave every share as it is, and only watch for harm."""
    if row.kind == "shadow" or row.state == "paused":
        state = "is paused already" if row.state == "paused" else "is a shadow, which nobody is served by"
        raise TurnImpossible(f"{row.id} {state}; nothing was changed. `watchkeeper rollout stop {row.id}` ends it.")
    kind = "canary_pause" if row.kind == "canary" else "ab_change"
    return Turn(
        state="paused", kind=kind, release=row.baseline, arms=row.arms, step=row.step, by=why.by, reason=why.reason
    )


def taken_back(row: RolloutRow, why: Why) -> Turn:
    """Have everybody served by the standing release again, since the candidate is worse."""
    kind = "canary_back" if row.kind == "canary" else "ab_stop"
    return Turn(state="rolled_back", kind=kind, release=row.baseline, step=row.step, by=why.by, reason=why.reason)


def concluded(row: RolloutRow, winner: str, why: Why) -> Turn:
    """End it with one of its releases live for everybody.

    Raises:
        RolloutOver: it has ended.
        TurnImpossible: the winner is none of its releases, or it is a shadow, which nobody was served by.
    """
    _see_that_it_goes_on(row)
    if row.kind == "shadow":
        raise TurnImpossible(
            f"{row.id} is a shadow, which nobody was served by; nothing was changed. Promote what it has tried: "
            f"`watchkeeper release promote {row.feature} {row.arms[0].release} --to {row.environment}`."
        )
    known = releases_of(row)
    if winner not in known:
        raise TurnImpossible(
            f"{winner[:60]!r} is no release of {row.id}; nothing was changed. It tries {', '.join(known)}."
        )
    if winner == row.baseline:
        return _stopped(row, why, state="done")
    return Turn(
        state="done",
        kind=f"{row.kind}_done",
        release=winner,
        step=row.step,
        gives_more=True,
        by=why.by,
        reason=why.reason,
    )


def releases_of(row: RolloutRow) -> Sequence[str]:
    """Name the releases of a rollout, the one that stands first."""
    return (row.baseline, *(arm.release for arm in row.arms))


def _resumed(row: RolloutRow, why: Why) -> Turn:
    if row.state != "paused":
        raise TurnImpossible(f"{row.id} is not paused; nothing was changed.")
    kind = "canary_resume" if row.kind == "canary" else "ab_change"
    return Turn(
        state="running",
        kind=kind,
        release=row.baseline,
        arms=row.arms,
        step=row.step,
        begins_step=True,
        by=why.by,
        reason=why.reason,
    )


def _stopped(row: RolloutRow, why: Why, *, state: Literal["stopped", "done"] = "stopped") -> Turn:
    return Turn(state=state, kind=f"{row.kind}_stop", release=row.baseline, step=row.step, by=why.by, reason=why.reason)


def _see_that_it_goes_on(row: RolloutRow) -> None:
    if not row.is_active:
        raise RolloutOver(f"{row.id} has ended ({row.state.replace('_', ' ')}). It stays so; nothing was changed.")
