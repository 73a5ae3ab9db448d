"""The shape of a route: which targets may answer, which of them does, and what happens when one fails."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from watchkeeper.config.amounts import Share
from watchkeeper.config.durations import Duration

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Letters, digits, `.`, `_` and `-`, at most 64: it stands in addresses, file names and labels."""

FailureName = Literal[
    "rate_limit",
    "timeout",
    "connect_timeout",
    "first_token_timeout",
    "reply_timeout",
    "idle_timeout",
    "total_timeout",
    "context_length",
    "content_policy",
    "capacity",
    "unreachable",
    "upstream_auth",
    "upstream_error",
    "bad_request",
    "not_found",
    "too_large",
    "broken_stream",
    "malformed_reply",
]
"""A class of failure; the five timeouts are kinds of `timeout` and win over it."""

FAILURE_NAMES: tuple[FailureName, ...] = get_args(FailureName)


def _target(text: str) -> str:
    provider, slash, model = text.partition("/")
    if not slash or not provider or not model or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("must be written `provider/model`")
    return text


Target = Annotated[str, AfterValidator(_target), WithJsonSchema({"type": "string", "pattern": r"^[^/\s]+/\S+$"})]

Fallback = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,300}$")]
"""A target, or the name of one of the route's tiers."""

_TARGETS_MAX = 20

Weight = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(_Section):
    """How long a target may take. What is not said has these values."""

    connect: Annotated[Duration, Field(gt=0, description="To open a connection.")] = 5.0
    first_token: Annotated[Duration, Field(gt=0, description="Until a stream brings its first content.")] = 300.0
    reply: Annotated[
        Duration,
        Field(gt=0, description="Until a plain reply begins, which comes when all of it has been generated."),
    ] = 600.0
    idle: Annotated[Duration, Field(gt=0, description="Between two pieces of a reply.")] = 120.0
    total: Annotated[
        Duration,
        Field(gt=0, description="For the whole call with all its attempts. The client's own limit counts too."),
    ] = 1800.0


class Retries(_Section):
    """How often one target is tried again, and how long is waited: a random time up to a limit that doubles."""

    attempts: Annotated[
        int, Field(ge=1, le=10, description="Against one target in one call, the first included; `on` may say less.")
    ] = 3
    backoff: Annotated[Duration, Field(gt=0, description="The limit of the first wait.")] = 0.25
    backoff_max: Annotated[Duration, Field(gt=0, description="The limit of every wait.")] = 8.0


class Handling(_Section):
    """What is done about one class of failure, in this order; what is not said is done as by default."""

    retry: Annotated[int | None, Field(ge=0, le=9, description="How often the same target is tried again.")] = None
    trim: Annotated[
        Literal["oldest"] | None,
        Field(description="For `context_length`: leave out the oldest turns, half of them at a time."),
    ] = None
    summarise: Annotated[
        Target | None,
        Field(
            description="For `context_length`: have this target summarise the oldest turns, piece by piece, then the "
            "pieces, and ask again with the summary in their place."
        ),
    ] = None
    fallback: Annotated[
        bool | list[Fallback] | None,
        Field(description="Whether the route's next target is tried, or which ones are tried instead."),
    ] = None
    cached: Annotated[
        Duration | None,
        Field(gt=0, description="Serve an answer to the same request from the cache, up to this old; needs `cache`."),
    ] = None
    answer: Annotated[
        str | None,
        Field(min_length=1, max_length=4000, description="Answer with this text, as if the model had said it."),
    ] = None


def _handling(given: Any) -> Any:
    """A list is short for the fallbacks; an empty one for none."""
    if isinstance(given, list):
        return {"fallback": given or False}
    return given


class Breaker(_Section):
    """When a failing target is left alone, and how it comes back. Shared by all workers of a host."""

    failures: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="It opens at so many failures in a row; in between, two successes make up for one failure.",
        ),
    ] = 10
    open: Annotated[Duration, Field(gt=0, description="How long it stays open before one call tries the target.")] = 5.0
    open_max: Annotated[
        Duration, Field(gt=0, description="The time doubles each time the trial fails, up to this.")
    ] = 10.0
    ramp: Annotated[
        Duration, Field(ge=0, description="After a good trial the target's share grows back over this time.")
    ] = 10.0


class Stream(_Section):
    """When the client is given the first piece of a stream."""

    commit: Annotated[
        Literal["first_token", "complete", "continue"],
        Field(
            description="`first_token`: as soon as there is content; a stream that breaks later ends in an error. "
            "`complete`: when all of it is there; any failure before is mended unseen, and nothing is shown early. "
            "`continue`: as soon as there is content; a stream that breaks is continued by the next target from where "
            "it stopped, and ends in an error only where none can."
        ),
    ] = "first_token"


class ExactCache(_Section):
    """Answers kept for requests that are the same to the byte."""

    ttl: Annotated[Duration, Field(gt=0, description="How long an answer is served.")] = 600.0
    scope: Annotated[
        list[Literal["tenant", "release", "subject", "key"]],
        Field(description="Who shares an answer: only calls that agree in all of these."),
    ] = ["tenant", "release"]


class Cache(_Section):
    """Which answers are kept."""

    exact: ExactCache


