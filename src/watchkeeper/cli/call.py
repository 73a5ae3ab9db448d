"""`watchkeeper call`: one call, whole."""

from collections.abc import Iterator
from typing import Any

import msgspec

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.core.conversation import Message, read_conversation


def call(call_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show one call by its id: conversation, attempts, timing, tokens and cost."""
    found = client.get(data, f"/api/v1/calls/{call_id.strip().replace('/', '%2F')}")
    if json:
        show.document(found)
        return
    for text in (*_head(found), *_attempts(found), *_money(found), *_conversation(found)):
        show.line(show.plain_lines(text))


def _head(call: dict[str, Any]) -> Iterator[str]:
    yield f"{call['id']}  {call['started_at']}"
    error = call["error"]
    yield f"status    {call['status']} ({call['http_status']})" + (
        f": {error['class']}, {error['message']}" if error else ""
    )
    facts = (
        "feature",
        "tenant",
        "subject",
        "session",
        "key",
        "environment",
        "release",
        "route",
        "requested_model",
        "snapshot",
    )
    yield from (f"{name:<9} {call[name]}" for name in facts if call[name])
    if call["tags"] or call["metadata"]:
        pairs = [f"{name}={value}" for name, value in call["metadata"].items()]
        yield f"tags      {', '.join([*call['tags'], *pairs])}"
    timing = call["timing"]
    first = "" if timing["first_token_ms"] is None else f", first token after {timing['first_token_ms']:.1f} ms"
    chunks = f", {len(timing['chunk_offsets_ms'])} chunks" if timing["chunk_offsets_ms"] else ""
    yield f"timing    {timing['duration_ms']:.1f} ms{first}{chunks}, {timing['overhead_ms']:.2f} ms in the gateway"


def _attempts(call: dict[str, Any]) -> Iterator[str]:
    for attempt in call["attempts"]:
        connect = (
            "reused connection" if attempt["connect_ms"] is None else f"connected in {attempt['connect_ms']:.1f} ms"
        )
        failed = f": {attempt['error_class']}, {attempt['error_message']}" if attempt["error_class"] else ""
        length = f"{attempt['started_ms']:.1f} to {attempt['ended_ms']:.1f} ms"
        target = f"{attempt['provider']}/{attempt['model']}"
        yield f"attempt {attempt['number']} {target}, status {attempt['http_status']}, {length}, {connect}{failed}"


def _money(call: dict[str, Any]) -> Iterator[str]:
    usage, cost = call["usage"], call["cost"]
    yield f"tokens    {_count(usage['input_tokens'])} in, {_count(usage['output_tokens'])} out ({usage['status']})"
    amount = "unknown" if cost["amount_usd"] is None else f"${cost['amount_usd']}"
    source = f", {cost['source']}" if cost["source"] else ""
    yield f"cost      {amount} ({cost['status']}{source})"
    for line in cost["lines"]:
        rate = f"${line['usd_per_million']} per million"
        yield f"          {line['bucket']}: {line['units']} x {rate} = ${line['amount_usd']}"


def _conversation(call: dict[str, Any]) -> Iterator[str]:
    found = read_conversation(
        _bytes(call["request"]),
        _bytes(call["response"]),
        surface=call["surface"],
        is_stream=bool(call["timing"]["chunk_offsets_ms"]),
    )
    for message in found.messages:
        yield from _message(message, "")
    for answer in found.answers:
        yield from _message(answer.message, f" ({answer.finish_reason or 'unfinished'})")
    if found.error:
        yield f"\n--- error\n{found.error}"
    yield from (f"\nnote: {note}" for note in found.notes)


def _message(message: Message, after: str) -> Iterator[str]:
    yield f"\n--- {message.role}{after}"
    if message.text:
        yield message.text
    yield from (f"{tool_call.name}({tool_call.arguments})" for tool_call in message.tool_calls)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)
