"""Turns an attempt's end into usage and money on the call."""

from watchkeeper.core.call import Call
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.estimate import estimate
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.relay import Relay
from watchkeeper.money.prices import cost_nusd


def settle(call: Call, target: PreparedTarget, relay: Relay, usage: Usage | None) -> None:
    """Book what the last attempt used: the upstream's own count or, failing that, a count of what was relayed."""
    if usage is not None:
        call.usage, call.usage_status = usage, "measured"
    elif _was_worked_on(relay):
        sent = call.sent_body if call.sent_body is not None else call.request_body
        usage = call.usage = estimate(sent, b"".join(relay.body), is_stream=relay.is_streaming)
        call.usage_status = "estimated"
    else:
        # The upstream refused or was never reached: nothing was processed, so nothing is owed.
        call.cost_nusd, call.cost_status = 0, "measured"
        return
    rates = target.rates(call.started_ns)
    call.cost_nusd = cost_nusd(usage, rates) if rates is not None else None
    if call.cost_nusd is None:
        call.cost_status = "unpriced"
    else:
        call.cost_status = "measured" if call.usage_status == "measured" else "estimated"


def _was_worked_on(relay: Relay) -> bool:
    """Tell whether an upstream that did not say what it used may have used something."""
    if relay.status >= 400:
        return False
    return relay.body_bytes > 0 or relay.end in ("cancelled", "expired")
