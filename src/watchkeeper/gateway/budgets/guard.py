"""Notices a conversation that goes in circles, or a call that would be huge."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.estimate import input_tokens
from watchkeeper.gateway.refusals import Runaway
from watchkeeper.gateway.snapshot import Runaway as Settings

_MARKS = (b'"tool_calls"', b'"tool_use"', b'"function_call"')
"""One of them is in every request that repeats a tool call."""
_LISTS = ("messages", "input")

_json = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder(order="deterministic").encode


def see_that_it_goes_on(body: bytes, settings: Settings) -> None:
    """Refuse a conversation that calls the same tool with the same arguments once too often.

    Raises:
        Runaway: it does.
    """
    most = settings.same_tool_call
    if most is None:
        return
    tool, times = repeated_tool_call(body)
    if times >= most:
        raise Runaway(
            f"This conversation has called the tool `{tool[:100]}` {times} times with the same arguments, and the "
            f"guard against runaway sessions allows {most - 1}. Nothing was sent upstream. Give the model what the "
            "tool returned, or end the loop."
        )


def see_that_it_is_not_huge(body: bytes, output_tokens: int, most: int) -> None:
    """Refuse a call that may take too many tokens, its answer at its longest included.

    Raises:
        Runaway: it may.
    """
    if len(body) + output_tokens <= most:  # a token is at least a byte
        return
    tokens = input_tokens(body) + output_tokens
    if tokens > most:
        raise Runaway(
            f"This call may take {tokens:,} tokens, and the guard against runaway sessions allows {most:,}. Nothing "
            "was sent upstream. Ask for a shorter answer, or send less."
        )


def repeated_tool_call(body: bytes) -> tuple[str, int]:
    """Return the tool that a conversation has called most often with the same arguments, and how often."""
    if not any(mark in body for mark in _MARKS):
        return "", 0
    try:
        request = _json(body)
    except UNREADABLE:
        return "", 0
    turns: list[Any] = next((request[name] for name in _LISTS if isinstance(request.get(name), list)), [])
    counted = Counter(call for turn in turns if isinstance(turn, dict) for call in _calls_of(turn))
    if not counted:
        return "", 0
    ((name, _), times), *_ = counted.most_common(1)
    return name, times


def _calls_of(turn: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and arguments of each tool call in a turn, of whichever API."""
    if turn.get("type") == "function_call":
        yield _named(turn)
    calls, parts = turn.get("tool_calls"), turn.get("content")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            yield _named(call["function"])
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("type") == "tool_use":
            yield str(part.get("name")), _sorted(part.get("input"))


def _named(call: dict[str, Any]) -> tuple[str, str]:
    return str(call.get("name")), _sorted(call.get("arguments"))


def _sorted(arguments: Any) -> str:
    """Write arguments so that the same ones are the same text, whatever their order and blanks."""
    if isinstance(arguments, str):
        try:
            arguments = _json(arguments)
        except UNREADABLE:
            return str(arguments)
    return _write(arguments).decode()
