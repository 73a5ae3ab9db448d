"""What a look at a group of calls comes to, in figures and in sentences."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from watchkeeper.evals.drift.levels import Window
from watchkeeper.evals.drift.signals import SIGNAL, Kind, Side

Breach = Literal["", "suspected", "certain"]
"""suspected: told if the look before, or the next, says the same. certain: told at once. Else empty."""
Cause = Literal["", "inputs", "outputs"]
"""inputs: people ask something else. outputs: the same is answered otherwise. Empty where nothing has moved."""

P_SHOWN = 0.0001
MOVED_SHOWN = 3
"""Levels of a category that a sentence names, those that moved most."""


class Level(Struct, frozen=True):
    """One value of a category, or one topic."""

    name: str
    before: float
    """Share of calls."""
    after: float
    example: str = ""
    """Id of a call that is typical of a topic."""


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One signal, in a window and in what it is compared with."""

    signal: str
    side: Side
    kind: Kind
    before: float | None
    """A share, a median, or calls per window; None for a category."""
    after: float | None
    effect: float
    """By how much it has moved, in the unit of the signal's floor."""
    p: float
    """Probability of a difference like this one if nothing has changed."""
    units_before: int
    """Calls that could be compared, one of each session."""
    units_after: int
    levels: tuple[Level, ...] = ()
    """Of a category: what moved most first."""
    psi: float | None = None
    """Population stability index; reported, never tested: it grows as samples shrink."""
    psi_by_chance: float | None = None
    """What 999 of 1,000 windows of this size stay below if nothing has changed."""
    at_like_inputs: float | None = None
    """Of an output that moved: which part of it remains when inputs of the same language and length are compared."""
    breach: Breach = ""
    cause: Cause = ""


class Reference(Struct, frozen=True, kw_only=True):
    """What a group is compared with."""

    since: datetime
    until: datetime
    """Not included."""
    by: str
    """Who accepted it; `watchkeeper` for the first days of a release."""
    at: datetime | None = None
    """When it was accepted; None where nobody has."""


class Group(Struct, frozen=True, order=True):
    """Calls that are looked at together."""

    feature: str
    environment: str
    release: str
    """Empty for calls that name a model themselves; for volume, which is of the whole feature."""
    target: str
    """`provider/model`; empty for volume."""


class Look(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at one group."""

    group: Group
    window: Window
    since: datetime
    until: datetime
    calls: int
    reference: Reference | None = None
    readings: tuple[Reading, ...] = ()
    not_judged: str = ""
    """Why there are no readings, in a sentence."""

    def reading(self, signal: str) -> Reading | None:
        """Return what was seen of a signal; None where it was not compared."""
        return next((one for one in self.readings if one.signal == signal), None)


def sentence(reading: Reading, look: Look) -> str:
    """Say what has changed, how surely, and what did not: `answers became 41 % shorter (p < 0.0001), ...`."""
    return f"{_what(reading)} ({probability(reading.p)}), {_beside(reading, look)}"


def probability(p: float) -> str:
    """Write a probability: `p < 0.0001`, `p = 0.0031`."""
    return f"p < {P_SHOWN:.4f}" if p < P_SHOWN else f"p = {p:.2g}"


def _what(reading: Reading) -> str:
    signal = SIGNAL[reading.signal]
    match reading.kind:
        case "number":
            return _numbers(reading)
        case "rate":
            verb = "rose" if (reading.after or 0) > (reading.before or 0) else "fell"
            return f"{signal.subject} {verb} from {_share(reading.before)} to {_share(reading.after)}"
        case "category" | "topics":
            moved = ", ".join(
                f"{one.name or 'none'} from {_share(one.before)} to {_share(one.after)}"
                for one in reading.levels[:MOVED_SHOWN]
            )
            return f"{signal.subject} moved: {moved}"
        case "volume":
            return f"{reading.after:,.0f} calls came where {reading.before:,.0f} usually do"


def _numbers(reading: Reading) -> str:
    signal = SIGNAL[reading.signal]
    before, after = reading.before or 0.0, reading.after or 0.0
    change = (after - before) / before if before else 0.0
    if abs(change) < signal.floor / 2:
        what = "length" if reading.signal.endswith("letters") else "latency"
        return f"the {what} of {signal.subject} is spread otherwise, around the same middle"
    return f"{signal.subject} became {abs(100 * change):.0f} % {signal.more if change > 0 else signal.less}"


def _beside(reading: Reading, look: Look) -> str:
    moved = [one for one in look.readings if one.side == "inputs" and one.breach]
    if reading.side == "inputs":
        outputs = [one for one in look.readings if one.side == "outputs" and one.breach]
        return "and so did answers" if outputs else "answers did not change"
    if not moved:
        return "inputs did not change"
    named = " and ".join(SIGNAL[one.signal].label.lower() for one in moved[:2])
    if reading.at_like_inputs is None:
        return f"inputs changed, too ({named})"
    part = f"{100 * max(0.0, min(1.0, reading.at_like_inputs)):.0f} %"
    if reading.cause == "inputs":
        return f"as inputs did ({named}): at like inputs only {part} of it remains"
    return f"inputs changed, too ({named}), but at like inputs {part} of it remains"


def _share(value: float | None) -> str:
    return "nothing" if value is None else f"{100 * value:.1f} %"
