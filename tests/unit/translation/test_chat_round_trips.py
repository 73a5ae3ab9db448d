"""What is written in OpenAI's dialect is read as the same by its surface, and the other way round."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.openai.reading import OpenAIReader, completion_of
from watchkeeper.gateway.dialects.openai.writing import CARRIED, request_body
from watchkeeper.gateway.neutral import (
    Begin,
    Completion,
    Declined,
    DeclinedDelta,
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
from watchkeeper.gateway.surfaces.chat.reading import prompt_of
from watchkeeper.gateway.surfaces.chat.writing import ChatWriter, reply_body

words = st.text(min_size=1, max_size=12)
names = st.text("abcdefgh_", min_size=1, max_size=8)
base64 = st.text("ABCDabcd0123+/", min_size=1, max_size=12)
media_types = st.sampled_from(["image/png", "image/jpeg", "application/pdf"])
objects = st.dictionaries(words, st.none() | st.booleans() | st.integers(-99, 99) | words, max_size=3).map(json.dumps)
schemas = objects.map(lambda text: Raw(text.encode()))

texts = st.builds(Text, words)
images = st.builds(Image, media_types, base64, detail=st.sampled_from(["", "low"])) | st.builds(
    Image, url=words.map(lambda path: f"https://x/{path}")
)
documents = st.builds(Document, media_types, base64, name=st.just("") | words)
tool_uses = st.builds(ToolUse, names, names, objects)
results = st.builds(ToolResult, names, st.lists(texts, max_size=2).map(tuple))

asked = st.builds(
    Turn, st.just("user"), st.lists(texts | images | documents, max_size=3).map(tuple), st.just("") | names
)
returned = st.builds(Turn, st.just("user"), st.lists(results, min_size=1, max_size=3).map(tuple))


@st.composite
def answered(draw: st.DrawFn) -> Turn:
    """In the only order that chat has."""
    parts: list[Part] = [
        *draw(st.lists(st.builds(Thinking, words), max_size=1)),
        *draw(st.lists(texts, max_size=2)),
        *draw(st.lists(st.builds(Declined, words), max_size=1)),
        *draw(st.lists(tool_uses, max_size=2)),
    ]
    return Turn("assistant", tuple(parts), draw(st.just("") | names))


def _holds_results(turn: Turn) -> bool:
    return any(isinstance(part, ToolResult) for part in turn.parts)


turns = (
    st.lists(asked | returned | answered(), max_size=4)
    .map(tuple)
    .filter(lambda found: not any(_holds_results(one) and _holds_results(next_) for one, next_ in pairwise(found)))
)
outputs = st.just(Output("json")) | st.builds(
    Output, st.just("schema"), schemas, names, st.just("") | words, st.booleans()
)
choices = st.sampled_from([ToolChoice("auto"), ToolChoice("none"), ToolChoice("any"), ToolChoice("one", "f")])
fractions = st.floats(0, 2, allow_nan=False)
prompts = st.builds(
    Prompt,
    system=st.lists(texts, max_size=2).map(tuple),
    turns=turns,
    tools=st.lists(st.builds(Tool, names, schemas, st.just("") | words, st.booleans()), max_size=2).map(tuple),
    tool_choice=st.none() | choices,
    parallel_tools=st.none() | st.booleans(),
    output=st.none() | outputs,
    max_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | fractions,
    top_p=st.none() | fractions,
    stop=st.lists(words, max_size=3).map(tuple),
    reasoning=st.none()
    | st.builds(Reasoning, effort=names.filter(lambda word: word != "none"))
    | st.just(Reasoning(False)),
    user=st.just("") | words,
    is_stream=st.booleans(),
    others=st.dictionaries(
        st.sampled_from(sorted(CARRIED)), st.integers(2, 99).map(lambda n: Raw(b"%d" % n)), max_size=3
    ),
)


@given(prompts)
def test_a_prompt_is_read_as_it_was_written(prompt: Prompt) -> None:
    assert prompt_of(request_body(prompt, model="m")) == prompt


counts = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    counts,
    cache_read=counts,
    cache_write_5m=counts,
    output_text=counts,
    output_reasoning=counts,
    audio_in=counts,
    audio_out=counts,
)


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    declined = draw(st.lists(st.builds(Declined, words), max_size=1))
    calls = draw(st.lists(tool_uses, max_size=2))
    ordinary: Stop = "tool_use" if calls else "declined" if declined else "end"
    stops: list[Stop] = [ordinary, "length", "filtered"]
    thoughts = draw(st.lists(st.builds(Thinking, words), max_size=1))
    parts: list[Part] = [*thoughts, *draw(st.lists(texts, max_size=1)), *declined, *calls]
    return Completion(
        id=draw(words),
        model=draw(words),
        parts=tuple(parts),
        stop=draw(st.sampled_from(stops)),
        usage=draw(st.none() | usages),
    )


@given(completions())
def test_a_completion_is_read_as_it_was_written(completion: Completion) -> None:
    assert completion_of(reply_body(completion, reply_id=completion.id, created_s=5)) == completion


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """What a reader may give: one reply, in pieces."""
    events: list[Event] = [Begin("r", draw(words))]
    tool_count = 0
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "refusal", "tool", "used", "part"]), max_size=6)):
        match kind:
            case "text":
                events += draw(st.lists(st.builds(TextDelta, words), max_size=3))
            case "thinking":
                events += draw(st.lists(st.builds(ThinkingDelta, words), max_size=3))
            case "refusal":
                events += draw(st.lists(st.builds(DeclinedDelta, words), max_size=3))
            case "tool":
                events.append(ToolBegin(tool_count, f"c{tool_count}", draw(names)))
                events += draw(st.lists(st.builds(ToolDelta, st.integers(0, tool_count), words), max_size=3))
                tool_count += 1
            case "used":
                events.append(Used(draw(usages)))
            case _:
                events.append(PartEnd())
    has_refused = any(isinstance(event, DeclinedDelta) for event in events)
    ordinary: Stop = "tool_use" if tool_count else "declined" if has_refused else "end"
    stops: list[Stop] = [ordinary, "length", "filtered"]
    return [*events, Finish(draw(st.sampled_from(stops)))]


def meaning(events: list[Event]) -> tuple[object, ...]:
    """What is said, each thing by itself, however it was cut into pieces."""
    tools = {event.index: [event.id, event.name, ""] for event in events if isinstance(event, ToolBegin)}
    for event in events:
        if isinstance(event, ToolDelta):
            tools[event.index][2] += event.json
    return (
        [event for event in events if isinstance(event, Begin | Finish)],
        "".join(event.text for event in events if isinstance(event, TextDelta)),
        "".join(event.text for event in events if isinstance(event, ThinkingDelta)),
        "".join(event.text for event in events if isinstance(event, DeclinedDelta)),
        {index: (tool_id, name, arguments or "{}") for index, (tool_id, name, arguments) in tools.items()},
        [event for event in events if isinstance(event, Used)][-1:],
    )


@given(streams(), st.integers(0, 20))
def test_a_stream_is_read_as_it_was_written(events: list[Event], cut: int) -> None:
    writer = ChatWriter(reply_id="r", created_s=5, includes_usage=True)
    stream = writer.write(events[:cut]) + writer.write(events[cut:]) + writer.end()
    found = OpenAIReader().read(stream)
    assert found[-1] == End()
    assert meaning(found) == meaning(events)


@given(st.binary(max_size=40), streams())
def test_whatever_stands_between_chunks_does_no_harm(noise: bytes, events: list[Event]) -> None:
    writer = ChatWriter(reply_id="r", created_s=5, includes_usage=False)
    stream = writer.write([event for event in events if not isinstance(event, Used)])
    clean = OpenAIReader().read(stream)
    comment = b": " + noise.replace(b"\r", b"").replace(b"\n", b"") + b"\n\n"
    broken = comment.replace(b": ", b'data: {"choices":[', 1).replace(b"}", b"")
    noisy = comment + stream.replace(b"\n\n", b"\n\n" + broken)
    assert OpenAIReader().read(noisy) == clean
