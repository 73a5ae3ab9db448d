"""What lists and searches show of a call's bodies: a preview of question and answer, and the words to find it by.

Bodies of the usual shape are read by typed decoders that skip what is not shown (measured on calls of 2 KB, a third of
them streams: 11 us for each). Everything else is read by `core.conversation`, which understands more and takes 60 us;
for what both can read they agree. The shape of a request follows from the API that the client spoke; that of a response
from the upstream's, which its own bytes show best: they may have been translated on their way to the client.
"""

from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import Struct

from watchkeeper.core.call import Call
from watchkeeper.core.conversation import Message, read_conversation
from watchkeeper.evals.drift.texts import Form, form_of, language_of

PREVIEW_LETTERS = 200
WORDS_LETTERS = 2_000
"""Of question and answer each; what is longer cannot be searched for."""


class Digest(NamedTuple):
    """The readable part of a call."""

    input_preview: str = ""
    output_preview: str = ""
    words: str = ""
    finish_reason: str = ""
    tool_names: tuple[str, ...] = ()
    input_letters: int = 0
    output_letters: int = 0
    input_language: str = ""
    output_language: str = ""
    answer_form: Form = ""


def digest(call: Call) -> Digest:
    """Read the bodies of a call; what cannot be read is left out."""
    try:
        return _usual(call)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Unusual):
        return _any(call)


def request_hash(call: Call) -> int:
    """Name what was asked, in 64 bits: two calls with the same name could have shared an answer.

    The name is of what the gateway's cache looks at in its usual scope: tenant, release, route, API and the whole
    request (`gateway.cache.key_of`). 0 where there is nothing to compare: no route, no body, or one of which a part was
    not recorded. That any two of a million different requests have the same name is a chance of one in 37 million.
    """
    body = call.request_body
    if not call.route or not body or call.request_bytes > len(body) or call.surface == "passthrough":
        return 0
    # The length keeps apart what could be read in two ways.
    head = f"{call.route}\0{call.surface}\0{len(call.tenant)}\0{call.tenant}{call.release}\0"
    return int.from_bytes(blake2b(head.encode() + body, digest_size=8).digest(), "little") or 1


class _Unusual(Exception):
    """The bodies are not of the shape that the typed decoders read."""


class _Part(Struct, gc=False):
    type: str
    text: str = ""
    refusal: str = ""


class _Function(Struct, gc=False):
    name: str = ""
    arguments: str = ""


class _ToolCall(Struct, gc=False):
    function: _Function
    index: int = -1


class _Turn(Struct, gc=False):
    """A message, or a stream's piece of one."""

    role: str | None = ""
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: msgspec.Raw = msgspec.Raw()


class _Asked(Struct, gc=False):
    messages: list[_Turn]


class _Block(Struct, gc=False):
    """A part of a message of Anthropic's API, or a stream's piece of one."""

    type: str = ""
    text: str = ""


class _Said(Struct, gc=False):
    role: str
    content: str | list[_Block]


class _AskedInBlocks(Struct, gc=False):
    messages: list[_Said]


class _BlockEvent(Struct, gc=False):
    type: str
    index: int = 0
    delta: "_BlockDelta | None" = None
    content_block: _Block | None = None


class _BlockDelta(Struct, gc=False):
    type: str = ""
    text: str = ""
    stop_reason: str | None = None


class _Choice(Struct, gc=False):
    index: int | None = None
    message: _Turn | None = None
    delta: _Turn | None = None
    finish_reason: str | None = None
    text: str | None = None
    """Of a legacy completion."""


class _Reply(Struct, gc=False):
    choices: list[_Choice] = []
    type: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    output: msgspec.Raw = msgspec.Raw()


_asked = msgspec.json.Decoder(_Asked).decode
_reply = msgspec.json.Decoder(_Reply).decode
_events = msgspec.json.Decoder(list[_Reply]).decode
_asked_in_blocks = msgspec.json.Decoder(_AskedInBlocks).decode
_block_events = msgspec.json.Decoder(list[_BlockEvent]).decode
_BLOCK_EVENT = b"event: message_start\ndata: {"


def _usual(call: Call) -> Digest:
    match call.surface:
        case "chat":
            asked = _question(_asked(call.request_body).messages)
        case "messages":
            asked = _question_in_blocks(_asked_in_blocks(call.request_body).messages)
        case _:
            raise _Unusual
    body = call.response_body
    if not body:
        return _made(asked, [], "", [])
    if not call.is_stream or body.lstrip().startswith(b"{"):
        return _plain(asked, _reply(body))
    if body.startswith(_BLOCK_EVENT):
        return _streamed_in_blocks(asked, body)
    return _streamed(asked, body)


def _question(turns: list[_Turn]) -> str:
    for turn in reversed(turns):
        if turn.role == "user":
            return _text(turn)
    return _text(turns[-1]) if turns else ""


def _text(turn: _Turn) -> str:
    content = turn.content
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text or part.refusal for part in content if part.type in ("text", "refusal"))


def _question_in_blocks(turns: list[_Said]) -> str:
    """The results of tools stand in a user's turn, too, and are messages of their own."""
    for turn in reversed(turns):
        if turn.role == "user":
            if isinstance(turn.content, str):
                return turn.content
            said = [block for block in turn.content if block.type != "tool_result"]
            if said or not turn.content:
                return _texts(said)
    raise _Unusual


