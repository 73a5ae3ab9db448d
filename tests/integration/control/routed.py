"""Calls that took several ways, for what tells of them."""

from tests.integration.control.recorded import a_call, an_attempt

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage

ROUTING = b"""{
  "strategy": "price",
  "tier": "large",
  "rule": 2,
  "candidates": [
    {"target": "openai/gpt-4o-mini", "score": 0.00045},
    {"target": "openai/gpt-4o", "score": 0.0075},
    {"target": "local/smollm2", "excluded": "its breaker is open for 12.0 s more"}
  ],
  "decisions": [
    {"after": 1, "failure": "rate_limited", "then": "retry", "why": "after 250 ms"},
    {"after": 2, "failure": "overloaded", "then": "fallback", "why": "too many calls to it are being retried"}
  ]
}"""


def routed_calls(ids: CallIds, clock: Clock) -> dict[str, Call]:
    refused = {"error_class": "rate_limit", "error_code": "rate_limited", "http_status": 429}
    attempts = [
        an_attempt(ended_ms=40.0, error_message="slow down", fault="drill-1", **refused),
        an_attempt(number=2, kind="retry", started_ms=290.0, ended_ms=330.0, waited_ms=250.0, **refused),
        an_attempt(
            number=3, kind="fallback", model="gpt-4o", started_ms=331.0, usage=Usage(1000, output_text=100),
            usage_status="measured",
        ),
    ]  # fmt: skip
    plain = an_attempt(usage=Usage(1000, output_text=100), usage_status="measured")
    return {
        "plain": a_call(ids, clock, served_from="upstream", attempts=[plain]),
        "routed": a_call(
            ids, clock, served_from="upstream", attempts=attempts, routing=ROUTING, faults=["drill-1"],
            change="3 of the oldest turns were left out", skipped_events=2,
        ),
        "cached": a_call(
            ids, clock, served_from="cache", attempts=[], usage=None, usage_status="missing", cost_nusd=0,
            cost_status="measured", cached_age_s=61.0, saved_nusd=210_000,
        ),
        "stated": a_call(
            ids, clock, status="error", error_class="capacity", error_code="targets_down", error_message="all are down",
            served_from="set_answer", attempts=[], usage=None, usage_status="missing", cost_nusd=0,
            cost_status="measured", routing=b'{"candidates":[{"target":"a/b","excluded":"it is down"}]}',
        ),
        "refused": a_call(
            ids, clock, status="error", error_class="authentication", error_code="key_unknown",
            error_message="The key is not known.", attempts=[], usage=None, usage_status="missing", cost_nusd=0,
            cost_status="measured", route="",
        ),
    }  # fmt: skip
