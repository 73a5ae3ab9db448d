"""Makes a request fit that a target has refused as too long, where its route says so."""

from collections.abc import Sequence
from typing import Any

import msgspec

from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.neutral import CannotCarry, Prompt, Text, Turn
from watchkeeper.gateway.outcome import Answer
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedHandling, PreparedTarget
from watchkeeper.gateway.ways import OwnQuestion

SHORTENINGS_MAX = 4
"""Of one call."""
PIECE_LETTERS = 12_000
"""Of a text that is summarised, at a time: about 3,000 tokens, which small models take too."""
PIECES_MAX = 40
"""A longer text is not summarised: it would cost more than the answer."""
SUMMARY_TOKENS = 400
KEPT_LETTERS = 2_000
"""From the end of a single long message, which mostly holds the question."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_write = msgspec.json.Encoder().encode
_LISTS = ("messages", "input")

_INSTRUCTION = (
    "Summarise the text for somebody who has to go on working with it and cannot see it. Keep names, numbers, dates, "
    "decisions and open questions. Write nothing else than the summary."
)


class Fitter:
    """Shortens requests."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def fit(self, passage: Passage, handling: PreparedHandling) -> str:
        """Shorten what is asked next; return how (`trim`, `summarise`), empty when it was not possible."""
        if passage.shortenings >= SHORTENINGS_MAX:
            return ""
        request = _decode(passage.body)
        name = next((name for name in _LISTS if isinstance(request.get(name), list)), "")
        if not name:
            return ""
        turns: list[Any] = request[name]
        how = ""
        if handling.summarise is not None and not passage.shortenings:
            how = await self._summarise(passage, turns, handling.summarise)
        if not how and handling.said.trims:
            how = _trim(passage, turns)
        if how:
            passage.shortenings += 1
            passage.body = _write(request)
            passage.prompt = None
        return how

    async def _summarise(self, passage: Passage, turns: list[Any], target: PreparedTarget) -> str:
        """Put a summary in the place of the oldest turns; of the one long message where there are no others."""
        start, end = _oldest(turns)
        old = turns[start:end]
        if old:
            summary = await self._summary(passage, "\n\n".join(_told(turn) for turn in old), target)
            if summary:
                turns[start:end] = [{"role": "user", "content": f"Summary of what was said before: {summary}"}]
                _note(passage, f"{len(old)} turns were summarised by {target.name}")
                return "summarise"
            return ""
        last: dict[str, Any] = turns[-1] if turns and isinstance(turns[-1], dict) else {}
        text = last.get("content")
        if not isinstance(text, str) or len(text) <= KEPT_LETTERS:
            return ""
        summary = await self._summary(passage, text[:-KEPT_LETTERS], target)
        if summary:
            turns[-1] = {**last, "content": f"Summary of a longer text: {summary}\n\nIts end: {text[-KEPT_LETTERS:]}"}
            _note(passage, f"the last message was summarised by {target.name}")
            return "summarise"
        return ""

    async def _summary(self, passage: Passage, text: str, target: PreparedTarget) -> str:
        """Summarise piece by piece, then the pieces, until one piece is left; empty when an attempt fails."""
        while True:
            pieces = [text[at : at + PIECE_LETTERS] for at in range(0, len(text), PIECE_LETTERS)]
            if len(pieces) > PIECES_MAX:
                return ""
            summaries: list[str] = []
            for piece in pieces:
                summary = await self._ask(passage, piece, target)
                if not summary:
                    return ""
                summaries.append(summary)
            if len(summaries) == 1:
                return summaries[0]
            shorter = "\n\n".join(summaries)
            if len(shorter) >= len(text):
                return ""
            text = shorter

    async def _ask(self, passage: Passage, text: str, target: PreparedTarget) -> str:
        turns = (Turn("user", (Text(text),)),)
        prompt = Prompt(system=(Text(_INSTRUCTION),), turns=turns, max_tokens=SUMMARY_TOKENS)
        try:
            question = OwnQuestion(prompt, target)
        except CannotCarry:
            return ""
        passage.next_kind = "summary"
        # What the client is told, should all fail, is of the attempt that is being mended.
        refused, sent = passage.relay, passage.call.sent_body
        outcome = await self._attempts.make(passage, target, question.way)
        passage.relay, passage.call.sent_body = refused, sent
        if not isinstance(outcome, Answer) or question.completion is None:
            return ""
        return "".join(part.text for part in question.completion.parts if isinstance(part, Text)).strip()


def _trim(passage: Passage, turns: list[Any]) -> str:
    """Leave out the older half of the turns that may be left out."""
    start, end = _oldest(turns)
    count = end - start
    if count <= 0:
        return ""
    cut = start + (count + 1) // 2
    while cut < end and not _may_begin(turns[cut]):
        cut += 1
    _note(passage, f"{cut - start} of the oldest turns were left out")
    del turns[start:cut]
    return "trim"


def _oldest(turns: Sequence[Any]) -> tuple[int, int]:
    """Return the range of the turns between the system's and the last of the user's."""
    start = 0
    while start < len(turns) and _role(turns[start]) in ("system", "developer"):
        start += 1
    end = len(turns)
    while end > start:
        end -= 1
        if _may_begin(turns[end]):
            break
    return start, end


def _role(turn: Any) -> str:
    role = turn.get("role") if isinstance(turn, dict) else None
    return role if isinstance(role, str) else ""


def _may_begin(turn: Any) -> bool:
    """A conversation may begin with what a user says, and not with the result of a tool that nobody asked for."""
    if _role(turn) != "user":
        return False
    content = turn.get("content")
    return not (isinstance(content, list) and any(_is_tool_result(part) for part in content))


def _is_tool_result(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "tool_result"


def _told(turn: Any) -> str:
    content = turn.get("content", turn) if isinstance(turn, dict) else turn
    text = content if isinstance(content, str) else _write(content).decode()
    return f"{_role(turn) or 'tool'}: {text}"


def _note(passage: Passage, what: str) -> None:
    call = passage.call
    call.change = f"{call.change}; {what}" if call.change else what
