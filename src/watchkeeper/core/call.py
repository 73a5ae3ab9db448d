"""A call and its attempts, as the gateway writes them to the spool and the store keeps them.

`Call` is a wire format: fields are written by position. Add fields at the end with a default; never
remove or reorder one. A segment written by an older version must stay readable.
"""

from typing import Literal

from msgspec import Struct

from watchkeeper.core.money import Charge, CostStatus
from watchkeeper.core.usage import Usage, UsageStatus

CallStatus = Literal["ok", "error", "cancelled"]
"""ok: a complete answer was delivered. cancelled: the client went away first. error: everything else."""

Surface = Literal["chat", "embeddings", "completions", "responses", "messages", "count_tokens", "passthrough"]
"""The API a client spoke. passthrough: a provider's own, carried as it is."""

AttemptKind = Literal["first", "retry", "fallback", "changed", "continued", "summary", "repair"]
"""Why an attempt was made. changed: again, with a shortened request. continued: goes on where a stream broke off.
summary: shortens the request of another attempt. repair: mends an answer that is not what its release asks for."""

ServedFrom = Literal["", "upstream", "cache", "stale_cache", "set_answer"]
"""Where the client's answer came from; empty when it got none. set_answer: the text that the route states."""

ErrorClass = Literal[
    "",
    # the caller must act
    "invalid_request",
    "authentication",
    "not_found",
    "too_large",
    "budget_exceeded",
    "rate_limited",
    "runaway",
    # the upstream failed
    "unreachable",
    "timeout",
    "rate_limit",
    "capacity",
    "upstream_auth",
    "bad_request",
    "context_length",
    "content_policy",
    "upstream_error",
    "broken_stream",
    "malformed_reply",
    # we failed
    "overloaded",
    "not_recorded",
    "internal",
]
"""Why a call or an attempt did not succeed; empty when it did."""


Origin = Literal["client", "shadow", "replay", "eval"]
"""Why a call was made. shadow: a copy of a client's, under a release that is tried. replay: an earlier one, again.
eval: a case of a suite, or a judge."""

OutputStatus = Literal["", "ok", "repaired", "failed"]
"""Whether the answer is what its release asks for; empty where it asks for nothing, or there is no answer."""


class Hit(Struct, array_like=True, frozen=True, gc=False):
    """A document that was found for a call."""

    collection: str
    document: str
    version: str = ""
    score: float | None = None


class Attempt(Struct, array_like=True, gc=False, kw_only=True):
    """One try against one target. Times are milliseconds from the start of the call."""

    number: int
    """1 for the first."""
    provider: str
    model: str
    """The model name sent upstream."""
    dialect: str
    started_ms: float
    connect_ms: float | None = None
    """Time to open the connection; None when a pooled one was reused or none was opened."""
    first_byte_ms: float | None = None
    """When the response's first byte arrived; None when none did."""
    ended_ms: float = 0.0
    http_status: int = 0
    """0 when no response head arrived."""
    error_class: ErrorClass = ""
    error_message: str = ""
    """The upstream's own words or the fault's name, at most 500 characters."""
    upstream_request_id: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    usage: Usage | None = None
    usage_status: UsageStatus = "missing"
    cost_nusd: int | None = None
    """None when the status is unpriced."""
    cost_status: CostStatus = "unpriced"
    kind: AttemptKind = "first"
    waited_ms: float = 0.0
    """Time waited on purpose before it."""
    first_token_ms: float | None = None
    """When a stream brought its first content."""
    error_code: str = ""
    fault: str = ""
    """Id of the fault that was injected."""
    service_tier: str = ""
    """The upstream's word for how it processed the request, such as `flex` or `batch`; empty for the ordinary way."""


