"""`watchkeeper call`: one call, whole."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.cli import client, show
from watchkeeper.cli.feedback import said
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import NOT_FOUND, CommandFailed
from watchkeeper.core.conversation import Image, Message, Other, read_conversation
from watchkeeper.core.ids import is_call_id
from watchkeeper.core.routing import (
    NO_CHOICE,
    NOTHING_ASKED,
    Routing,
    decision_words,
    kind_words,
    response_note,
    strategy_words,
    tier_words,
)
from watchkeeper.core.usage import Usage

_FACTS = ("feature", "tenant", "subject", "session", "key", "environment", "release", "route", "snapshot", "worker")
_LABEL = 12
_URL_LENGTH = 80


def call(call_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show one call by its id: conversation, attempts, routing, timing, tokens and cost."""
    found = document_of(call_id, data)
    if json:
        show.document(found)
        return
    show.heading(f"Call {found['id']}")
    _print(_summary(found))
    for title, lines in (
        ("Attempts", _attempts(found)),
        ("Routing", _routing(found)),
        ("Timing", _timing(found)),
        ("Tokens", _tokens(found)),
        ("Cost", _cost(found)),
    ):
        show.heading(f"\n{title}")
        _print(lines)
    for title, told in (("Documents", _documents(found)), ("Feedback", _feedback(found))):
        if told:
            show.heading(f"\n{title}")
            _print(told)
    _print_conversation(found)


def document_of(call_id: str, data: Path, *, text: bool = True) -> dict[str, Any]:
    """Ask for a call's document; without its text, nobody has read it.

    Raises:
        CommandFailed: what was typed is no id.
    """
    if not is_call_id(call_id.strip()):
        raise CommandFailed(
            f"{call_id[:50]!r} is not a call id. An id has 26 digits and capital letters, as in `x-wk-call-id`.",
            exit_code=NOT_FOUND,
        )
    return client.get(data, f"/api/v1/calls/{client.part(call_id)}", text=None if text else "false")


def served_words(call: dict[str, Any]) -> str:
    """Say where the answer came from."""
    match call["served_from"]:
        case "cache" | "stale_cache" as kind:
            cached = call["cached"]
            age = "" if cached["age_s"] is None else f", {cached['age_s']:.0f} s old"
            saved = "" if cached["saved_usd"] is None else f", ${cached['saved_usd']} saved"
            stale = "a stale answer from the cache, because the call had failed" if kind == "stale_cache" else ""
            return f"{stale or 'an answer from the cache'}{age}{saved}"
        case "set_answer":
            return "the text that the route states for such a failure"
        case "upstream":
            return "the upstream's answer"
        case _:
            return "no answer"


def _print(lines: Iterable[str]) -> None:
    for text in lines:
        show.line(show.plain_lines(text))


def _fact(label: str, value: object) -> str:
    return f"  {label.replace('_', ' '):<{_LABEL}}{value}"


def _summary(call: dict[str, Any]) -> Iterator[str]:
    error = call["error"]
    yield _fact("status", f"{call['status']} (HTTP {call['http_status'] or 'status was never sent'})")
    if error:
        yield _fact("error", f"{error['class']}: {error['message'] or error['code']}")
    if call["served_from"] not in ("", "upstream"):
        yield _fact("served", served_words(call))
    if call["change"]:
        yield _fact("change", call["change"])
    if call["faults"]:
        yield _fact("faults", f"{', '.join(call['faults'])} (injected on purpose)")
    if call["skipped_events"]:
        yield _fact("left out", f"{call['skipped_events']} events of the stream that could not be read")
    yield _fact("started", f"{call['started_at']}")
    yield _fact("asked for", f"{call['requested_model']}{', as a stream' if call['is_stream'] else ''}")
    if call["reported_model"]:
        yield _fact("answered by", call["reported_model"])
    yield from (_fact(name, call[name]) for name in _FACTS if call[name])
    if call["tags"]:
        yield _fact("tags", ", ".join(call["tags"]))
    yield from (_fact(name, value) for name, value in call["metadata"].items())
    if call["trace_id"]:
        yield _fact("trace", call["trace_id"])


def _attempts(call: dict[str, Any]) -> Iterator[str]:
    if not call["attempts"]:
        yield "  none: nothing was sent to a provider"
    for attempt in call["attempts"]:
        target = f"{attempt['provider']}/{attempt['model']}"
        took = f"{attempt['started_ms']:.1f} to {attempt['ended_ms']:.1f} ms"
        connected = attempt["connect_ms"]
        connection = "reused connection" if connected is None else f"connected in {connected:.1f} ms"
        status = f"HTTP {attempt['http_status']}" if attempt["http_status"] else "no response"
        yield f"  {attempt['number']}  {target}, {status}, {took}, {connection}"
        if attempt["error_class"]:
            code = attempt["error_code"]
            named = f" ({code})" if code and code != attempt["error_class"] else ""
            message = f": {attempt['error_message']}" if attempt["error_message"] else ""
            yield f"     {attempt['error_class']}{named}{message}"
        yield f"     {', '.join(_of_attempt(attempt))}"
        if attempt["fault"]:
            yield f"     the fault {attempt['fault']} was injected on purpose"
        if attempt["upstream_request_id"]:
            yield f"     upstream's id {attempt['upstream_request_id']}"


def _of_attempt(attempt: dict[str, Any]) -> Iterator[str]:
    """Why an attempt was made, what it waited for, and what it used."""
    if attempt["kind"] not in ("", "first"):
        yield kind_words(attempt["kind"])
    if attempt["waited_ms"]:
        yield f"waited {attempt['waited_ms']:.0f} ms before"
    if attempt["first_token_ms"] is not None:
        yield f"first token at {attempt['first_token_ms']:.1f} ms"
    usage, cost = attempt["usage"], attempt["cost"]
    if usage["status"] != "missing":
        yield f"{usage['input_tokens']} tokens in and {usage['output_tokens']} out ({usage['status']})"
    yield _amount(cost)


