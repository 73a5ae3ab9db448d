"""Turns what was used into money: on each attempt when it has ended, on the call when its last one has."""

from functools import reduce

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.ratios import Most, Ratios
from watchkeeper.gateway.relay import Relay
from watchkeeper.money.prices import cost_nusd, cost_status


def settle(
    attempt: Attempt, target: PreparedTarget, passage: Passage, usage: Usage | None, *, sent: bytes, ratios: Ratios
) -> None:
    """Book what an attempt used: the upstream's own count or, failing that, a count of what was sent and relayed.

    What an upstream has counted of a stream that broke off is the input alone, or not yet all of the output.
    """
    relay, call = passage.relay, passage.call
    assert relay is not None
    if usage is not None and _has_ended(relay):
        attempt.usage, attempt.usage_status = usage, "measured"
    elif usage is not None or _was_worked_on(relay):
        most = _most(passage, attempt, sent)
        usage = attempt.usage = ratios.estimate(target.name, sent, relay, most, counted=usage)
        attempt.usage_status = "estimated"
    else:
        # The upstream refused or was never reached: nothing was processed, so nothing is owed.
        attempt.cost_nusd, attempt.cost_status = 0, "measured"
        return
    rates = target.rates(call.started_ns, call.tenant, attempt.service_tier)
    attempt.cost_nusd = cost_nusd(usage, rates) if rates is not None else None
    if rates is None or attempt.cost_nusd is None:
        attempt.cost_status = "unpriced"
    else:
        attempt.cost_status = cost_status(attempt.usage_status, rates, attempt.service_tier)


def add_up(call: Call) -> None:
    """Book on a call what its attempts used and cost; what one of them lacks, the whole lacks."""
    attempts = call.attempts
    if len(attempts) == 1:
        [one] = attempts
        call.usage, call.usage_status = one.usage, one.usage_status
        call.cost_nusd, call.cost_status = one.cost_nusd, one.cost_status
        return
    usages = [attempt.usage for attempt in attempts if attempt.usage is not None]
    call.usage = reduce(Usage.plus, usages) if usages else None
    if usages:
        is_measured = all(attempt.usage_status != "estimated" for attempt in attempts)
        call.usage_status = "measured" if is_measured else "estimated"
    costs = [attempt.cost_nusd for attempt in attempts]
    if None in costs:
        call.cost_nusd, call.cost_status = None, "unpriced"
    else:
        call.cost_nusd = sum(cost for cost in costs if cost is not None)
        is_measured = all(attempt.cost_status == "measured" for attempt in attempts)
        call.cost_status = "measured" if is_measured else "estimated"


def _has_ended(relay: Relay) -> bool:
    """Tell whether nothing can have come behind what was counted."""
    reader = relay.reader
    return not relay.is_stream or reader is None or reader.is_finished or reader.is_done


def _was_worked_on(relay: Relay) -> bool:
    """Tell whether an upstream that did not say what it used may have used something."""
    if not relay.was_sent or relay.status >= 400:
        return False
    return relay.body_bytes > 0 or relay.end in ("cancelled", "expired")


def _most(passage: Passage, attempt: Attempt, sent: bytes) -> Most:
    """Return what an attempt can have used at most: what the largest hold for it is made from (`budgets.worth`)."""
    view, tab = passage.view, passage.tab
    if attempt.kind == "summary" or view is None or passage.route is None:  # the request's own limit is not about it
        return Most(len(sent))
    sent_most = len(sent) if attempt.kind == "repair" else min(len(sent), len(passage.body))
    answers, limit = view.output_limit
    if limit is not None:
        return Most(sent_most, answers * limit)
    return Most(sent_most, tab.output_tokens if tab is not None else None)
