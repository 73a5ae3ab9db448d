"""For tests and drills: an upstream that does what a script says, a clock that is held, a gateway to run against them.

    with Upstream() as upstream:
        upstream.plays(StreamCut(after_tokens=3), Reply("Hello."))

What it can do: docs/testing.md. Nothing here is used when Watchkeeper runs.
"""

from watchkeeper.testing.asked import Asked
from watchkeeper.testing.clock import FakeClock
from watchkeeper.testing.conditions import DownFor, NoPrefill
from watchkeeper.testing.echo import Echo
from watchkeeper.testing.faults import (
    BrokenEvent,
    ErrorEvent,
    ErrorInside,
    ErrorReply,
    HtmlPage,
    NotJson,
    Raw,
    ResetBeforeHead,
    Silence,
    Stall,
    StreamCut,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
)
from watchkeeper.testing.judges import ScriptedJudge
from watchkeeper.testing.ledger import MemoryLedger
from watchkeeper.testing.recorder import MemoryRecorder
from watchkeeper.testing.said import Tool
from watchkeeper.testing.scripts import Delivery, Document, Reply, Script
from watchkeeper.testing.upstream import Received, Upstream
from watchkeeper.testing.waiting import eventually, wait_until

__all__ = [
    "Asked",
    "BrokenEvent",
    "Delivery",
    "Document",
    "DownFor",
    "Echo",
    "ErrorEvent",
    "ErrorInside",
    "ErrorReply",
    "FakeClock",
    "HtmlPage",
    "MemoryLedger",
    "MemoryRecorder",
    "NoPrefill",
    "NotJson",
    "Raw",
    "Received",
    "Reply",
    "ResetBeforeHead",
    "Script",
    "ScriptedJudge",
    "Silence",
    "Stall",
    "StreamCut",
    "Tool",
    "Upstream",
    "content_policy_violation",
    "context_length_exceeded",
    "eventually",
    "overloaded",
    "rate_limited",
    "wait_until",
]
