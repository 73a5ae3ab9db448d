"""The attempts of a call, and how its targets were chosen, as JSON."""

from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import CostSummary, Dollars, Tokens, cost_summary, tokens
from watchkeeper.core.money import usd
from watchkeeper.core.routing import read_routing
from watchkeeper.store.rows import AttemptRow, CallDetail


class Attempt(BaseModel):
    """One try against one target; times in milliseconds from the start of the call."""

    number: int
    kind: Annotated[str, Field(description="first, retry, fallback, changed, continued, summary; empty: not known.")]
    provider: str
    model: str
    dialect: str
    waited_ms: Annotated[float, Field(description="Waited on purpose before it.")]
    started_ms: float
    connect_ms: Annotated[float | None, Field(description="Null when a connection was reused, or none was opened.")]
    first_byte_ms: float | None
    first_token_ms: Annotated[float | None, Field(description="When a stream brought its first content.")]
    ended_ms: float
    http_status: Annotated[int, Field(description="0 when no response came.")]
    error_class: str
    error_code: str
    error_message: str
    fault: Annotated[str, Field(description="Id of the fault that was injected; empty for none.")]
    service_tier: Annotated[str, Field(description="As the upstream reports it; empty for the ordinary one.")]
    upstream_request_id: str
    request_bytes: int
    response_bytes: int
    usage: Tokens
    cost: CostSummary


class Candidate(BaseModel):
    """A target that was considered."""

    target: str
    score: Annotated[float | None, Field(description="Milliseconds, US dollars or a share, by the strategy.")]
    excluded: Annotated[str, Field(description="Why it was not tried, or not again; empty for nothing.")]


class Decision(BaseModel):
    """What was done about an attempt's failure."""

    after: Annotated[int, Field(description="Number of the attempt; 0 where none was made.")]
    failure: str
    then: str
    why: str


class Routing(BaseModel):
    """How the target was chosen."""

    strategy: str
    tier: str
    rule: Annotated[int | None, Field(description="Number of the route's rule that picked the tier, from 1.")]
    candidates: Annotated[list[Candidate], Field(description="In the order in which they were to be tried.")]
    decisions: list[Decision]


class Cached(BaseModel):
    """An answer that came from the cache."""

    age_s: float | None
    saved_usd: Annotated[Dollars | None, Field(description="What it had cost when it was made; null when unpriced.")]


def attempt_document(attempt: AttemptRow) -> Attempt:
    """Write one attempt."""
    own = {"usage", "cost"}
    return Attempt(
        **{name: getattr(attempt, name) for name in Attempt.model_fields if name not in own},
        usage=tokens(attempt.usage_status, attempt.usage),
        cost=cost_summary(attempt.cost_nusd, attempt.cost_status),
    )


def routing_document(call: CallDetail) -> Routing | None:
    """Write how the target was chosen; None where there was nothing to choose."""
    routing = read_routing(call.routing)
    if routing is None:
        return None
    return Routing(
        strategy=routing.strategy,
        tier=routing.tier,
        rule=routing.rule,
        candidates=[Candidate(target=one.target, score=one.score, excluded=one.excluded) for one in routing.candidates],
        decisions=[
            Decision(after=one.after, failure=one.failure, then=one.then, why=one.why) for one in routing.decisions
        ],
    )


def cached_document(call: CallDetail) -> Cached | None:
    """Write what is known of an answer from the cache; None where it came from elsewhere."""
    if call.row.served_from not in ("cache", "stale_cache"):
        return None
    return Cached(age_s=call.cached_age_s, saved_usd=None if call.saved_nusd is None else usd(call.saved_nusd))
