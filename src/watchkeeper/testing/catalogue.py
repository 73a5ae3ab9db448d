"""Behaviours by name. A request for a model of such a name gets it when nothing else is scripted for it."""

from types import MappingProxyType

from watchkeeper.testing.conditions import NoPrefill
from watchkeeper.testing.faults import (
    BrokenEvent,
    ErrorEvent,
    ErrorInside,
    ErrorReply,
    HtmlPage,
    NotJson,
    ResetBeforeHead,
    Silence,
    Stall,
    StreamCut,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
)
from watchkeeper.testing.said import Tool
from watchkeeper.testing.scripts import Delivery, Reply, Script
from watchkeeper.testing.steps import Reset

_LONG = Reply("One two three four five six seven eight nine ten.", delivery=Delivery(pace_s=0.05))

CATALOGUE: MappingProxyType[str, Script] = MappingProxyType(
    {
        "plain": Reply(),
        "tool-call": Reply("", tools=(Tool("get_weather", {"city": "Berlin", "unit": "celsius"}),)),
        "thinking": Reply(thinking="The question is short. So is the answer."),
        "no-prefill": NoPrefill(),
        "slow-first-token": Reply(delivery=Delivery(first_s=5.0)),
        "slow-head": Reply(delivery=Delivery(head_s=5.0)),
        "slow-drip": Reply(delivery=Delivery(pace_s=0.5)),
        "stream-cut": StreamCut(after_tokens=3, reply=_LONG),
        "stream-reset": StreamCut(after_tokens=3, end=Reset(), reply=_LONG),
        "stream-short": StreamCut(after_tokens=3, end=None, reply=_LONG),
        "stall": Stall(after_tokens=3, reply=_LONG),
        "broken-event": BrokenEvent(),
        "broken-json": NotJson(),
        "no-done": Reply(is_terminated=False),
        "no-usage": Reply(reports_usage="missing"),
        "usage-every-chunk": Reply(reports_usage="every_chunk"),
        "usage-last-choice": Reply(reports_usage="last_choice"),
        "wrong-usage": Reply(usage={"prompt_tokens": "many", "completion_tokens": -4, "total_tokens": None}),
        "rate-limited": rate_limited(retry_after_s=2),
        "error-500": ErrorReply(500),
        "overloaded": overloaded(),
        "wrong-key": ErrorReply(
            401, message="Incorrect API key provided.", error_type="invalid_request_error", code="invalid_api_key"
        ),
        "context-length": context_length_exceeded(),
        "content-policy": content_policy_violation(),
        "error-inside": ErrorInside(),
        "error-event": ErrorEvent(),
        "html-page": HtmlPage(),
        "reset": ResetBeforeHead(),
        "silence": Silence(),
        "byte-by-byte": Reply(delivery=Delivery(packets="byte")),
        "bundled": Reply(delivery=Delivery(packets="bundle")),
        "split-events": Reply(delivery=Delivery(packets="split")),
        "crlf": Reply(delivery=Delivery(newline="\r\n")),
        "comments": Reply(delivery=Delivery(has_comments=True)),
        "until-close": Reply(delivery=Delivery(framing="close")),
        "gzip": Reply(delivery=Delivery(is_gzipped=True)),
        "short-length": Reply(delivery=Delivery(length_error=-10)),
        "long-length": Reply(delivery=Delivery(length_error=10)),
        "huge": Reply(" ".join(["x" * 32_768] * 64)),
    }
)
