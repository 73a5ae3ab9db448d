"""The sixteen scenarios: what the primary does, how its route is configured, and what must hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.testing import (
    BrokenEvent,
    Delivery,
    DownFor,
    ErrorReply,
    NoPrefill,
    Reply,
    ResetBeforeHead,
    Script,
    Silence,
    Stall,
    StreamCut,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
)

WORDS = 60
TEXT = " ".join(f"word{number}" for number in range(1, WORDS + 1))
"""The whole answer; every target would give the same one."""

ANSWER = Reply(TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one call, or of a sequence of them."""

    text: str
    """What the client took for the answer; empty when it got an error."""
    error: str
    """Class and message of the client's error; empty when there was none."""
    model: str
    has_usage: bool
    took_s: float
    primary: list[float]
    """When the primary was asked, in seconds from the start."""
    fallback: list[float]
    record: dict[str, Any]
    """The call as the API tells it."""
    sequence: list["Seen"] = field(default_factory=list["Seen"])


Check = Callable[[Seen, float], str]
"""Return what is wrong, empty when nothing is; the second argument is the length of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to fail."""

    id: str
    title: str
    once: tuple[Callable[[float], Script], ...] = ()
    """What the primary does at first, each for one request, given the length of a second."""
    always: Callable[[float], Script] = lambda _s: ANSWER
    """What it does from then on."""
    fallback: Script = ANSWER
    route: str = ""
    """Further settings of its route, in YAML, with `{s:N}` for N seconds."""
    checks: tuple[Check, ...] = ()
    is_sequence: bool = False


def answered(seen: Seen, _s: float) -> str:
    """The client has the whole answer."""
    return "" if seen.text == TEXT else f"not the whole answer: {seen.error or seen.text!r}"


def refused(seen: Seen, _s: float) -> str:
    """The client has a clear error with the provider's reason."""
    if seen.text or "BadRequest" not in seen.error:
        return f"no clear error: {seen.error or seen.text!r}"
    return (
        ""
        if "safety system" in seen.error or "content filtering" in seen.error
        else f"the provider's reason is missing: {seen.error}"
    )


def primary_at_most(count: int) -> Check:
    """The primary was asked at most so often."""
    return lambda seen, _s: "" if len(seen.primary) <= count else f"the primary was asked {len(seen.primary)} times"


def primary_at_least(count: int) -> Check:
    """The primary was asked at least so often."""
    return lambda seen, _s: "" if len(seen.primary) >= count else f"the primary was asked {len(seen.primary)} times"


def took_at_most(seconds: float) -> Check:
    """The client waited at most so long."""
    return lambda seen, s: "" if seen.took_s <= seconds * s + SLACK_S else f"took {seen.took_s:.1f} s"


def no_hammer(window: float, count: int) -> Check:
    """At most so many requests within a time from the first."""

    def check(seen: Seen, s: float) -> str:
        within = [at for at in seen.primary if at - seen.primary[0] <= window * s]
        return "" if len(within) <= count else f"{len(within)} requests within {window * s:g} s"

    return check


def asked_wait_is_kept(seconds: float) -> Check:
    """The primary was left alone for as long as it asked, or another target answered."""

    def check(seen: Seen, s: float) -> str:
        if len(seen.primary) < 2:
            return "" if seen.fallback else "neither retried nor failed over"
        gap = seen.primary[1] - seen.primary[0]
        return "" if gap >= seconds * s else f"retried after {gap:.2f} s"

    return check


def fell_back(seen: Seen, _s: float) -> str:
    """The fallback was asked."""
    return "" if seen.fallback else "the fallback was not asked"


def reports_usage(seen: Seen, _s: float) -> str:
    """The client was told what was used."""
    return "" if seen.has_usage else "no usage was reported"


def names_fallback(seen: Seen, _s: float) -> str:
    """The client sees which model has answered."""
    return "" if seen.model.endswith("-spare") else f"the reply names the model {seen.model!r}"


def failed_attempts_are_free(seen: Seen, _s: float) -> str:
    """The record bills the one attempt that answered."""
    usage = seen.record["usage"]
    tokens = sum(count for name, count in usage.items() if isinstance(count, int) and name.startswith("output"))
    return "" if WORDS <= tokens <= 2 * WORDS else f"the record counts {tokens} output tokens"


def hides_the_prefill(seen: Seen, _s: float) -> str:
    """A target's refusal to go on from a beginning is not the client's business."""
    return f"the client was told {seen.error}" if "prefill" in seen.error else ""


