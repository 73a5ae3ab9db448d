"""`watchkeeper route`: why a call went where it went."""

from collections.abc import Iterator
from typing import Any

import msgspec

from watchkeeper.cli import show
from watchkeeper.cli.call import document_of, served_words
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.core.routing import (
    NO_CHOICE,
    Decision,
    Routing,
    decision_words,
    fate_words,
    kind_words,
    score_words,
    strategy_words,
    tier_words,
)

_JSON_FIELDS = (
    "id",
    "route",
    "requested_model",
    "status",
    "error",
    "served_from",
    "cached",
    "change",
    "faults",
    "routing",
)
_LABEL = 12


def why(call_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Say why a call was answered by the target that answered it, or by none."""
    call = document_of(call_id, data, text=False)
    if json:
        show.document({name: call[name] for name in _JSON_FIELDS} | {"attempts": call["attempts"]})
        return
    routing = None if call["routing"] is None else msgspec.convert(call["routing"], Routing)
    show.heading(f"How call {call['id']} was routed")
    _print(_choice(call, routing))
    if routing is not None and routing.candidates:
        show.heading("\nTargets that were considered")
        _print(_candidates(call, routing))
    show.heading("\nWhat happened")
    _print(_course(call, routing))


def _print(lines: Iterator[str]) -> None:
    for text in lines:
        show.line(show.plain_lines(text))


def _fact(label: str, value: object) -> str:
    return f"  {label:<{_LABEL}}{value}"


def _choice(call: dict[str, Any], routing: Routing | None) -> Iterator[str]:
    if call["route"]:
        yield _fact("route", call["route"])
    yield _fact("asked for", call["requested_model"] or "nothing that could be read")
    if routing is None and call["attempts"]:
        yield _fact("choice", NO_CHOICE)
    if routing is not None:
        yield _fact("strategy", strategy_words(routing))
        if tier := tier_words(routing):
            yield _fact("tier", tier)
    if call["change"]:
        yield _fact("change", call["change"])
    if call["faults"]:
        yield _fact("faults", f"{', '.join(call['faults'])} (injected on purpose)")


def _candidates(call: dict[str, Any], routing: Routing) -> Iterator[str]:
    tried: dict[str, list[int]] = {}
    for attempt in call["attempts"]:
        tried.setdefault(f"{attempt['provider']}/{attempt['model']}", []).append(attempt["number"])
    width = max(len(candidate.target) for candidate in routing.candidates)
    for place, candidate in enumerate(routing.candidates, start=1):
        score = score_words(routing.strategy, candidate.score)
        fate = fate_words(candidate, tried.get(candidate.target, []))
        yield f"  {place}  {candidate.target:<{width}}  {f'{score}, ' if score else ''}{fate}"


def _course(call: dict[str, Any], routing: Routing | None) -> Iterator[str]:
    decisions = routing.decisions if routing is not None else ()
    yield from _decided(decisions, after=0)
    for attempt in call["attempts"]:
        target = f"{attempt['provider']}/{attempt['model']}"
        waited = f", after a wait of {attempt['waited_ms']:.0f} ms" if attempt["waited_ms"] else ""
        kind = f" ({kind_words(attempt['kind'])}{waited})" if attempt["kind"] not in ("", "first") or waited else ""
        yield f"  attempt {attempt['number']}{kind}: {target}"
        yield f"    {_outcome(call, attempt)}"
        if attempt["fault"]:
            yield f"    the fault {attempt['fault']} was injected on purpose"
        yield from _decided(decisions, after=attempt["number"])
    yield f"  {_end(call)}"


def _decided(decisions: tuple[Decision, ...], *, after: int) -> Iterator[str]:
    for decision in decisions:
        if decision.after == after:
            yield f"    so {decision_words(decision)}"


def _outcome(call: dict[str, Any], attempt: dict[str, Any]) -> str:
    took = f"{attempt['ended_ms'] - attempt['started_ms']:.0f} ms"
    if not attempt["error_class"]:
        left = call["status"] == "cancelled" and attempt["number"] == len(call["attempts"])
        return f"the client left after {took}" if left else f"answered in {took}"
    code = attempt["error_code"]
    kind = attempt["error_class"].replace("_", " ") + (f" ({code})" if code and code != attempt["error_class"] else "")
    status = f"HTTP {attempt['http_status']}" if attempt["http_status"] else "no response"
    message = f": {attempt['error_message']}" if attempt["error_message"] else ""
    return f"failed after {took}, {status}, {kind}{message}"


def _end(call: dict[str, Any]) -> str:
    served = served_words(call)
    match call["served_from"]:
        case "upstream":
            last = call["attempts"][-1] if call["attempts"] else None
            return f"the client got the answer of {last['provider']}/{last['model']}" if last else served
        case "":
            error = call["error"]
            if call["status"] == "cancelled":
                return "the client left before it had an answer"
            asked = "" if call["attempts"] else ", and no provider was asked"
            return f"the client got an error{asked}: {error['message'] or error['code']}" if error else served
        case _:
            return f"the client got {served}"
