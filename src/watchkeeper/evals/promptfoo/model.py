"""The words of promptfoo's configurations as typed data; what is loose there (assertions, options) stays JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Compat = Literal["0.118", "latest"]
"""Which promptfoo's behaviour holds where it has changed."""

Assertion = Mapping[str, Any]
"""One entry of `assert`, as it is written: `type`, `value`, `threshold`, `weight`, `metric`, `provider`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What was used; all zero where nobody said, as promptfoo has it."""

    total: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    requests: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            total=self.total + other.total,
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cached=self.cached + other.cached,
            requests=self.requests + other.requests,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOutput:
    """What a provider said, after the transforms of provider and test."""

    output: Any = None
    """Text, or anything JSON can hold."""
    error: str = ""
    """Why there is none; empty where there is one."""
    raw: Any = None
    """The provider's reply as it came."""
    cost_nusd: int | None = None
    latency_ms: float | None = None
    is_cached: bool = False
    tokens: Tokens = Tokens()
    logprobs: tuple[float, ...] | None = None
    finish_reason: str = ""
    is_refusal: bool = False
    guardrails: Mapping[str, Any] | None = None
    """`flagged`, `flaggedInput`, `flaggedOutput`, `reason`."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    provider_output: Any = None
    """After the provider's own transform alone: what `contextTransform` looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt, as it stands in a file or in the configuration."""

    raw: str
    label: str
    id: str = ""
    """The author's, where one is given."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    function: str = ""
    """`PATH.py:NAME` of the function that makes the prompt; `raw` is then its source."""
    place: str = ""
    """Where it stands, for messages: `promptfooconfig.yaml:3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One entry of `providers`."""

    id: str
    label: str = ""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prompts: tuple[str, ...] | None = None
    """Labels of the prompts that it takes, and of groups of them; None for an entry that says nothing about it."""
    known_as: tuple[str, ...] = ()
    """Names for which its `prompts` hold: its id and its label, where it is an object."""
    transform: str = ""
    delay_ms: int = 0
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    place: str = ""
    path: str = ""
    """As it is written: with the kind of API in it that the id leaves out (`openai:chat:gpt-4o`)."""

    @property
    def title(self) -> str:
        """Return the name that its column carries."""
        return self.label or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One test, with the defaults of the file already in it where it stands in a plan."""

    __test__ = False  # pytest takes the name for a test otherwise

    description: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    assertions: tuple[Assertion, ...] = ()
    scoring: str = ""
    """`assertScoringFunction`: `file://PATH[:NAME]`."""
    threshold: float | None = None
    provider: Any = None
    """An id or an entry as in `providers`, instead of the columns'."""
    provider_output: Any = None
    """Answers that are there already: nothing is asked."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`prefix`, `suffix`, `provider` (the grader), `rubricPrompt`, `factuality`, `transform`, `transformVars`,
    `storeOutputAs`, `disableVarExpansion`, `disableConversationVar`, `runSerially`, ..."""
    place: str = ""
    """Where it stands, for messages: `promptfooconfig.yaml:12`, `tests.csv:4`."""

    def as_json(self) -> dict[str, Any]:
        """Return what promptfoo writes of it, keys without a value left out."""
        given = {
            "description": self.description or None,
            "threshold": self.threshold,
            "assertScoringFunction": self.scoring or None,
            "provider": self.provider,
            "providerOutput": self.provider_output,
        }
        return {
            "vars": dict(self.variables),
            "assert": [dict(each) for each in self.assertions],
            **{key: value for key, value in given.items() if value is not None},
            "options": dict(self.options),
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingContext:
    """What assertions may look at beside the output."""

    prompt: str
    """As it was sent."""
    variables: Mapping[str, Any]
    test: TestCase
    provider: Provider
    folder: Path
    """That of the configuration: `file://` is read from there, and from nowhere above it unless the file says so."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The process's with the configuration's over it."""
    filters: Mapping[str, str] = field(default_factory=dict[str, str])
    """`nunjucksFilters`: paths of JavaScript files by name."""
    compat: Compat = "latest"
    trace: Mapping[str, Any] | None = None
    """Spans of the call (`spans`), for trace and trajectory assertions; None where there is no trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """What all assertions of a test say of one output."""

    passed: bool
    score: float
    reason: str
    named_scores: Mapping[str, float] = field(default_factory=dict[str, float])
    named_weights: Mapping[str, float] = field(default_factory=dict[str, float])
    components: tuple[Mapping[str, Any], ...] = ()
    """One for each assertion, as promptfoo writes them: `pass`, `score`, `reason`, `assertion`, ..."""
    tokens: Tokens = Tokens()
    """What graders used."""
    unmeasured: str = ""
    """Why nobody knows, where an assertion could not be decided (no grader, unsupported here); promptfoo raises
    there, and its result is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration whose files have been found and read, but for the tests, which are read as they are needed."""

    path: Path
    data: Mapping[str, Any]
    """The whole file, `$ref` followed; what promptfoo writes as `config` into its output."""
    prompts: tuple[Prompt, ...]
    providers: tuple[Provider, ...]
    default_test: TestCase
    description: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The configuration's own, over the process's."""
    filters: Mapping[str, str] = field(default_factory=dict[str, str])
    derived_metrics: tuple[tuple[str, str], ...] = ()
    """Name and formula of each."""
    extensions: tuple[str, ...] = ()
    compat: Compat = "latest"

    @property
    def folder(self) -> Path:
        """From which `file://` is read."""
        return self.path.parent
