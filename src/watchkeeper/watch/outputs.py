"""Alerts on answers that are not what their release asks for: more often than usual, or than is allowed.

Shares are compared by Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", J. Am. Stat. Assoc. 22, 1927): an hour with few answers has a wide one, and says nothing by
chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark
from watchkeeper.watch.standing import compare
from watchkeeper.watch.wording import calls_link

KIND: AlertKind = "output_failures"
LEAST = 20
"""Answers of late, fewer of which are no share."""
LEAST_BEFORE = 100
"""Answers of the week before, fewer of which are no usual share."""
GATE = 0.02
"""By how much the usual share must be exceeded, whatever the interval says."""
Z_CONFIGURED = 1.645
"""95 of 100 such hours at exactly the configured share raise nothing."""
Z_USUAL = 3.09
"""999 of 1,000: the usual is itself an estimate, and many features are looked at often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What became of a feature's answers in the last hour, and in the week before it."""

    feature: str
    checked: int
    failed: int
    checked_before: int
    failed_before: int
    last_call: str
    """Id of the latest call whose answer failed; empty for none."""
    last_release: str
    allowed: float | None
    """The share that the configuration allows; None where it says nothing."""


def look(found: Sequence[Answers], marks: Mapping[str, Mark], *, console: str = "") -> tuple[Findings, ...]:
    """Say once of each feature that too many answers fail; it is over when the share is down again."""
    known = {key for key, mark in marks.items() if mark.passed}
    many = [one for one in found if (_lasts(one) if one.feature in known else _is_too_many(one))]
    present = {one.feature: _draft(one, console) for one in many}
    return compare(KIND, present, marks, over="The share of answers that fail is no longer above its limit.")


def wilson(part: int, whole: int, z: float) -> tuple[float, float]:
    """Return the interval in which the true share lies, by Wilson's score; from 0 to 1 where nothing was seen."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, z * z / whole
    middle = (share + square / 2) / (1 + square)
    reach = z * sqrt(share * (1 - share) / whole + square / (4 * whole)) / (1 + square)
    return (0.0 if not part else max(0.0, middle - reach)), (1.0 if part == whole else min(1.0, middle + reach))


def _is_too_many(one: Answers) -> bool:
    if one.checked < LEAST:
        return False
    if one.allowed is not None:
        return wilson(one.failed, one.checked, Z_CONFIGURED)[0] > one.allowed
    if one.checked_before < LEAST_BEFORE:
        return False
    usual = wilson(one.failed_before, one.checked_before, Z_USUAL)[1]
    lowest = wilson(one.failed, one.checked, Z_USUAL)[0]
    return lowest > usual and one.failed / one.checked > _usual(one) + GATE


def _lasts(one: Answers) -> bool:
    """Whether a share that was too large still is, as it stands: there is no interval to grow out of."""
    if one.checked < LEAST:
        return False
    limit = one.allowed if one.allowed is not None else _usual(one) + GATE
    return one.failed / one.checked > limit


def _usual(one: Answers) -> float:
    return one.failed_before / one.checked_before if one.checked_before else 0.0


def _draft(one: Answers, console: str) -> AlertDraft:
    share = f"{100 * one.failed / one.checked:.1f} %"
    limit = (
        f"{100 * one.allowed:g} % are allowed by `output_alert`"
        if one.allowed is not None
        else f"usually {100 * _usual(one):.1f} % do, {one.failed_before:,} of {one.checked_before:,} in the week before"
    )
    return AlertDraft(
        kind=KIND,
        key=one.feature,
        severity="warning",
        title=f"{share} of the answers of {one.feature} are not what its release asks for",
        text=(
            f"In the last hour {one.failed:,} of {one.checked:,} answers of feature {one.feature} did not fit "
            f"the schema of their release; {limit}. Answers that were repaired are not counted.\n"
            f"One of them: `watchkeeper call {one.last_call}`, release {one.last_release or 'not known'}; all of them: "
            f"{calls_link(console, {'feature': one.feature}, output='failed')}\n"
            "What to do: see whether a release was promoted (`watchkeeper release history "
            f"{one.feature}`) or a provider has changed its model; `watchkeeper release rollback {one.feature}` takes "
            "the last one back."
        ),
        facts={
            "feature": one.feature,
            "checked": one.checked,
            "failed": one.failed,
            "checked_before": one.checked_before,
            "failed_before": one.failed_before,
            "allowed": one.allowed,
            "last_call": one.last_call,
            "last_release": one.last_release,
        },
    )
