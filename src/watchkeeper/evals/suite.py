"""A suite: cases, what is asked of their answers, and when a release is good enough; known by its content."""

import base64
import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

SUITE_PREFIX = "wke1-"
HASH_LENGTH = 26
"""Characters of base 32: 130 bits of SHA-256."""
CASES_MAX = 100_000
REPEATS_MAX = 100

OnDoubt = Literal["block", "pass"]


class Scorer(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of an answer; which values mean what is told by its type, in `evals.scorers`."""

    type: str
    name: str = ""
    """Under which its marks are counted; its type where it has none."""
    value: Any = None
    """What the answer is held against; strings in it are templates over the case's variables and `reference`. Where
    there is none, the case's reference."""
    threshold: float | None = None
    """Score from which an answer has passed; where there is none, the type's own."""
    weight: float = 1.0
    """In the score of the case. 0: it is counted, and decides nothing."""
    negated: bool = False
    """Whether an answer passes that would fail, and the other way round; in a file, `not: true`."""
    judge: str = ""
    """Of a judged one: `feature/NAME@environment`, a release of the judge, or a model for the judge that comes with the
    type."""
    options: dict[str, Any] = {}
    """What else its type knows."""

    @property
    def title(self) -> str:
        """Return the name under which its marks are counted."""
        return self.name or self.type


class Case(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One question whose answer is looked at."""

    id: str
    """Unique in its suite; stays the same when cases around it change."""
    variables: dict[str, Any] = {}
    messages: tuple[dict[str, Any], ...] = ()
    """A conversation, as the chat API has it; sent along with the variables."""
    reference: Any = None
    """The right answer, or what a right answer must hold."""
    contexts: tuple[str, ...] = ()
    """Documents that the answer is held against, where the call itself does not tell."""
    tags: tuple[str, ...] = ()
    cluster: str = ""
    """Cases of one cluster (one document, one user) are not independent of each other; empty for one of its own."""
    weight: float = 1.0
    call: str = ""
    """Id of the call that it was made from."""
    answer: str | None = None
    """One that is there already: nothing is asked, this is looked at."""
    scorers: tuple[Scorer, ...] = ()
    """In addition to the suite's."""
    threshold: float | None = None
    """The case has passed from this score on, whatever each scorer says; None: no scorer may fail."""


class Gate(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """When a release is good enough beside another one."""

    margin: float = 0.05
    """How much worse it may be, in the share of cases that pass or in points of a score between 0 and 1."""
    alpha: float = 0.05
    """How often it may be wrong about that."""
    primary: tuple[str, ...] = ("passed",)
    """What must not be worse: `passed`, the share of cases that pass, `score`, or names of scorers."""
    critical: tuple[str, ...] = ()
    """Names of scorers of which no case may fail."""
    min_pass: float | None = None
    """Share of cases that must pass, with or without a baseline."""
    unmeasured: float = 0.02
    """Share of cases that may stay unmeasured."""
    in_doubt: OnDoubt = "block"
    """What becomes of a release of which the run cannot tell."""
    latency: float | None = None
    """How much longer answers may take, as a share: 0.2 for a fifth."""
    cost: float | None = None
    """How much more they may cost, as a share."""


class Suite(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that determines what a run measures. Equal suites have equal ids."""

    feature: str
    name: str
    """Unique in its feature."""
    cases: tuple[Case, ...]
    scorers: tuple[Scorer, ...] = ()
    """Of every case."""
    repeats: int = 1
    """How often each case is asked."""
    budget_nusd: int | None = None
    """What a run may cost."""
    judge: str = ""
    """Of judged scorers that name none."""
    gate: Gate = Gate()
    description: str = ""

    @property
    def title(self) -> str:
        """Return `FEATURE/NAME`."""
        return f"{self.feature}/{self.name}"


_encode = msgspec.json.Encoder(order="sorted").encode
decode = msgspec.json.Decoder(Suite).decode
"""Read a suite's canonical JSON. Raises msgspec.ValidationError."""


def canonical(suite: Suite) -> bytes:
    """Write a suite as JSON, keys sorted and defaults left out: equal suites give equal bytes."""
    return _encode(suite)


def suite_id(suite: Suite) -> str:
    """Return the id of a version of a suite."""
    return SUITE_PREFIX + base64.b32encode(hashlib.sha256(canonical(suite)).digest()).decode().lower()[:HASH_LENGTH]
