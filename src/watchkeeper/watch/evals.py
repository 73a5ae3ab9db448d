"""Alerts on scheduled runs: worse than before, too much unmeasured, or not at their end.

What is measured of real calls comes here as well, once it is known to be worse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark
from watchkeeper.watch.standing import compare
from watchkeeper.watch.wording import moment

REGRESSION: AlertKind = "eval_regression"
UNMEASURED: AlertKind = "eval_unmeasured"
STUCK: AlertKind = "eval_stuck"
KINDS = (REGRESSION, UNMEASURED, STUCK)
_SCHEDULE = "schedule "
_ONLINE = "online "
_REASON_LETTERS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a run has shown beside one baseline."""

    run: str
    """The baseline's; empty where the run itself asked it, or there is none."""
    result: str
    """As `evals.decision.Result`."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a schedule the last time that it ended, or has not ended for too long."""

    schedule: str
    suite: str
    run: str
    """Empty where none began."""
    asked: str
    """The release or model, for people."""
    at: datetime
    failure: str = ""
    """Why it did not come to its end; empty where it did."""
    shown: tuple[Shown, ...] = ()
    """Beside the baseline, then beside the run that somebody has accepted."""

    @property
    def has_passed(self) -> bool:
        """Tell whether it ended, and nothing speaks against it."""
        return not self.failure and all(one.result == "pass" for one in self.shown)

    def has(self, result: str) -> bool:
        """Tell whether it has shown something, beside any baseline."""
        return any(one.result == result for one in self.shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Scores of real calls that are known to be lower than others."""

    rule: str
    feature: str
    environment: str
    scorer: str
    against: str
    """What they are lower than, in words: `release wk1-...`, `the seven days before`."""
    release: str
    """Whose they are; empty where that is not known."""
    mean: float
    count: int
    mean_before: float
    count_before: int
    low: float
    """So much lower at least."""
    high: float
    alpha: float
    """Probability that the true difference is ever outside of the interval."""

    @property
    def key(self) -> str:
        """Return what it is known by while it lasts."""
        return f"{_ONLINE}{self.feature} {self.environment} {self.rule} {self.scorer} {self.against}"


def look(
    found: Sequence[Ran], marks: Mapping[AlertKind, Mapping[str, Mark]], *, console: str = ""
) -> tuple[Findings, ...]:
    """Say once of each schedule what is wrong with it; it is over when a run of it passes.

    Args:
        found: One for each schedule that has run.
        marks: By kind, what is remembered.
        console: Address of the console; empty where it is not known.
    """
    own = {kind: _beginning(marks.get(kind, {}), _SCHEDULE) for kind in KINDS}
    lasting = {kind: {key for key, mark in own[kind].items() if mark.passed} for kind in KINDS}
    present: dict[AlertKind, dict[str, AlertDraft]] = {kind: {} for kind in KINDS}
    for one in found:
        key = f"{_SCHEDULE}{one.schedule}"
        # What cannot be told now does not say that it is over.
        if one.has("regression") or (key in lasting[REGRESSION] and not one.has_passed):
            present[REGRESSION][key] = _regression(one, key, console)
        if one.has("unmeasured") or (key in lasting[UNMEASURED] and one.failure):
            present[UNMEASURED][key] = _unmeasured(one, key, console)
        if one.failure:
            present[STUCK][key] = _stuck(one, key, console)
    over = {
        REGRESSION: "A later run has passed, or the schedule is gone.",
        UNMEASURED: "A later run could be measured, or the schedule is gone.",
        STUCK: "A later run has come to its end, or the schedule is gone.",
    }
    return tuple(one for kind in KINDS for one in compare(kind, present[kind], own[kind], over=over[kind]))


def look_at_drops(
    found: Sequence[Drop], lasting: frozenset[str], marks: Mapping[str, Mark], *, console: str = ""
) -> tuple[Findings, ...]:
    """Say once of each drop that it is there.

    Args:
        found: What is known to be lower now.
        lasting: Keys of what is still lower, though nobody would say so anew.
        marks: By key, what is remembered of `eval_regression`.
        console: As in `look`.
    """
    own = _beginning(marks, _ONLINE)
    present = {one.key: _drop(one, console) for one in found}
    kept = {key: _kept(key) for key, mark in own.items() if mark.passed and key in lasting}
    over = "Its scores are no longer lower, or the release is no longer live."
    return compare(REGRESSION, {**kept, **present}, own, over=over)


def _beginning(marks: Mapping[str, Mark], prefix: str) -> dict[str, Mark]:
    return {key: mark for key, mark in marks.items() if key.startswith(prefix)}


def _kept(key: str) -> AlertDraft:
    """What stands in for an alert that is open already, and is not raised again."""
    return AlertDraft(kind=REGRESSION, key=key, severity="warning", title=key, text=key, facts={})


def _regression(one: Ran, key: str, console: str) -> AlertDraft:
    worse = [shown for shown in one.shown if shown.result == "regression"] or list(one.shown)
    against = [f"beside {shown.run}: {_said(shown)}" if shown.run else _said(shown) for shown in worse]
    text = (
        f"The run {one.run} of the suite {one.suite}, asking {one.asked}, is worse than its baseline.\n"
        + "\n".join(against)
        + f"\nLook at what fails: {_link(one, console)}\n"
        f"What to do: `watchkeeper release history {one.suite.partition('/')[0]}` tells what was changed, and "
        "`watchkeeper release rollback` takes it back; where nothing was, the provider may have changed the model. If "
        f"it is meant to be so: `watchkeeper eval schedule accept {one.schedule}`."
    )
    return _draft(REGRESSION, key, f"{one.suite} got worse: {one.asked}", text, one)


def _unmeasured(one: Ran, key: str, console: str) -> AlertDraft:
    said = next((_said(shown) for shown in one.shown if shown.result == "unmeasured"), one.failure)
    text = (
        f"Too much of the run {one.run} of the suite {one.suite}, asking {one.asked}, could not be measured, so that "
        f"it shows nothing.\n{said}\nLook at the reasons: {_link(one, console)}\n"
        f"What to do: mend what they name (a judge, a price, a cap), then `watchkeeper eval resume {one.run} --again`, "
        f"or wait for the next run."
    )
    return _draft(UNMEASURED, key, f"Too much of {one.suite} is unmeasured", text, one)


def _stuck(one: Ran, key: str, console: str) -> AlertDraft:
    run = f"The run {one.run}" if one.run else "No run"
    what = "did not come to its end" if one.run else "has begun"
    link = f"\nHow far it came: {_link(one, console)}" if one.run else ""
    again = f"`watchkeeper eval resume {one.run}` goes on with it; " if one.run else ""
    text = (
        f"{run} of the suite {one.suite} {what}, which the schedule {one.schedule} was to have at {moment(one.at)}: "
        f"{one.failure[:_REASON_LETTERS_MAX]}{link}\n"
        f"What to do: {again}`watchkeeper eval schedule run {one.schedule}` tries it anew."
    )
    return _draft(STUCK, key, f"The schedule {one.schedule} is stuck", text, one)


def _drop(one: Drop, console: str) -> AlertDraft:
    whose = f" of release {one.release}" if one.release else ""
    link = f" or {console}/calls?feature={one.feature}" if console else ""
    text = (
        f"Real calls of feature {one.feature} in {one.environment}{whose} score {one.mean:.3f} by `{one.scorer}` on "
        f"average ({one.count:,} answers), and {one.mean_before:.3f} in {one.against} ({one.count_before:,}). They are "
        f"lower by {one.low:.3f} to {one.high:.3f}; an interval that may be looked at at any time, and is ever wrong "
        f"with probability {one.alpha:.2g} at most.\n"
        f"Look at it: `watchkeeper eval scores {one.feature}`{link}\n"
        f"What to do: `watchkeeper release rollback {one.feature}` takes the last release back; where there was none, "
        "see whether other questions are asked, or the provider has changed the model."
    )
    facts = {
        "rule": one.rule, "feature": one.feature, "environment": one.environment, "scorer": one.scorer,
        "release": one.release or None, "against": one.against, "mean": one.mean, "count": one.count,
        "mean_before": one.mean_before, "count_before": one.count_before, "low": one.low, "high": one.high,
        "alpha": one.alpha,
    }  # fmt: skip
    title = f"Answers of {one.feature} score lower by {one.scorer}"
    return AlertDraft(kind=REGRESSION, key=one.key, severity="warning", title=title, text=text, facts=facts)


def _said(shown: Shown) -> str:
    return " ".join(shown.reasons)[:_REASON_LETTERS_MAX] or f"its result is {shown.result}"


def _link(one: Ran, console: str) -> str:
    page = f" or {console}/evals/runs/{one.run}" if console else ""
    return f"`watchkeeper eval show {one.run}`{page}"


def _draft(kind: AlertKind, key: str, title: str, text: str, one: Ran) -> AlertDraft:
    facts = {
        "schedule": one.schedule,
        "suite": one.suite,
        "run": one.run or None,
        "asked": one.asked,
        "failure": one.failure or None,
        "shown": [{"run": shown.run, "result": shown.result, "reasons": list(shown.reasons)} for shown in one.shown],
    }
    return AlertDraft(kind=kind, key=key, severity="warning", title=title, text=text, facts=facts)
