"""What was said in a call, read back from the recorded bytes of its request and its response.

Reading never fails: recorded bodies may be cut, malformed or hostile. What cannot be read is left
out and named in `Conversation.notes`, so that a reader knows to look at the raw bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from watchkeeper.core.call import Surface


@dataclass(frozen=True, slots=True)
class Text:
    """Words, as they were sent."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by address; the address may be a `data:` URI and many megabytes long."""

    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A part of a kind that is not rendered: audio, files, parts of another dialect."""

    kind: str
    json: str


Part = Text | Image | Other


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool the model asked for."""

    id: str
    name: str
    arguments: str
    """As the model wrote them: usually, but not surely, a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    """The tool call that a message of role `tool` answers."""
    reasoning: str = ""
    refusal: str = ""

    @property
    def text(self) -> str:
        """The words of all text parts, a line break between two."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One choice of the response."""

    index: int
    message: Message
    finish_reason: str
    """Empty when the upstream gave none, as in a stream that was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool the request offered."""

    name: str
    description: str
    parameters: str
    """Its JSON schema as JSON text; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The request's messages, the response's answers, and what surrounded them."""

    messages: tuple[Message, ...] = ()
    answers: tuple[Answer, ...] = ()
    """By choice index."""
    tools: tuple[Tool, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """The request's other fields, each as JSON text, in the order they were sent."""
    vectors: tuple[int, int] | None = None
    """Of an embeddings call: how many vectors came back, and their dimensions (0 when packed)."""
    error: str = ""
    """What the upstream gave instead of an answer, or in the middle of one."""
    notes: tuple[str, ...] = ()
    """What could not be read, one sentence each."""


def read_conversation(request: bytes, response: bytes, *, surface: Surface, is_stream: bool) -> Conversation:
    """Read the recorded bodies of one call.

    Args:
        request: The request body as received; may be cut.
        response: The response body as received from the upstream; the raw events if it was a stream.
        surface: The API the client spoke.
        is_stream: Whether a stream was asked for. An upstream that answered with one JSON document
            all the same is understood.
    """
    notes: list[str] = []
    asked = _json_object(request, "request", notes) if request else {}
    if surface == "embeddings":
        return _embeddings(asked, response, notes)
    conversation = Conversation(
        messages=tuple(_messages(asked.get("messages"), notes)),
        tools=tuple(_tools(asked)),
        parameters={name: _written(value) for name, value in asked.items() if name not in _SHOWN_APART},
    )
    if is_stream and not response.lstrip().startswith(b"{"):
        answers, error = _streamed_answers(response, notes)
    else:
        answers, error = _plain_answers(response, notes)
    return replace(conversation, answers=answers, error=error, notes=tuple(notes))


_SHOWN_APART = frozenset({"messages", "tools", "functions", "input"})


def _embeddings(asked: dict[str, object], response: bytes, notes: list[str]) -> Conversation:
    inputs = asked.get("input")
    texts: list[object] = [inputs] if isinstance(inputs, str) else _array(inputs)
    if texts and all(isinstance(text, int) for text in texts):
        texts = [texts]
    given = _json_object(response, "response", notes) if response else {}
    vectors = _array(given.get("data"))
    first = _object(vectors[0]).get("embedding") if vectors else None
    return Conversation(
        messages=tuple(Message(role="input", parts=(_embedding_input(text),)) for text in texts),
        parameters={name: _written(value) for name, value in asked.items() if name not in _SHOWN_APART},
        vectors=(len(vectors), len(_array(first))) if vectors else None,
        error=_error(given),
        notes=tuple(notes),
    )


def _embedding_input(value: object) -> Part:
    return Text(value) if isinstance(value, str) else Other("tokens", _written(value))


def _plain_answers(response: bytes, notes: list[str]) -> tuple[tuple[Answer, ...], str]:
    if not response:
        return (), ""
    given = _json_object(response, "response", notes)
    answers = []
    for position, choice in enumerate(map(_object, _array(given.get("choices")))):
        index = choice.get("index")
        answers.append(
            Answer(
                index=index if isinstance(index, int) else position,
                message=_message(_object(choice.get("message")), "assistant"),
                finish_reason=_string(choice.get("finish_reason")),
            )
        )
    return tuple(sorted(answers, key=lambda answer: answer.index)), _error(given)


@dataclass(slots=True)
class _Draft:
    """A choice under assembly: fragments in the order they came."""

    role: str = "assistant"
    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    refusal: list[str] = field(default_factory=list[str])
    tool_calls: dict[int, "_ToolDraft"] = field(default_factory=dict[int, "_ToolDraft"])
    finish_reason: str = ""

    def add(self, choice: dict[str, object]) -> None:
        delta = _object(choice.get("delta"))
        self.role = _string(delta.get("role")) or self.role
        self.finish_reason = _string(choice.get("finish_reason")) or self.finish_reason
        for name, fragments in (("content", self.text), ("refusal", self.refusal)):
            if fragment := _string(delta.get(name)):
                fragments.append(fragment)
        if thought := _string(delta.get("reasoning_content")) or _string(delta.get("reasoning")):
            self.reasoning.append(thought)
        for position, call in enumerate(map(_object, _array(delta.get("tool_calls")))):
            index = call.get("index")
            self.tool_calls.setdefault(index if isinstance(index, int) else position, _ToolDraft()).add(call)

    def answer(self, index: int) -> Answer:
        text = "".join(self.text)
        message = Message(
            role=self.role,
            parts=(Text(text),) if text else (),
            tool_calls=tuple(draft.tool_call() for _, draft in sorted(self.tool_calls.items())),
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal),
        )
        return Answer(index=index, message=message, finish_reason=self.finish_reason)


