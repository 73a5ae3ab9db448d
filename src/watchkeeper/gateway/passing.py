"""Passes what the gateway does not know to a provider as it is, under its account, and sees what it used."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.outcome import Answer, Failure, class_of_status
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.patience import patience_s
from watchkeeper.gateway.plan import Plan, PreparedTarget, passing_head
from watchkeeper.gateway.refusals import BadRequest, PassingRefused
from watchkeeper.gateway.reply import Reply, failure_reply, own_headers
from watchkeeper.gateway.snapshot import KeyEntry, ProviderEntry, Timeouts
from watchkeeper.gateway.surfaces.errors import openai_event
from watchkeeper.gateway.surfaces.room import Room
from watchkeeper.gateway.ways import Way
from watchkeeper.money.prices import MODEL_NAME_MAX
from watchkeeper.money.tiers import tier_in
from watchkeeper.money.usage import from_anthropic, from_openai, from_responses

READS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods that have a model do nothing."""
_SENT = (b"content-type", b"accept", b"range", b"if-none-match", b"idempotency-key", b"content-encoding")
"""The client's headers that go along, beside those of the dialect."""
_KEPT_BACK = frozenset(
    {
        b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"content-type", b"set-cookie",
        b"server", b"date", b"trailer", b"upgrade", b"x-request-id", b"request-id",
    }
)  # fmt: skip
"""The provider's headers that mean nothing to the client, or that are written anew."""
_CLIMBS = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')

_fields = msgspec.json.Decoder(dict[str, Any]).decode


class PassedView(Struct, gc=False):
    """What is known of a request that only its provider understands: the model, where it names one in JSON."""

    model: str
    models: list[str] | None = None
    stream: bool | None = None
    person: str = ""
    wants_usage: bool = True
    output_limit: tuple[int, int | None] = (1, None)
    names_tier: bool = False


def _view(body: bytes) -> PassedView:
    return PassedView(_model_of(body))


PASSTHROUGH = Room("passthrough", "", "openai", _view, openai_event)


class Passing:
    """Serves calls that only a provider understands."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def ask(
        self, passage: Passage, plan: Plan, entry: KeyEntry, provider: ProviderEntry, rest: str
    ) -> Answer | Failure | None:
        """Carry a call to a provider, whose path below its base URL is `rest`; None when the client left meanwhile.

        Raises:
            PassingRefused, BadRequest: nothing was sent.
        """
        call, request = passage.call, passage.exchange.request
        if entry.tenant or not provider.passes:
            why = f"the key {entry.public_id} belongs to the tenant `{entry.tenant}`" if entry.tenant else "it is off"
            raise PassingRefused(
                f"The provider's own API below /{provider.name}/ is not open to this call: {why}. "
                "Its account holds what all tenants have there. Use a key that is bound to no tenant, and "
                "`passthrough: true` at the provider."
            )
        if _CLIMBS.search(rest):
            raise BadRequest("The path must not climb: leave `.` and `..` out.", param="path")
        call.requested_model = passage.room.read(request.body).model[:MODEL_NAME_MAX]
        call.route = f"{provider.name}/*"
        passage.ends_by = passage.zero + min(Timeouts().total_s, patience_s(request.headers, True))
        target = plan.passing_target(provider, call.requested_model)
        head = passing_head(target, provider, request.method, rest, request.query)
        way = Way(head, request.body, _PassedStream(), _read, is_native=True, said=_said(passage, target))
        outcome = await self._attempts.make(passage, target, way)
        _price(passage)
        return outcome

    def conclude(self, passage: Passage, outcome: Answer | Failure | None) -> Reply:
        """Write the outcome into the call, and what is to be sent for it."""
        call, relay = passage.call, passage.relay
        if outcome is None or relay is None:
            call.status = "cancelled"
            return Reply("nothing")
        if isinstance(outcome, Failure):
            call.status, call.error_class = "error", outcome.error_class
            call.error_code, call.error_message = outcome.code or "", outcome.message
            reply = failure_reply(passage, outcome)
            call.http_status = 200 if passage.is_committed else reply.status
            return reply
        call.served_from, call.http_status, call.reported_model = "upstream", relay.status, outcome.model
        if relay.status >= 400:
            call.status, call.error_class = "error", class_of_status(relay.status)
        if passage.is_committed:
            return Reply("finish", body=relay.rest())
        return Reply("whole", relay.status, _headers(passage), outcome.body)


class _PassedStream:
    """Passes everything, and looks for usage."""

    def __init__(self) -> None:
        self.model = ""
        self.usage: Usage | None = None
        self.usage_raw = b""
        self.has_content = False
        self.is_finished = False
        self.is_done = False
        self.failure: Failure | None = None
        self.skipped = 0
        self.service_tier = ""

    def feed(self, events: bytes) -> bytes:
        """See `StreamReader.feed`."""
        self.has_content = self.is_done = True
        if b'"usage"' in events:
            self.usage_raw, self.usage = _usage_in(events) or (self.usage_raw, self.usage)
            self.service_tier = tier_in(self.usage_raw) or self.service_tier
        return events

    def end(self) -> bytes:
        """See `StreamReader.end`."""
        return b""


def _read(_status: int, body: bytes) -> Answer | Failure:
    found = _usage_in(body) if b'"usage"' in body else None
    if found is None:
        return Answer(body, _model_of(body), None)
    raw, usage = found
    return Answer(body, _model_of(body), usage, tier_in(raw) or tier_in(body))


def _usage_in(data: bytes) -> tuple[bytes, Usage | None] | None:
    """Return the last usage object and what it says."""
    found = _USAGE.findall(data)
    if not found:
        return None
    raw: bytes = found[-1]
    if b"prompt_tokens" in raw:
        return raw, from_openai(raw)
    return raw, from_anthropic(raw) if b"cache_creation_input_tokens" in raw else from_responses(raw)


def _model_of(body: bytes) -> str:
    if not body.startswith(b"{"):
        return ""
    try:
        model = _fields(body).get("model")
    except UNREADABLE:
        return ""
    return model if isinstance(model, str) else ""


def _said(passage: Passage, target: PreparedTarget) -> bytes:
    """Write the client's headers that go along."""
    given = passage.exchange.request.headers
    names = [name for name in (*_SENT, *sorted(target.dialect.forwarded)) if name in given]
    own = [f"{name.decode()}: ".encode() + given[name] + b"\r\n" for name in names]
    further = [b"%b: %b\r\n" % line for line in target.dialect.headers.items() if line[0] not in given]
    return b"".join([*own, *further])


def _headers(passage: Passage) -> bytes:
    relay = passage.relay
    assert relay is not None
    kept = [b"%b: %b\r\n" % pair for pair in relay.headers if pair[0] not in _KEPT_BACK]
    kind = [b"content-type: %b\r\n" % relay.content_type] if relay.content_type else []
    return b"".join([*kind, own_headers(passage, passage.call.overhead_ms), *kept])


def _price(passage: Passage) -> None:
    """Book what is known: nothing for what only reads, nobody knows for what does not say what it used."""
    call = passage.call
    for attempt in call.attempts:
        reads = passage.exchange.request.method in READS
        if attempt.usage_status == "measured" and not reads:  # what is read tells of a call that was paid before
            continue
        attempt.usage, attempt.usage_status = None, "missing"
        if reads or attempt.error_class or attempt.http_status >= 400:
            attempt.cost_nusd, attempt.cost_status = 0, "measured"
        else:
            attempt.cost_nusd, attempt.cost_status = None, "unpriced"