class When(_Section):
    """Conditions on a request; all that are given must hold."""

    tokens_over: Annotated[int | None, Field(ge=0, description="Estimated length of the input.")] = None
    tokens_under: Annotated[int | None, Field(ge=0)] = None
    tools: Annotated[bool | None, Field(description="Whether the request offers tools.")] = None
    images: Annotated[bool | None, Field(description="Whether the request brings images.")] = None
    stream: bool | None = None
    language: Annotated[
        list[str] | None, Field(description="ISO 639-1 codes; of the last user turn.", examples=[["de", "fr"]])
    ] = None
    feature: list[str] | None = None
    tenant: list[str] | None = None
    tags: Annotated[list[str] | None, Field(description="Any of them.")] = None
    metadata: Annotated[dict[str, str] | None, Field(description="Each name with this value.")] = None
    hours: Annotated[
        str | None,
        StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"),
        Field(description="Of the day in UTC; may pass midnight.", examples=["22:00-06:00"]),
    ] = None
    budget_used_over: Annotated[
        Share | None,
        Field(description="Share that is used of any budget the call counts against.", examples=["80%"]),
    ] = None


class Rule(_Section):
    """Sends requests that meet conditions to a tier."""

    when: When
    tier: Name


class Require(_Section):
    """What a target must meet to be chosen by `price` or `latency`."""

    first_token: Annotated[
        Duration | None, Field(gt=0, description="Its recent time to first token must be below this.")
    ] = None
    max_price: Annotated[
        str | None,
        StringConstraints(pattern=r"^\d+(\.\d+)? USD$"),
        Field(description="The estimated price of the call must be below this.", examples=["0.01 USD"]),
    ] = None


class Route(_Section):
    """What a client's model name resolves to."""

    targets: Annotated[
        list[Target] | None,
        Field(
            min_length=1,
            max_length=_TARGETS_MAX,
            description="Each `provider/model`. Either these or `tiers`.",
            examples=[["openai/gpt-4o-mini", "local/smollm2-135m"]],
        ),
    ] = None
    tiers: Annotated[
        dict[Name, Annotated[list[Target], Field(min_length=1, max_length=_TARGETS_MAX)]] | None,
        Field(
            min_length=1,
            description="Named sets of targets, such as `cheap`, `standard`, `best`; `rules` pick one for a request.",
        ),
    ] = None
    tier: Annotated[Name | None, Field(description="The tier where no rule holds; without it, the first one.")] = None
    rules: Annotated[list[Rule], Field(max_length=50, description="The first that holds picks the tier.")] = []
    fallbacks: Annotated[
        list[Fallback],
        Field(
            max_length=_TARGETS_MAX, description="Tried in this order when the others have failed: targets, or tiers."
        ),
    ] = []
    choose: Annotated[
        Literal["order", "weights", "latency", "price"],
        Field(
            description="Which target is tried first. `order`: the first named. `weights`: by share. `latency`: the "
            "quickest to its first token lately (peak EWMA), calls under way counted in. `price`: the cheapest "
            "for this request."
        ),
    ] = "order"
    weights: Annotated[
        dict[Target, Weight], Field(description="Shares for `weights`; a target without one is only a fallback.")
    ] = {}
    sticky: Annotated[
        Literal["subject", "session", "tenant", "key"] | None,
        Field(description="With `weights`: the same one always gets the same target."),
    ] = None
    require: Require = Require()
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    on: Annotated[
        dict[FailureName, Annotated[Handling, BeforeValidator(_handling)]],
        Field(
            description="What is done about a class of failure. A list is short for `fallback`; an empty one for none.",
            examples=[{"context_length": ["openai/gpt-4.1"], "content_policy": []}],
        ),
    ] = {}
    breaker: Breaker = Breaker()
    stream: Stream = Stream()
    cache: Annotated[Cache | None, Field(description="Without it, nothing is kept.")] = None
    missing_max_tokens: Annotated[
        Literal["model", "p99"] | Annotated[int, Field(gt=0, le=10_000_000)],
        Field(
            description="How long an answer is taken to become, for its hold, where the request sets no limit. "
            "`model`: `max_output_tokens`. `p99`: what 99 of 100 answers of the route stayed below, as soon "
            "as a hundred have been seen. A number: this limit is put into the request."
        ),
    ] = "model"
    max_output_tokens: Annotated[
        int, Field(gt=0, le=10_000_000, description="The longest answer that the route's models give.")
    ] = 16_384

    @model_validator(mode="after")
    def _has_targets(self) -> "Route":
        if (self.targets is None) == (self.tiers is None):
            raise ValueError("must have either `targets` or `tiers`")
        return self

    @property
    def every_target(self) -> list[str]:
        """All targets that it names, in order, each once."""
        named = [*(self.targets or []), *(target for tier in (self.tiers or {}).values() for target in tier)]
        fallbacks = [*self.fallbacks, *(name for handling in self.on.values() for name in listed(handling.fallback))]
        named += [name for name in fallbacks if name not in (self.tiers or {})]
        named += [handling.summarise for handling in self.on.values() if handling.summarise]
        return list(dict.fromkeys(named))


def listed(fallback: bool | list[str] | None) -> list[str]:
    """Return the fallbacks that a handling names."""
    return fallback if isinstance(fallback, list) else []