@dataclass(slots=True)
class _ToolDraft:
    """A tool call under assembly; its id and name come once, its arguments in pieces."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])

    def add(self, call: dict[str, object]) -> None:
        function = _object(call.get("function"))
        self.id = _string(call.get("id")) or self.id
        self.name = _string(function.get("name")) or self.name
        self.arguments.append(_string(function.get("arguments")))

    def tool_call(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name, arguments="".join(self.arguments))


def _streamed_answers(response: bytes, notes: list[str]) -> tuple[tuple[Answer, ...], str]:
    drafts: dict[int, _Draft] = {}
    error, is_terminated, unreadable = "", False, 0
    for payload in event_payloads(response):
        if payload.strip() == b"[DONE]":
            is_terminated = True
            continue
        event = _decoded(payload)
        if not isinstance(event, dict):
            unreadable += 1
            continue
        error = error or _error(event)
        for choice in map(_object, _array(event.get("choices"))):
            index = choice.get("index")
            drafts.setdefault(index if isinstance(index, int) else 0, _Draft()).add(choice)
    if unreadable:
        notes.append(f"Events of the stream that are not JSON objects: {unreadable}; they are left out here.")
    if response and not is_terminated:
        notes.append("The recorded stream ends without its closing [DONE] event.")
    return tuple(draft.answer(index) for index, draft in sorted(drafts.items())), error


def event_payloads(stream: bytes) -> Iterator[bytes]:
    """Yield the data of each server-sent event in a recorded stream, in order.

    Lines may end in LF, CRLF or CR, in any mixture. Several data lines of one event are joined by LF.
    An event that the recording cut is yielded as far as it goes; comments and events without data are not.
    """
    data: list[bytes] = []
    for line in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)


def _messages(value: object, notes: list[str]) -> Iterator[Message]:
    for position, item in enumerate(_array(value), start=1):
        if isinstance(item, dict):
            yield _message(item, "unknown")
        else:
            notes.append(f"Message {position} of the request is not an object; it is left out here.")


def _message(item: dict[str, object], role: str) -> Message:
    calls = [_tool_call(_object(call)) for call in _array(item.get("tool_calls"))]
    if legacy := _object(item.get("function_call")):
        calls.append(_tool_call({"function": legacy}))
    return Message(
        role=_string(item.get("role")) or role,
        parts=tuple(_parts(item.get("content"))),
        name=_string(item.get("name")),
        tool_calls=tuple(calls),
        tool_call_id=_string(item.get("tool_call_id")),
        reasoning=_string(item.get("reasoning_content")) or _string(item.get("reasoning")),
        refusal=_string(item.get("refusal")),
    )


def _parts(content: object) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
        return
    for part in _array(content):
        fields = _object(part)
        kind = _string(fields.get("type"))
        if kind == "text":
            yield Text(_string(fields.get("text")))
        elif kind == "refusal":
            yield Text(_string(fields.get("refusal")))
        elif kind == "image_url":
            image = fields.get("image_url")
            url = image if isinstance(image, str) else _string(_object(image).get("url"))
            yield Image(url, _string(_object(image).get("detail")))
        else:
            yield Other(kind or "unknown", _written(part))


def _tool_call(call: dict[str, object]) -> ToolCall:
    function = _object(call.get("function"))
    arguments = function.get("arguments", "")
    return ToolCall(
        id=_string(call.get("id")),
        name=_string(function.get("name")),
        arguments=arguments if isinstance(arguments, str) else _written(arguments),
    )


def _tools(asked: dict[str, object]) -> Iterator[Tool]:
    wrapped = [_object(_object(tool).get("function")) or _object(tool) for tool in _array(asked.get("tools"))]
    for tool in [*wrapped, *map(_object, _array(asked.get("functions")))]:
        parameters = tool.get("parameters")
        yield Tool(
            name=_string(tool.get("name")) or _string(tool.get("type")),
            description=_string(tool.get("description")),
            parameters="" if parameters is None else _written(parameters),
        )


def _error(given: dict[str, object]) -> str:
    error = given.get("error")
    if not error:
        return ""
    return error if isinstance(error, str) else _string(_object(error).get("message")) or _written(error)


def _json_object(body: bytes, name: str, notes: list[str]) -> dict[str, object]:
    value = _decoded(body)
    if value is None:
        value = _decoded(body.decode("utf-8", "replace").encode())
        if value is not None:
            notes.append(f"The {name} is not valid UTF-8; the broken letters are replaced here.")
    if isinstance(value, dict):
        return value
    notes.append(f"The recorded {name} cannot be read as a JSON object; see the raw bytes.")
    return {}


def _decoded(body: bytes) -> object:
    """Decode JSON; None when it cannot be (nesting too deep for the decoder included)."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _array(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
