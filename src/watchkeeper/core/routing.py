"""How a call found its target, read back from what `gateway.course` wrote down, and said in plain words."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from watchkeeper.core.call import AttemptKind

NO_CHOICE = "The route had one target, and it was asked: there was nothing to choose."
NOTHING_ASKED = "No provider was asked: the call was answered, or refused, before a target was chosen."


class Candidate(Struct, frozen=True, gc=False):
    """A target that was considered."""

    target: str
    """`provider/model`."""
    score: float | None = None
    """What the strategy compares; see `score_words`."""
    excluded: str = ""
    """Why it was not tried, or not again; empty when nothing spoke against it."""


class Decision(Struct, frozen=True, gc=False):
    """What was done about an attempt's failure."""

    after: int
    """Number of the attempt; 0 where none was made."""
    failure: str
    then: str
    why: str = ""


class Routing(Struct, frozen=True):
    """The whole course of a call."""

    strategy: str = "order"
    candidates: tuple[Candidate, ...] = ()
    """In the order in which they were to be tried; those ruled out at the start are last."""
    tier: str = ""
    rule: int | None = None
    """Number of the route's rule that picked the tier, from 1."""
    decisions: tuple[Decision, ...] = ()


_decode = msgspec.json.Decoder(Routing).decode


def read_routing(recorded: bytes) -> Routing | None:
    """Read what was written down; None when nothing was, or a newer version's words are not understood."""
    if not recorded:
        return None
    try:
        return _decode(recorded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def response_note(served_from: str, last_kind: str) -> str:
    """Say where the recorded response is not what the client got; empty where it is.

    Args:
        served_from: Of the call.
        last_kind: Why the last attempt was made; empty where there was none.
    """
    if served_from == "set_answer":
        return "The client got the text that the route states for such a failure; shown here is what the upstream sent."
    if last_kind == "continued":
        return (
            "The answer broke off and went on with another attempt; of the response, only what that sent is recorded."
        )
    return ""


STRATEGIES = {
    "order": "the targets in the order in which the route names them",
    "weights": "one target drawn by the route's shares, the others after it by theirs",
    "latency": "the quickest target first, one that was never measured before all",
    "price": "the cheapest target for this request first",
    "models": "the models that the request itself names, in its order",
}
"""What each strategy of a route does."""

_THEN = {
    "retry": "the same target was tried again",
    "restart": "the same target was asked from the beginning",
    "fallback": "the next target was tried",
    "trim": "the oldest turns were left out, and it was asked again",
    "summarise": "the oldest turns were summarised, and it was asked again",
    "continue": "another attempt went on where the answer had broken off",
    "cached": "an earlier answer was taken from the cache",
    "answer": "the text that the route states was given",
    "fail": "the call was given up",
}

KINDS: dict[AttemptKind, str] = {
    "first": "first",
    "retry": "retry of the same target",
    "fallback": "fallback to another target",
    "changed": "again, with a shortened request",
    "continued": "went on with a broken answer",
    "summary": "summarised older turns",
}
"""Why an attempt was made, in words."""


def kind_words(kind: str) -> str:
    """Say why an attempt was made; a kind that is not known here is named as it is."""
    return next((words for known, words in KINDS.items() if known == kind), kind)


def strategy_words(routing: Routing) -> str:
    """Say by what the targets were put in order."""
    told = STRATEGIES.get(routing.strategy)
    return f"{routing.strategy}: {told}" if told else routing.strategy


def tier_words(routing: Routing) -> str:
    """Say which tier was used and why; empty where the route has none."""
    if routing.rule is not None:
        return f"{routing.tier}, because rule {routing.rule} of the route holds for this request"
    return f"{routing.tier}, because no rule of the route holds for this request" if routing.tier else ""


def score_words(strategy: str, score: float | None) -> str:
    """Say what spoke for a target, with its unit; empty where only the order counts."""
    match strategy:
        case "latency":
            return f"{score:,.0f} ms expected" if score else "never measured"
        case "price":
            return "price not known" if score is None else f"${score:.9f}".rstrip("0").rstrip(".") + " expected"
        case "weights":
            return f"share {score:g}" if score else "no share"
        case _:
            return "" if score is None else f"score {score:g}"


def fate_words(candidate: Candidate, attempts: Sequence[int]) -> str:
    """Say what became of a target, given the numbers of the attempts that were made on it."""
    tried = f"tried at attempt {' and '.join(map(str, attempts))}" if attempts else ""
    if candidate.excluded:
        return f"{tried}, then left out: {candidate.excluded}" if tried else f"not tried: {candidate.excluded}"
    return tried or "not needed"


def decision_words(decision: Decision) -> str:
    """Say what was done and why, as one sentence without its end: "the next target was tried: it asks to wait 5 s"."""
    told = _THEN.get(decision.then, decision.then)
    if not decision.why:
        return told
    return f"{told} {decision.why}" if decision.then == "retry" else f"{told}: {decision.why}"
