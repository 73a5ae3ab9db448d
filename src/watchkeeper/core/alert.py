"""The words of alerts: what a rule finds, and what it remembers of what it has said."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

AlertKind = Literal[
    "budget_threshold",
    "budget_pace",
    "cost_anomaly",
    "runaway",
    "price_unknown",
    "hold_expired",
    "output_failures",
    "rollout",
    "drift",
    "model_changed",
    "eval_regression",
    "eval_unmeasured",
    "eval_stuck",
]
"""What an alert is about.

budget_threshold: a share of a budget is used. budget_pace: it will be used up before its window ends. cost_anomaly: an
hour costs more than such hours do. runaway: a session, a tool or one call went beyond its limit. price_unknown: calls
are answered whose price is not known. hold_expired: a hold was never settled. output_failures: more answers
than usual, or than is allowed, are not what their release asks for. rollout: a release that was tried has been taken
back, or waits for a person. drift: what people ask a feature, or what they are answered, is no longer what it was.
model_changed: a model under the same name answers fixed prompts otherwise.
eval_regression: a scheduled run, or what is measured of real calls, is worse than before. eval_unmeasured: too much
of it could not be measured. eval_stuck: a scheduled run did not come to its end.
"""
ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)

Severity = Literal["info", "warning", "critical"]
"""info: to know. warning: to look at today. critical: calls are refused, or money runs away, now."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Feedback = Literal["useful", "noise", "planned"]
"""What somebody thought of an alert. planned: true, and expected."""

MessageEvent = Literal["raised", "resolved", "test"]
"""What a message tells of its alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDraft:
    """An alert to be raised. While one of its kind and key is open, raising it again does nothing."""

    kind: AlertKind
    key: str
    """What it is about, such as budget, scope, window and threshold."""
    severity: Severity
    title: str
    """One line with the figure in it."""
    text: str
    """What happened, figures with units and status, since when, where to look, what to do."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """The same for programs: amounts as decimal strings or integers, moments in ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """What an alert was about is over. Where none of its kind and key is open, this means nothing."""

    kind: AlertKind
    key: str
    reason: str
    """One sentence, as a message says it."""
    is_told: bool = True
    """Whether destinations that ask for it are told; not so where it ended by the calendar alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a rule remembers of one subject, so that a restart makes it neither repeat nor forget."""

    kind: AlertKind
    key: str
    window_start: datetime | None
    window_end: datetime | None
    passed: frozenset[str] = frozenset()
    """Thresholds that were passed and have not been armed again, as written in the configuration: `80%`."""
    version: int = 0
    """Of the stored mark; 0 for one that is not stored yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one look at one subject comes to; it takes effect whole or not at all."""

    raised: tuple[AlertDraft, ...] = ()
    over: tuple[Over, ...] = ()
    mark: Mark | None = None
    """What to remember from now on; None for no change. Its version is the one that was read."""

    def __bool__(self) -> bool:
        return bool(self.raised or self.over or self.mark)
