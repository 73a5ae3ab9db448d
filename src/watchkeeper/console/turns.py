"""A conversation as the call page shows it: turns made of blocks, long ones shortened within a budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.core.conversation import Conversation, Image, Message, Other, Part, Text

PAGE_LETTERS_MAX = 48_000
"""All turns together; the page must stay below 100 KB. What does not fit is in the raw bytes."""
HEAD_LETTERS = 1_200
"""A longer text is folded, with this much in view."""
HEAD_LINES = 24
SHOWN_IMAGES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")
"""Pictures that are drawn: those that came within the request, in formats that hold no script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a turn."""

    kind: str
    """`text`, `json`, `reasoning`, `refusal`, `image`, `link` or `missing`."""
    text: str = ""
    head: str = ""
    """The beginning of a long text, in view while it is folded; empty for a short one."""
    note: str = ""
    left_out: int = 0
    """Letters that did not fit on the page."""
    src: str = ""
    """Of an image: where the page gets it. Of a link: the address as sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCard:
    """A tool call, joined to its result by its id."""

    id: str
    name: str
    arguments: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message."""

    role: str
    title: str
    """The role, with the participant's or the answered tool's name."""
    blocks: tuple[Block, ...]
    cards: tuple[ToolCard, ...] = ()
    answers: str = ""
    """Of a tool result: the id of the tool call it answers."""
    finish_reason: str = ""
    choice: str = ""
    """Number of the answer when there are several, from 1; empty otherwise."""


class _Budget:
    """Letters that may still be put on the page."""

    def __init__(self, letters: int) -> None:
        self._left = letters

    def block(self, kind: str, text: str, note: str = "") -> Block:
        shown = text[: self._left]
        self._left -= len(shown)
        return Block(kind=kind, text=shown, head=_head(shown), note=note, left_out=len(text) - len(shown))


def turns(conversation: Conversation, *, call_href: str) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """Return what was asked and what was answered; answers get their share of the page first.

    Args:
        conversation: As read from the recorded bodies.
        call_href: Path of the call's page, under which its images are.
    """
    budget = _Budget(PAGE_LETTERS_MAX)
    named = {call.id: call.name for message in conversation.messages for call in message.tool_calls if call.id}
    answers = []
    for place, answer in enumerate(conversation.answers, start=1):
        turn = _turn(answer.message, budget, named, call_href="", position=0)
        choice = str(place) if len(conversation.answers) > 1 else ""
        answers.append(_with_end(turn, answer.finish_reason, choice))
    asked = [
        _turn(message, budget, named, call_href=call_href, position=position)
        for position, message in _newest_first(conversation.messages)
    ]
    return tuple(reversed(asked)), tuple(answers)


def _newest_first(messages: Sequence[Message]) -> Iterator[tuple[int, Message]]:
    """The last messages matter most, so they are the first to get room."""
    return reversed(list(enumerate(messages)))


def _with_end(turn: Turn, finish_reason: str, choice: str) -> Turn:
    return Turn(
        role=turn.role,
        title=turn.title,
        blocks=turn.blocks,
        cards=turn.cards,
        finish_reason=finish_reason or "none given",
        choice=choice,
    )


def _turn(message: Message, budget: _Budget, named: dict[str, str], *, call_href: str, position: int) -> Turn:
    blocks = []
    if message.reasoning:
        blocks.append(budget.block("reasoning", message.reasoning, "reasoning"))
    for place, part in enumerate(message.parts):
        blocks.append(_part(part, budget, image_href=f"{call_href}/images/{position}.{place}" if call_href else ""))
    if message.refusal:
        blocks.append(budget.block("refusal", message.refusal, "refusal"))
    cards = tuple(
        ToolCard(id=call.id, name=call.name or "(no name)", arguments=_json_or_text(call.arguments, budget))
        for call in message.tool_calls
    )
    name = message.name or named.get(message.tool_call_id, "")
    return Turn(
        role=message.role,
        title=f"{message.role} · {name}" if name else message.role,
        blocks=tuple(blocks),
        cards=cards,
        answers=message.tool_call_id,
    )


def _part(part: Part, budget: _Budget, *, image_href: str) -> Block:
    match part:
        case Text(text):
            return _json_or_text(text, budget)
        case Image(url, detail):
            note = f"image, detail {detail}" if detail else "image"
            if url.startswith(SHOWN_IMAGES) and image_href:
                return Block(kind="image", src=image_href, note=f"{note}, {figures.size(len(url) * 3 // 4)}")
            if url.startswith(("https://", "http://")):
                return Block(kind="link", src=url, note=f"{note} by address; it is not loaded here")
            return Block(kind="missing", note=f"{note} of a kind that is not drawn; see the raw bytes")
        case Other(kind, json):
            return budget.block("json", figures.pretty_json(json), kind.replace("_", " "))


def _json_or_text(text: str, budget: _Budget) -> Block:
    """Indent what is a JSON object or array; structured output and tool results usually are."""
    if text[:1] in "{[" and text[-1:] in "}]" and len(text) > 1:
        indented = figures.pretty_json(text)
        if indented != text or text in ("{}", "[]"):
            return budget.block("json", indented)
    return budget.block("text", text)


def _head(text: str) -> str:
    """Return what a folded text shows: its first lines; empty when it is short enough to stand unfolded."""
    if len(text) <= HEAD_LETTERS * 1.25 and text.count("\n") < HEAD_LINES + 6:
        return ""
    return "\n".join(text[:HEAD_LETTERS].split("\n")[:HEAD_LINES])
