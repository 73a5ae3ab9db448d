"""What a scorer is: something that looks at an answer and gives it a mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from watchkeeper.core.errors import CallerError
from watchkeeper.evals.outcome import Answer, Mark
from watchkeeper.evals.suite import Case


class ScorerRefused(CallerError):
    """A scorer cannot be used as it is written; nothing was asked."""

    code = "scorer_refused"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a scorer looks at."""

    case: Case
    answer: Answer
    value: Any = None
    """What the scorer holds the answer against: its own value with templates rendered, else the case's reference."""
    prompt: str = ""
    """What was asked, as one text: the last message of the user."""
    contexts: Sequence[str] = ()
    """Documents that were found for the call, else those of the case."""
    baseline: Answer | None = None
    """The baseline's answer to the same case, for scorers that compare."""


class Scores(Protocol):
    """Gives marks at once, from what is there."""

    def mark(self, question: Question) -> Mark:
        """Give an answer a mark.

        What the answer gets wrong is `failed`; what cannot be decided (a malformed reference, a figure that is missing)
        is `unmeasured` with the reason. Never raises for what a case or an answer holds.
        """
        ...


class ScoresLater(Protocol):
    """Gives marks after asking somebody else: a model, another process."""

    async def mark_later(self, question: Question) -> Mark:
        """As `Scores.mark`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge answered."""

    content: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Its answer, which fits the judge's schema; empty where there is none."""
    error: str = ""
    """Why there is no answer that fits."""
    release: str = ""
    call: str = ""
    cost_nusd: int | None = None
    odds: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """By key of the content whose value is a whole number: how likely the judge was to write each value there; empty
    where nobody said."""


class Judge(Protocol):
    """Asks a release that judges."""

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """Have a judge answer.

        Args:
            kind: Of the judges that come with Watchkeeper, such as `rubric`; tells which schema the answer has.
            judge: As in `Scorer.judge`: a model for the judge that comes with Watchkeeper, or a feature of one's own.
            variables: What its prompt takes.
            repeat: Asked again with another number, an answer is made anew; with the same, it may be taken from before.
        """
        ...
