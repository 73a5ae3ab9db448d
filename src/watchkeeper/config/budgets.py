"""The shape of budgets, limits and the guard against runaway sessions."""

import re
from typing import Annotated, Literal, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from watchkeeper.config.amounts import Money, Share
from watchkeeper.config.durations import Duration, seconds_of
from watchkeeper.config.problems import did_you_mean
from watchkeeper.config.routes import Name

_ROLLING = re.compile(r"^rolling (\S+)$")
_CALENDAR = ("hour", "day", "week", "month", "quarter", "year")
ROLLING_LEAST_S = 60.0

ScopeName = Literal["organisation", "tenant", "feature", "key", "subject", "tag", "session", "request"]
_KINDS: tuple[ScopeName, ...] = get_args(ScopeName)


def _window(text: str) -> str:
    rolling = _ROLLING.match(text)
    if rolling is not None:
        if seconds_of(rolling[1]) < ROLLING_LEAST_S:
            raise ValueError("must roll over at least a minute; for less, use `limits`")
        return text
    if text == "lifetime" or text.removeprefix("calendar-") in _CALENDAR:
        return text
    known = [f"calendar-{part}" for part in _CALENDAR]
    raise ValueError(
        f"must be one of {', '.join(known)}, `lifetime`, or `rolling` and a length of time such as `rolling 24h`"
        f"{did_you_mean(text, known)}"
    )


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError(f"there is no time zone `{text}`{did_you_mean(text, sorted(available_timezones()))}")
    return text


Tokens = Annotated[int, Field(gt=0, le=10**15)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


ScopeMap = Annotated[
    dict[ScopeName, Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        min_length=1,
        description="Whose calls count: a kind and a value, or `*` for each value on its own. Several kinds together "
        "mean calls to which all apply. `organisation` is everything, `request` each call by itself.",
        examples=[{"feature": "support"}, {"tenant": "*"}, {"feature": "support", "subject": "*"}],
    ),
]


class Degrade(_Section):
    """What becomes of calls before a budget is used up."""

    at: Annotated[Share, Field(description="Share of the limit from which calls go to `tier`.")] = 0.8
    tier: Annotated[
        Name | None, Field(description="Of the call's route; a route without it is left as it is.", examples=["cheap"])
    ] = None
    cache_only_at: Annotated[
        Share | None, Field(description="Share from which calls are answered from the cache, or refused.")
    ] = None


class Budget(_Section):
    """What may be spent in a window. With several of `limit`, `tokens` and `calls`, each counts."""

    name: Annotated[
        Name | None,
        Field(
            description="Under which it is known in lists, errors and alerts. With a name, scope and window may change "
            "without what was spent being forgotten."
        ),
    ] = None
    scope: ScopeMap
    limit: Annotated[Money | None, Field(gt=0, description="In money.")] = None
    tokens: Annotated[Tokens | None, Field(description="In tokens, input and output together.")] = None
    calls: Annotated[Tokens | None, Field(description="In calls; of a session, the steps of an agent.")] = None
    window: Annotated[
        str,
        AfterValidator(_window),
        Field(
            description="`calendar-hour` to `calendar-year`, `rolling` and a length of time, or `lifetime`.",
            examples=["calendar-month", "rolling 24h", "lifetime"],
        ),
    ] = "calendar-month"
    tz: Annotated[Zone, Field(description="Time zone of a calendar window.", examples=["Europe/Berlin"])] = "UTC"
    mode: Annotated[
        Literal["hard", "soft", "degrade", "shadow"],
        Field(
            description="`hard`: a call that does not fit is refused before it costs anything. `soft`: only counted "
            "and alerted. `degrade`: cheaper before the limit, then as `hard`. `shadow`: nothing is refused, and what "
            "would have been is counted."
        ),
    ] = "hard"
    degrade: Annotated[Degrade | None, Field(description="For mode `degrade`.")] = None
    alerts: Annotated[
        list[Share], Field(max_length=10, description="Shares of the limit at which an alert is raised, once.")
    ] = [0.5, 0.8, 1.0]
    holds: Annotated[
        Literal["adaptive", "worst_case"],
        Field(
            description="What is set aside for a call before it is made. `adaptive`: what 99 of 100 calls of its route "
            "need while there is ample room, and the most it could cost near the limit. `worst_case`: always the most."
        ),
    ] = "adaptive"
    if_unsure: Annotated[
        Literal["refuse", "allow"],
        Field(description="What is done when the ledger cannot be asked and the worker has nothing left to spend."),
    ] = "refuse"
    if_unpriced: Annotated[
        Literal["refuse", "allow"],
        Field(description="What is done about a call whose price nobody knows, where money is limited."),
    ] = "refuse"

    @property
    def identity(self) -> str:
        """What it stays known by when its limit changes: its name, or else scope and window."""
        if self.name:
            return self.name
        words = ",".join(f"{kind}={self.scope[kind]}" for kind in _KINDS if kind in self.scope)
        return words if "request" in self.scope else f"{words}:{self.window.replace(' ', '-')}"

    @model_validator(mode="after")
    def _is_whole(self) -> "Budget":
        if self.limit is None and self.tokens is None and self.calls is None:
            raise ValueError("must have a `limit`, `tokens` or `calls`")
        if self.mode == "degrade" and (self.degrade is None or not (self.degrade.tier or self.degrade.cache_only_at)):
            raise ValueError("must say in `degrade` which `tier` calls go to, or from when on only the cache answers")
        if self.mode != "degrade" and self.degrade is not None:
            raise ValueError("has `degrade` without `mode: degrade`")
        if "request" in self.scope and self.calls is not None:
            raise ValueError("counts calls of one call; leave `calls` out")
        if "request" in self.scope and self.mode in ("degrade", "soft"):
            raise ValueError("must be `hard` or `shadow` for one call: nothing is spent before it")
        return self


class Limit(_Section):
    """How fast, or how many at a time, calls may be made."""

    name: Name | None = None
    scope: ScopeMap
    requests: Annotated[int | None, Field(gt=0, le=10**12, description="Calls in `per`.")] = None
    tokens: Annotated[Tokens | None, Field(description="Tokens in `per`, input and output together.")] = None
    concurrent: Annotated[int | None, Field(gt=0, le=10**6, description="Calls at a time.")] = None
    per: Annotated[Duration, Field(ge=1, le=86400, description="Length of the window, which slides.")] = 60.0
    if_unsure: Annotated[
        Literal["refuse", "allow"], Field(description="What is done when the keeper cannot be asked.")
    ] = "allow"

    @model_validator(mode="after")
    def _is_whole(self) -> "Limit":
        if self.requests is None and self.tokens is None and self.concurrent is None:
            raise ValueError("must have `requests`, `tokens` or `concurrent`")
        if "request" in self.scope:
            raise ValueError("cannot be for one call by itself; use `budgets`")
        return self


class Runaway(_Section):
    """When a session is taken to run away: the call is refused, and an alert is raised."""

    session_calls: Annotated[int | None, Field(gt=0, description="Calls of one session, over its life.")] = None
    same_tool_call: Annotated[
        int | None,
        Field(gt=1, description="How often one conversation may have called the same tool with the same arguments."),
    ] = None
    call_tokens: Annotated[
        int | None, Field(gt=0, description="Estimated tokens of one call, its output at its longest included.")
    ] = None
