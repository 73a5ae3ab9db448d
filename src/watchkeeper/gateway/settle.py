"""Turns an attempt's end into usage and money on the call."""

from watchkeeper.core.call import Call
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.estimate import estimate
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.relay import Relay
from watchkeeper.money.prices import cost_nusd
from watchkeeper.money.usage import from_openai


def settle(call: Call, target: PreparedTarget, relay: Relay, usage_raw: bytes) -> None:
    """Book what the last attempt used, from the upstream's own count or, failing that, from what was relayed."""
    usage: Usage | None = from_openai(usage_raw) if usage_raw else None
    if usage is not None:
        call.usage, call.usage_status, call.usage_raw = usage, "measured", usage_raw
    elif relay.status < 400 and (relay.body_bytes or relay.end in ("cancelled", "expired")):
        sent = call.sent_body if call.sent_body is not None else call.request_body
        call.usage = estimate(sent, b"".join(relay.body), is_stream=relay.is_streaming)
        call.usage_status = "estimated"
    _price(call, target)


def _price(call: Call, target: PreparedTarget) -> None:
    if call.usage is None:
        # The upstream refused or was never reached: nothing was processed, so nothing is owed.
        call.cost_nusd, call.cost_status = 0, "measured"
        return
    rates = target.rates(call.started_ns)
    call.cost_nusd = cost_nusd(call.usage, rates) if rates is not None else None
    if call.cost_nusd is None:
        call.cost_status = "unpriced"
    else:
        call.cost_status = "measured" if call.usage_status == "measured" else "estimated"
