"""What came of a case: the answer, the mark that each scorer gave it, and the two together."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from watchkeeper.core.money import CostStatus

Status = Literal["passed", "failed", "unmeasured"]
"""unmeasured: nobody knows, for a reason that is told; it is neither."""


NOBODY_LOOKED = "no scorer with a weight above 0 looks at it; give the suite one"


class ToolCall(Struct, frozen=True, omit_defaults=True):
    """A function that the model asked for."""

    name: str
    arguments: str = "{}"
    """JSON, as the model wrote it; it need not be valid."""


class Answer(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was answered, and what that took."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    """The provider's own word that the model refused."""
    finish: str = ""
    """`stop`, `length`, `tool_calls`, `content_filter`; empty where nobody said."""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    error_code: str = ""
    """The gateway's code for it."""
    call: str = ""
    """Id of the call; empty where nothing was asked."""
    release: str = ""
    """That served it; empty for a plain model."""
    model: str = ""
    """As the provider reported it."""
    fingerprint: str = ""
    """The provider's `system_fingerprint`."""
    latency_ms: float | None = None
    """From the request to the whole answer, as the asker saw it; None where nothing was asked."""
    cost_nusd: int | None = None
    cost_status: CostStatus = "unpriced"
    input_tokens: int | None = None
    output_tokens: int | None = None
    logprobs: tuple[float, ...] = ()
    """Of each token of the answer, where they were asked for."""
    ask: str = ""
    """Hash of what was asked, how often before included: who asks the same gets the same answer, for a while."""
    reused: bool = False
    """Taken from an earlier run: neither latency nor cost are this run's."""


class Mark(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one scorer says of one answer."""

    scorer: str
    """Its title."""
    status: Status
    score: float | None = None
    """Between 0 and 1, more is better; None where nothing was measured. Latency and cost keep their figure in
    `detail`."""
    reason: str = ""
    """Why, in one sentence that names what was expected and what came; of an unmeasured one, what to do."""
    weight: float = 1.0
    judge: str = ""
    """Release of the judge that gave it."""
    cost_nusd: int | None = None
    """What the judge cost; None where there was none, or nobody knows."""
    calls: tuple[str, ...] = ()
    """Of the judge."""
    detail: dict[str, Any] = {}


class Outcome(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What came of one case, under one arm, asked once."""

    arm: str
    """`candidate`, `baseline`, or the title of a column where there are more."""
    case: str
    repeat: int = 0
    """0 for the first."""
    status: Status
    score: float | None = None
    """Mean of the marks by weight; None where one that counts is unmeasured."""
    marks: tuple[Mark, ...] = ()
    answer: Answer = Answer()
    reason: str = ""
    """Of a case that failed or was not measured: the first mark that says why."""
    at_ms: int = 0
    """Unix time at which it was known."""


def outcome_of(
    arm: str,
    case: str,
    repeat: int,
    answer: Answer,
    marks: Iterable[Mark],
    *,
    threshold: float | None = None,
    at_ms: int = 0,
) -> Outcome:
    """Put marks together.

    A case without an answer is unmeasured, and so is one that no scorer looks at whose weight is above 0. It has failed
    if a mark that counts (weight above 0) failed, and is unmeasured if none failed and one that counts is unmeasured.
    With a threshold, its score alone decides.
    """
    given = tuple(marks)
    counting = [mark for mark in given if mark.weight > 0]
    unknown = [mark for mark in counting if mark.score is None or mark.status == "unmeasured"]
    failed = [mark for mark in counting if mark.status == "failed"]
    total = sum(mark.weight for mark in counting)
    score = None if unknown or not total else sum((mark.score or 0.0) * mark.weight for mark in counting) / total
    status: Status
    if answer.error:
        status, score, reason = "unmeasured", None, answer.error
    elif not counting:
        status, score, reason = "unmeasured", None, NOBODY_LOOKED
    elif threshold is not None:
        status = "unmeasured" if score is None else "passed" if score >= threshold else "failed"
        reason = (
            unknown[0].reason
            if unknown
            else ""
            if status == "passed"
            else f"its score {score:.3g} is below {threshold:g}"
        )
    elif failed:
        status, reason = "failed", failed[0].reason
    elif unknown:
        status, reason = "unmeasured", unknown[0].reason
    else:
        status, reason = "passed", ""
    return Outcome(
        arm=arm,
        case=case,
        repeat=repeat,
        status=status,
        score=score,
        marks=given,
        answer=answer,
        reason=reason,
        at_ms=at_ms,
    )
