"""What an assertion looks at, what it says of it, and what it may ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from watchkeeper.evals.promptfoo.javascript import UNDEFINED, Engine
from watchkeeper.evals.promptfoo.model import Assertion, GradingContext, ProviderOutput, Tokens
from watchkeeper.evals.promptfoo.nunjucks import Renderer
from watchkeeper.evals.promptfoo.python import PythonRunner
from watchkeeper.evals.promptfoo.values import number

NO_TOKENS = Tokens()
REASON_MAX = 2_000
"""Letters of a reason that come from an output or a script."""


class Undecided(Exception):
    """An assertion cannot be decided, for a reason that is told; where promptfoo raises, and its result is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a grader answered."""

    text: str = ""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    tokens: Tokens = NO_TOKENS


class Grader(Protocol):
    """Asks a model; what it costs is booked where it is asked."""

    async def ask(self, messages: Sequence[Mapping[str, Any]], provider: Any = None) -> Said:
        """Return what a model answers to a conversation in the chat API's form.

        Args:
            messages: The conversation.
            provider: As the configuration names it: an id or an entry as in `providers`; None for the default.
        """
        ...

    async def embed(self, texts: Sequence[str], provider: Any = None) -> Sequence[Sequence[float]]:
        """Return a vector for each text. Raises Undecided."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What assertions work with; made once for a run."""

    renderer: Renderer
    engine: Engine
    python: PythonRunner
    grader: Grader | None = None
    """None: what a model must grade cannot be decided."""
    allow_network: bool = False
    """Whether webhooks are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One assertion and the output that it looks at."""

    assertion: Assertion
    base: str
    """Its type without `not-`."""
    negated: bool
    output: Any
    """After the assertion's own transform."""
    text: str
    """The output as text: as it is, or as JSON."""
    value: Any
    """The assertion's, with templates rendered; UNDEFINED where there is none."""
    script: Any = UNDEFINED
    """What a function in a file returned, where the value names one."""
    answer: ProviderOutput
    context: GradingContext
    instruments: Instruments

    @property
    def is_old(self) -> bool:
        """Tell whether the rules of promptfoo 0.118 hold."""
        return self.context.compat == "0.118"

    @property
    def expected(self) -> Any:
        """Return what a function in a file returned, else the value."""
        return self.value if self.script is UNDEFINED or self.script is None else self.script

    @property
    def has_threshold(self) -> bool:
        """Tell whether the assertion names a threshold."""
        return self.assertion.get("threshold") is not None

    def threshold(self, otherwise: float) -> float:
        """Return the assertion's threshold, else the type's own."""
        return number(self.assertion["threshold"]) if self.has_threshold else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an assertion says."""

    passed: bool
    score: float
    reason: str = "passed"
    named_scores: Mapping[str, float] = field(default_factory=dict[str, float])
    named_weights: Mapping[str, float] = field(default_factory=dict[str, float])
    components: Sequence[Mapping[str, Any]] = ()
    """Parts that a script reported, as promptfoo writes them."""
    tokens: Tokens = NO_TOKENS
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    assertion: Assertion | None = None
    """Of which it speaks, where a script names another."""


def verdict(holds: bool, subject: Subject, reason: str, against: str = "") -> Finding:
    """Return 1 or 0 for a rule that holds or not, turned round by `not-`.

    Args:
        holds: Whether the output fits the rule.
        subject: What was looked at.
        reason: Why it failed where the rule had to hold.
        against: Why it failed where the rule had to be broken.
    """
    passed = holds != subject.negated
    told = (against or f"it must not be so: {subject.base}") if subject.negated else reason
    return Finding(passed=passed, score=float(passed), reason="passed" if passed else told[:REASON_MAX])


def plain_verdict(holds: bool, reason: str) -> Finding:
    """Return 1 or 0 for a rule that `not-` does not turn round."""
    return Finding(passed=holds, score=float(holds), reason="passed" if holds else reason[:REASON_MAX])


def newly_negated(subject: Subject, holds: bool, reason: str, against: str = "") -> Finding:
    """Return the verdict of a rule that promptfoo 0.118 did not turn round."""
    return plain_verdict(holds, reason) if subject.is_old else verdict(holds, subject, reason, against)


def measured(subject: Subject, score: float, otherwise: float, name: str) -> Finding:
    """Return a score with the verdict that it reaches its threshold; negated, both are turned round."""
    threshold = subject.threshold(otherwise)
    passed = (score >= threshold) != subject.negated
    relation = "reaches" if score >= threshold else "is below"
    return Finding(
        passed=passed,
        score=1 - score if subject.negated else score,
        reason=f"{name} {score:.4f} {relation} {threshold:g}",
    )


def require(condition: Any, message: str) -> None:
    """Raise Undecided unless a condition is true."""
    if not condition:
        raise Undecided(message)


def texts_of(subject: Subject) -> list[str]:
    """Return the value as a list of texts: references that are compared with. Raises Undecided."""
    value = subject.value
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    raise Undecided(f"`{subject.base}` takes a text or a list of texts as its value")