def _amount(cost: dict[str, Any]) -> str:
    return f"{'cost unknown' if cost['amount_usd'] is None else '$' + cost['amount_usd']} ({cost['status']})"


def _routing(call: dict[str, Any]) -> Iterator[str]:
    if call["routing"] is None:
        yield f"  {NO_CHOICE if call['attempts'] else NOTHING_ASKED}"
        return
    routing = msgspec.convert(call["routing"], Routing)
    yield _fact("strategy", strategy_words(routing))
    if tier := tier_words(routing):
        yield _fact("tier", tier)
    for candidate in routing.candidates:
        if candidate.excluded:
            yield _fact("left out", f"{candidate.target}: {candidate.excluded}")
    for decision in routing.decisions:
        yield f"  after attempt {decision.after} ({decision.failure}) {decision_words(decision)}"
    yield f"  `watchkeeper route why {call['id']}` tells the whole story"


def _timing(call: dict[str, Any]) -> Iterator[str]:
    timing = call["timing"]
    yield _fact("total", f"{timing['duration_ms']:.1f} ms, {timing['overhead_ms']:.2f} ms of it in the gateway")
    if timing["first_token_ms"] is not None:
        yield _fact("first token", f"{timing['first_token_ms']:.1f} ms")
    offsets = timing["chunk_offsets_ms"]
    if len(offsets) > 1:
        gaps = [later - earlier for earlier, later in pairwise(offsets)]
        yield _fact("chunks", f"{len(offsets)}, longest pause {max(gaps):.1f} ms")


def _tokens(call: dict[str, Any]) -> Iterator[str]:
    usage = call["usage"]
    if usage["status"] == "missing":
        yield "  unknown: the upstream reported none"
        return
    yield _fact("in", usage["input_tokens"])
    yield _fact("out", f"{usage['output_tokens']} ({usage['status']})")
    shown = [f"{name.replace('_', ' ')} {usage[name]}" for name in Usage.__struct_fields__ if usage[name]]
    if shown:
        yield _fact("of which", ", ".join(shown))


def _cost(call: dict[str, Any]) -> Iterator[str]:
    cost = call["cost"]
    yield _fact("amount", f"{'unknown' if cost['amount_usd'] is None else '$' + cost['amount_usd']} ({cost['status']})")
    for line in cost["lines"]:
        rate = f"${line['usd_per_million']} per million"
        named = f"attempt {line['attempt']}, " if line["attempt"] is not None and len(call["attempts"]) > 1 else ""
        units = f"{line['bucket'].replace('_', ' ')}: {line['units']}"
        yield f"  {'':<{_LABEL}}{named}{units} x {rate} = ${line['amount_usd']}"
    if cost["source"]:
        since = f", valid from {cost['valid_from'][:10]}" if cost["valid_from"] else ""
        yield _fact("price list", f"{cost['source']}{since}")


def _documents(call: dict[str, Any]) -> list[str]:
    """What was found for the call, by its release or by the application."""
    return [
        "  " + "  ".join(filter(None, (hit["document"], hit["collection"], hit["version"], _score(hit["score"]))))
        for hit in call["hits"]
    ]


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _feedback(call: dict[str, Any]) -> list[str]:
    """What was said of the call and of its session."""
    lines: list[str] = []
    for one in call["feedback"]:
        on = "" if one["call_id"] else " (on the session)"
        comment = f": {one['comment']}" if one["comment"] else ""
        lines.append(f"  {one['at'][:19].replace('T', ' ')}  {said(one)}{on}, by {one['by']}{comment}")
    return lines


def _print_conversation(call: dict[str, Any]) -> None:
    found = read_conversation(
        _bytes(call["request"]), _bytes(call["response"]), surface=call["surface"], is_stream=call["is_stream"]
    )
    for message in found.messages:
        show.heading(f"\n{show.plain(message.role)}")
        _print(_message(message))
    for answer in found.answers:
        choice = f", choice {answer.index}" if len(found.answers) > 1 else ""
        ended = answer.finish_reason or "unfinished"
        show.heading(f"\n{show.plain(answer.message.role)} answers{choice} ({show.plain(ended)})")
        _print(_message(answer.message))
    if found.vectors is not None:
        show.heading("\nanswer")
        _print([f"{found.vectors[0]} vectors of {found.vectors[1] or '?'} dimensions"])
    if found.error:
        show.heading("\nerror of the upstream")
        _print([found.error])
    last_kind = call["attempts"][-1]["kind"] if call["attempts"] else ""
    for text in filter(None, (response_note(call["served_from"], last_kind), *found.notes)):
        show.note(show.plain(text))


def _message(message: Message) -> Iterator[str]:
    if message.reasoning:
        yield f"(thinks) {message.reasoning}"
    if message.text:
        yield message.text
    for part in message.parts:
        if isinstance(part, Image):
            cut = "..." if len(part.url) > _URL_LENGTH else ""
            yield f"(picture) {part.url[:_URL_LENGTH]}{cut}"
        elif isinstance(part, Other):
            yield f"({part.kind}) {len(part.json)} characters of JSON"
    if message.refusal:
        yield f"(refuses) {message.refusal}"
    yield from (f"(calls) {tool_call.name}({tool_call.arguments})" for tool_call in message.tool_calls)


def _bytes(body: Any) -> bytes:
    """A body as it was, as far as the API's JSON can say."""
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)