class Call(Struct, array_like=True, gc=False, kw_only=True):
    """One client request from its first byte to the last byte of its response."""

    id: str
    started_ns: int
    """Unix time of the request's first byte."""
    worker: str
    key_id: str = ""
    """Public part of the key; empty when the caller was not recognised."""
    feature: str = ""
    tenant: str = ""
    subject: str = ""
    """Keyed pseudonym of the person, never what the client sent."""
    session: str = ""
    tags: list[str] = []
    metadata: dict[str, str] = {}
    trace_id: str = ""
    """32 hex digits from `traceparent`, or empty."""
    parent_span_id: str = ""
    environment: str = "production"
    release: str = ""
    snapshot: str = ""
    """Version of the configuration that served the call."""
    route: str = ""
    surface: Surface = "chat"
    requested_model: str = ""
    reported_model: str = ""
    """The model name the upstream answered with."""
    is_stream: bool = False
    status: CallStatus = "ok"
    http_status: int = 0
    """What the client saw; 0 when it left before a status was sent."""
    error_class: ErrorClass = ""
    error_code: str = ""
    error_message: str = ""
    attempts: list[Attempt] = []
    usage: Usage | None = None
    """Of all attempts, as are its status and the cost."""
    usage_status: UsageStatus = "missing"
    usage_raw: bytes = b""
    """A stream's usage object as received (JSON); a plain reply's stands in its body."""
    cost_nusd: int | None = None
    """None when the status is unpriced."""
    cost_status: CostStatus = "unpriced"
    duration_ms: float = 0.0
    first_token_ms: float | None = None
    """From the request's first byte to the first body byte sent to the client; streams only."""
    overhead_ms: float = 0.0
    """Time inside the gateway: duration less the time spent waiting for upstreams."""
    user_agent: str = ""
    request_path: str = ""
    request_headers: list[tuple[bytes, bytes]] = []
    """As received, names in lower case, without credentials and cookies."""
    request_body: bytes = b""
    """As received, cut at the recording limit."""
    request_bytes: int = 0
    """Full length, also when the recorded body was cut."""
    sent_body: bytes | None = None
    """What went upstream at the last attempt; None when it was the received body, unchanged."""
    response_headers: list[tuple[bytes, bytes]] = []
    """The upstream's, of the last attempt."""
    response_body: bytes = b""
    """As received from the upstream (a stream's raw events), cut at the recording limit."""
    response_bytes: int = 0
    chunk_offsets_us: bytes = b""
    """Arrival of each chunk of a stream in microseconds from the call's start: little-endian uint32 each."""
    delivered_bytes: int = 0
    """Body bytes handed to the client's connection."""
    served_from: ServedFrom = ""
    saved_nusd: int | None = None
    """What an answer from the cache had cost when it was made; None when unpriced, or not from the cache."""
    cached_age_s: float | None = None
    routing: bytes = b""
    """How the target was chosen (JSON, see `gateway.course`); empty when there was nothing to choose."""
    change: str = ""
    """What was done to the request so that it fits, in words; empty when nothing was."""
    faults: list[str] = []
    """Ids of the faults that were injected into its attempts."""
    skipped_events: int = 0
    """Events of a stream that could not be read and were left out."""
    charges: list[Charge] = []
    """What it takes from which budgets."""
    budget_notes: list[str] = []
    """What budgets did to it: `refused BUDGET`, `would_refuse BUDGET`, `degraded BUDGET`, `unsure BUDGET`."""
    holder: str = ""
    """The life of the worker whose leases the charges were drawn from, as in `money.leases.Hello`."""
    value_milli: int | None = None
    """Thousandths of a unit of value that the client says the call is worth; None when it said nothing."""
    rollout: str = ""
    """Id of the rollout that chose the release; empty where none ran."""
    origin: Origin = "client"
    origin_call: str = ""
    """The call that this one repeats."""
    output_schema: str = ""
    """Id of the schema that the answer was held against; `json` for any JSON, empty where nothing was asked."""
    output_status: OutputStatus = ""
    output_path: str = ""
    """Where the answer first departs from its schema, as a JSON pointer; of a repaired one, before the repair."""
    output_error: str = ""
    """In words."""
    output_repairs: int = 0
    """Attempts that were made to mend the answer."""
    hits: list[Hit] = []
    is_stale: bool = False
    """Served from what was last known, while the keeper was not there."""
