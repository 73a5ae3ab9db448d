"""What is written on one side of the Messages API is read on the other side as it was meant."""

import json
from typing import Literal, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite
from msgspec import Raw
from msgspec.structs import replace

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.anthropic.reading import AnthropicReader, completion_of
from watchkeeper.gateway.dialects.anthropic.writing import request_body
from watchkeeper.gateway.neutral import (
    Begin,
    Completion,
    Document,
    End,
    Event,
    Finish,
    Image,
    Output,
    Part,
    PartEnd,
    Prompt,
    Reasoning,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolBegin,
    ToolChoice,
    ToolDelta,
    ToolResult,
    ToolUse,
    Turn,
    Used,
)
from watchkeeper.gateway.surfaces.messages.reading import prompt_of
from watchkeeper.gateway.surfaces.messages.writing import MessagesWriter, reply_body

P = TypeVar("P")
Item = TypeVar("Item")

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
some_words = words.filter(bool)
caches: SearchStrategy[Literal["", "5m", "1h"]] = st.sampled_from(["", "5m", "1h"])
counts = st.integers(min_value=0, max_value=10**6)
objects = st.dictionaries(words, st.recursive(st.integers() | words | st.none(), st.lists, max_leaves=4), max_size=3)
arguments = objects.map(json.dumps)
schemas = objects.map(lambda found: Raw(json.dumps(found).encode()))
raws = (st.integers() | words).map(lambda found: Raw(json.dumps(found).encode()))

texts = st.builds(Text, some_words, caches)
images = st.builds(Image, media_type=some_words, data=some_words, cache=caches) | st.builds(
    Image, url=some_words, cache=caches
)
documents = (
    st.builds(Document, media_type=st.just("application/pdf"), data=some_words, name=words, cache=caches)
    | st.builds(Document, media_type=st.just("text/plain"), text=some_words, name=words, cache=caches)
    | st.builds(Document, url=some_words, name=words, cache=caches)
)
uses = st.builds(ToolUse, words, words, arguments, caches)
results = st.builds(
    ToolResult, words, st.lists(texts | images | documents, max_size=3).map(tuple), st.booleans(), caches
)
sealed = st.builds(Thinking, words, some_words) | st.builds(Thinking, redacted=some_words)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts)
stops: SearchStrategy[Stop] = st.sampled_from(["end", "length", "stop_sequence", "tool_use", "declined", "pause"])


@composite
def conversations(draw: DrawFn) -> tuple[Turn, ...]:
    """Turns that take turns, with the tools' results first."""
    user = st.tuples(st.lists(results, max_size=2), st.lists(texts | images | documents, max_size=2))
    users = user.map(lambda found: (*found[0], *found[1])).filter(bool)
    assistants = st.lists(texts | sealed | uses, min_size=1, max_size=3).map(tuple)
    length = draw(st.integers(1, 4))
    return tuple(
        Turn("user", draw(users)) if number % 2 == 0 else Turn("assistant", draw(assistants))
        for number in range(length)
    )


@composite
def prompts(draw: DrawFn) -> Prompt:
    """Requests of which Messages can carry everything."""
    choice = draw(
        st.none()
        | st.builds(ToolChoice, st.sampled_from(["auto", "none", "any"]))
        | st.builds(ToolChoice, st.just("one"), words)
    )
    budgets = st.none() | st.integers(1024, 9000)
    efforts = st.sampled_from(["", "low", "medium", "high", "xhigh", "max"])
    return Prompt(
        system=tuple(draw(st.lists(texts, max_size=2))),
        turns=draw(conversations()),
        tools=tuple(draw(st.lists(st.builds(Tool, words, schemas, words, st.booleans(), caches), max_size=2))),
        tool_choice=choice,
        parallel_tools=draw(st.none() | st.booleans()) if choice and choice.kind != "none" else None,
        output=draw(st.none() | st.builds(Output, st.just("schema"), schemas, is_strict=st.just(True))),
        max_tokens=draw(st.integers(0, 9999)),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(0, 99)),
        stop=tuple(draw(st.lists(words, max_size=3))),
        reasoning=draw(
            st.none() | st.builds(Reasoning, st.just(True), budgets, efforts) | st.just(Reasoning(is_on=False))
        ),
        user=draw(words),
        is_stream=draw(st.booleans()),
        others=draw(
            st.fixed_dictionaries(
                {}, optional={"inference_geo": raws, "cache_control": raws, "service_tier": st.just(STANDARD)}
            )
        ),
    )


STANDARD = Raw(b'"standard_only"')


@given(prompts())
def test_a_request_is_read_as_it_was_meant(prompt: Prompt) -> None:
    assert prompt_of(request_body(prompt, model="m")) == prompt