def recovers(seen: Seen, s: float) -> str:
    """All are served, the primary is left alone while it is down, and it serves again soon after."""
    calls = seen.sequence
    lost = [call.error or call.text for call in calls if call.text != TEXT]
    if lost:
        return f"{len(lost)} of {len(calls)} calls were not served: {lost[0]}"
    back = [at for at in seen.primary if at >= DOWN_S * s]
    if not back or back[0] - DOWN_S * s > BACK_WITHIN_S * s:
        return f"the primary was asked again {back[0] - DOWN_S * s:.1f} s after its return" if back else "never back"
    while_down = [at for at in seen.primary if at < DOWN_S * s]
    if len(while_down) > TRIALS_MAX:
        return f"the primary was asked {len(while_down)} times while it was down"
    return "" if calls[-1].model and not calls[-1].model.endswith("-spare") else "the last call is not on the primary"


SLACK_S = 4.0
"""For what does not shrink with the times: processes, connections."""
DOWN_S = 60.0
BACK_WITHIN_S = 30.0
SEQUENCE = 24
SEQUENCE_EVERY_S = 4.0
TRIALS_MAX = 20

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        id="S01",
        title="429 with Retry-After",
        once=(lambda s: rate_limited(retry_after_s=2 * s),),
        checks=(answered, asked_wait_is_kept(1.8), no_hammer(1.5, 2)),
    ),
    Scenario(
        id="S02",
        title="429 without Retry-After, for ever",
        always=lambda _s: rate_limited(),
        checks=(answered, no_hammer(3, 4), primary_at_most(6), took_at_most(40)),
    ),
    Scenario(
        id="S03",
        title="500 once",
        once=(lambda _s: ErrorReply(500),),
        checks=(answered, primary_at_least(2), took_at_most(20)),
    ),
    Scenario(
        id="S04", title="503 for ever", always=lambda _s: overloaded(), checks=(answered, primary_at_most(6), fell_back)
    ),
    Scenario(
        id="S05",
        title="connection reset before headers",
        once=(lambda _s: ResetBeforeHead(),),
        checks=(answered, took_at_most(20)),
    ),
    Scenario(
        id="S06",
        title="no response at all",
        always=lambda _s: Silence(),
        route="timeouts: {first_token: {s:8}, reply: {s:8}}",
        checks=(answered, primary_at_most(1), took_at_most(100)),
    ),
    Scenario(
        id="S07",
        title="slow first token",
        always=lambda s: Reply(TEXT, delivery=Delivery(first_s=20 * s)),
        route="timeouts: {first_token: {s:8}, reply: {s:8}}",
        checks=(answered, took_at_most(15)),
    ),
    Scenario(
        id="S08",
        title="stream cut in the middle",
        always=lambda _s: StreamCut(after_tokens=40, reply=ANSWER),
        route="stream: {commit: complete}",
        checks=(answered, fell_back, took_at_most(40)),
    ),
    Scenario(
        id="S09",
        title="stream stalls",
        always=lambda _s: Stall(after_tokens=20, reply=ANSWER),
        route="stream: {commit: continue}\n    timeouts: {idle: {s:10}, reply: {s:10}}",
        fallback=Reply(TEXT, continues_prefill=True),
        checks=(answered, fell_back, took_at_most(45)),
    ),
    Scenario(
        id="S10",
        title="malformed chunk",
        always=lambda _s: BrokenEvent(after_tokens=10, reply=ANSWER),
        checks=(answered, took_at_most(30)),
    ),
    Scenario(
        id="S11",
        title="no [DONE]",
        always=lambda _s: Reply(TEXT, is_terminated=False),
        checks=(answered, took_at_most(8), reports_usage, primary_at_most(1)),
    ),
    Scenario(
        id="S12",
        title="context length exceeded",
        always=lambda _s: context_length_exceeded(),
        route="on: {context_length: [spare/{spare}]}",
        checks=(answered, primary_at_most(1), fell_back),
    ),
    Scenario(
        id="S13",
        title="content policy",
        always=lambda _s: content_policy_violation(),
        checks=(refused, primary_at_most(1)),
    ),
    Scenario(
        id="S14",
        title="cut, and the fallback takes no beginning",
        always=lambda _s: StreamCut(after_tokens=40, reply=ANSWER),
        fallback=NoPrefill(ANSWER),
        route="stream: {commit: continue}",
        checks=(answered, hides_the_prefill, took_at_most(40)),
    ),
    Scenario(
        id="S15",
        title="down for a minute, then healthy",
        always=lambda s: DownFor(DOWN_S * s, ANSWER),
        route="breaker: {open: {s:5}, open_max: {s:10}, ramp: {s:10}}",
        checks=(recovers,),
        is_sequence=True,
    ),
    Scenario(
        id="S16",
        title="accounting of a failover",
        always=lambda _s: overloaded(),
        checks=(answered, names_fallback, reports_usage, failed_attempts_are_free, primary_at_most(6)),
    ),
)