def _texts(blocks: list[_Block]) -> str:
    if not all(block.type in _READ_HERE for block in blocks):
        raise _Unusual
    return "\n".join([block.text for block in blocks if block.type == "text"])


_READ_HERE = frozenset({"text", "image", "document", "thinking", "redacted_thinking"})


def _plain(asked: str, reply: _Reply) -> Digest:
    choices = reply.choices
    if not choices and reply.type == "message" and reply.content is not None:
        return _made(asked, [_texts(reply.content)], reply.stop_reason or "", [])
    if reply.output:
        raise _Unusual
    said: list[str] = []
    names: list[str] = []
    for position, choice in enumerate(choices):
        if choice.index != position or choice.text is not None:
            raise _Unusual
        turn = choice.message or _Turn()
        if turn.function_call:
            raise _Unusual
        functions = [tool_call.function for tool_call in turn.tool_calls or ()]
        names += [function.name for function in functions]
        said.append(_said(_text(turn), turn.refusal or "", [(f.name, f.arguments) for f in functions]))
    return _made(asked, said, (choices[0].finish_reason or "") if choices else "", names)


def _streamed(asked: str, body: bytes) -> Digest:
    """Read a stream of one choice without tool calls, its events one line each."""
    if b"\r" in body:
        raise _Unusual
    events = body.split(b"\n\n")
    if not events[-1]:
        events.pop()
    if events and events[-1] == b"data: [DONE]":
        events.pop()
    if not all(event.startswith(b"data: {") and b"\n" not in event for event in events):
        raise _Unusual
    text: list[str] = []
    finish_reason = ""
    is_answered = False
    for reply in _events(b"[" + b",".join([event[6:] for event in events]) + b"]"):
        if reply.type:
            raise _Unusual
        for choice in reply.choices:
            delta = choice.delta
            if choice.index or choice.text is not None or (delta is not None and (delta.tool_calls or delta.refusal)):
                raise _Unusual
            is_answered = True
            if delta is not None and isinstance(delta.content, str):
                text.append(delta.content)
            finish_reason = choice.finish_reason or finish_reason
    return _made(asked, ["".join(text)] if is_answered else [], finish_reason, [])


def _streamed_in_blocks(asked: str, body: bytes) -> Digest:
    """Read a stream of Anthropic's API without tool calls, each event a line with its name and one with its data."""
    if b"\r" in body or b"tool_use" in body:
        raise _Unusual
    data: list[bytes] = []
    for event in body.removesuffix(b"\n\n").split(b"\n\n"):
        name, _, line = event.partition(b"\n")
        if not (name.startswith(b"event: ") and line.startswith(b"data: {") and b"\n" not in line):
            raise _Unusual
        data.append(line[6:])
    texts: dict[int, list[str]] = {}
    stop_reason = ""
    for one in _block_events(b"[" + b",".join(data) + b"]"):
        match one.type:
            case "content_block_start" if one.content_block is not None:
                if one.content_block.type not in _READ_HERE or one.content_block.text or one.index in texts:
                    raise _Unusual
                if one.content_block.type == "text":
                    texts[one.index] = []
            case "content_block_delta" if one.delta is not None and one.delta.type == "text_delta":
                if one.index not in texts:
                    raise _Unusual
                texts[one.index].append(one.delta.text)
            case "message_delta" if one.delta is not None:
                stop_reason = one.delta.stop_reason or stop_reason
            case "message_start" | "content_block_delta" | "content_block_stop" | "message_stop" | "ping":
                continue
            case _:
                raise _Unusual
    return _made(asked, ["\n".join(["".join(texts[place]) for place in sorted(texts)])], stop_reason, [])


def _any(call: Call) -> Digest:
    found = read_conversation(call.request_body, call.response_body, surface=call.surface, is_stream=call.is_stream)
    names = [tool_call.name for answer in found.answers for tool_call in answer.message.tool_calls]
    return _made(
        _last_question(found.messages),
        [_words_of(answer.message) for answer in found.answers],
        found.answers[0].finish_reason if found.answers else "",
        names,
    )


def _last_question(messages: tuple[Message, ...]) -> str:
    """The last thing a person said; without one, the last message."""
    for message in reversed(messages):
        if message.role == "user":
            return message.text
    return messages[-1].text if messages else ""


def _words_of(message: Message) -> str:
    return _said(message.text, message.refusal, [(call.name, call.arguments) for call in message.tool_calls])


def _said(text: str, refusal: str, calls: list[tuple[str, str]]) -> str:
    return " ".join(part for part in (text, refusal, *(f"{name}({arguments})" for name, arguments in calls)) if part)


def _made(asked: str, said: list[str], finish_reason: str, names: list[str]) -> Digest:
    answered = "\n".join(said)
    return Digest(
        input_preview=_preview(asked),
        output_preview=_preview(answered),
        words=f"{asked[:WORDS_LETTERS]}\n{answered[:WORDS_LETTERS]}".lower(),
        finish_reason=finish_reason,
        tool_names=tuple(dict.fromkeys(names)),
        input_letters=len(asked),
        output_letters=len(answered),
        input_language=language_of(asked),
        output_language=language_of(answered),
        answer_form=form_of(answered, finish=finish_reason, tools=names),
    )


def _preview(text: str) -> str:
    """The first letters on one line."""
    return " ".join(text[: PREVIEW_LETTERS * 2].split())[:PREVIEW_LETTERS]