@given(
    parts=st.lists(st.builds(Text, words) | sealed | st.builds(ToolUse, words, words, arguments)),
    stop=stops,
    sequence=st.none() | words,
    usage=usages,
)
def test_a_reply_is_read_as_it_was_meant(parts: list[Part], stop: Stop, sequence: str | None, usage: Usage) -> None:
    completion = Completion(id="msg_1", model="m", parts=tuple(parts), stop=stop, stop_sequence=sequence, usage=usage)
    assert completion_of(reply_body(completion, reply_id="msg_1")) == completion


@composite
def pieces(draw: DrawFn, text: str) -> list[str]:
    """Cut a text anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@composite
def streams(draw: DrawFn) -> tuple[Completion, list[Event]]:
    """A reply, and the events that say it; its tools come last and take turns as they like."""
    spoken = draw(st.lists(st.builds(Text, some_words) | sealed, max_size=3))
    tools = draw(st.lists(st.builds(ToolUse, words, words, arguments), max_size=3))
    events: list[Event] = []
    for part in spoken:
        match part:
            case Text(text=text):
                events += [TextDelta(piece) for piece in draw(pieces(text))]
            case Thinking(redacted="", text=text, signature=signature):
                events += [ThinkingDelta(piece) for piece in draw(pieces(text))]
                events.append(ThinkingDelta(signature=signature))
            case Thinking(redacted=data):
                events.append(ThinkingDelta(redacted=data))
        events.append(PartEnd())
    events += draw(tools_taking_turns(tools))
    completion = Completion(
        id="msg_1",
        model="m",
        parts=(*spoken, *tools),
        stop=draw(stops),
        stop_sequence=draw(st.none() | words),
        usage=draw(usages),
    )
    events.append(Finish(completion.stop, completion.stop_sequence))
    assert completion.usage is not None
    events.insert(draw(st.integers(0, len(events))), Used(completion.usage))
    return completion, [Begin("up", "m"), *events]


@composite
def tools_taking_turns(draw: DrawFn, tools: list[ToolUse]) -> list[Event]:
    queues: list[list[Event]] = [
        [ToolBegin(index, tool.id, tool.name), *[ToolDelta(index, piece) for piece in draw(pieces(tool.arguments))]]
        for index, tool in enumerate(tools)
    ]
    begun = 0
    events: list[Event] = []
    while any(queues):
        ready = [index for index, queue in enumerate(queues) if queue and index <= begun]
        index = draw(st.sampled_from(ready))
        begun = max(begun, index + 1)
        events.append(queues[index].pop(0))
    return events


def understood(events: list[Event]) -> Completion:
    """Put the events of a reader together."""
    parts: list[Part] = []
    found = Completion(id="", model="", parts=(), stop="end")
    is_new = True
    for event in events:
        match event:
            case Begin():
                found = replace(found, id=event.id, model=event.model)
            case TextDelta():
                before = "" if is_new else _last(parts, Text).text
                parts[len(parts) - (not is_new) :] = [Text(before + event.text)]
            case ThinkingDelta():
                earlier = Thinking() if is_new else _last(parts, Thinking)
                thinking = Thinking(earlier.text + event.text, event.signature, event.redacted)
                parts[len(parts) - (not is_new) :] = [thinking]
            case ToolBegin():
                parts.append(ToolUse(event.id, event.name, ""))
            case ToolDelta():
                use = _last(parts, ToolUse)
                parts[-1] = ToolUse(use.id, use.name, use.arguments + event.json)
            case Used():
                found = replace(found, usage=event.usage)
            case Finish():
                found = replace(found, stop=event.stop, stop_sequence=event.stop_sequence)
            case _:
                pass
        is_new = isinstance(event, Begin | PartEnd | Used)
    return replace(found, parts=tuple(parts))


def _last(parts: list[Part], kind: type[P]) -> P:
    last = parts[-1]
    assert isinstance(last, kind)
    return last


@given(stream=streams(), cuts=st.data())
def test_a_stream_is_read_as_it_was_meant(stream: tuple[Completion, list[Event]], cuts: st.DataObject) -> None:
    completion, events = stream
    writer, reader = MessagesWriter(reply_id="msg_1"), AnthropicReader()
    written = b"".join([writer.write(batch) for batch in _batches(events, cuts)]) + writer.end()
    whole = [event + b"\n\n" for event in written.split(b"\n\n") if event]
    read = [event for batch in _batches(whole, cuts) for event in reader.read(b"".join(batch))]
    assert understood(read) == completion
    assert read[-1] == End()


def _batches(items: list[Item], cuts: st.DataObject) -> list[list[Item]]:
    marks = cuts.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
    batches: list[list[Item]] = [[]]
    for item, is_last in zip(items, marks, strict=True):
        batches[-1].append(item)
        if is_last:
            batches.append([])
    return batches
