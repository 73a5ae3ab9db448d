"""A translated stream is one that the official client reads to the same response as a plain reply."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.openai.responses import ResponsesStream
from watchkeeper.gateway.neutral import (
    Begin,
    Completion,
    Declined,
    DeclinedDelta,
    End,
    Event,
    Finish,
    Part,
    PartEnd,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolBegin,
    ToolDelta,
    ToolUse,
    Used,
)
from watchkeeper.gateway.surfaces.responses.writing import ResponsesWriter, error_event, reply_body

GOLDEN = Path(__file__).parent / "golden"
official: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

CREATED_S = 1_763_700_000
USAGE = Usage(10, 20, output_text=5, output_reasoning=6)


class Play(NamedTuple):
    """What is said piece by piece, and the same as a whole."""

    events: list[Event]
    parts: tuple[Part, ...]
    stop: Stop = "end"


PLAYS = {
    "text": Play(
        [TextDelta("Hel"), TextDelta('lo, "you"'), TextDelta(""), PartEnd(), TextDelta("\nMore"), PartEnd()],
        (Text('Hello, "you"'), Text("\nMore")),
    ),
    "tools": Play(
        [
            TextDelta("I look"),
            PartEnd(),
            ToolBegin(0, "c1", "look"),
            ToolDelta(0, '{"a'),
            ToolDelta(0, '":1}'),
            PartEnd(),
            ToolBegin(1, "c2", "see"),
            ToolDelta(1, ""),
            PartEnd(),
        ],
        (Text("I look"), ToolUse("c1", "look", '{"a":1}'), ToolUse("c2", "see", "{}")),
        "tool_use",
    ),
    "tools_mixed": Play(
        [
            ToolBegin(0, "c1", "look"),
            ToolBegin(1, "c2", "see"),
            ToolDelta(0, '{"a'),
            ToolDelta(1, '{"b'),
            TextDelta("meanwhile"),
            ToolDelta(0, '":1}'),
            ToolDelta(1, '":2}'),
        ],
        (ToolUse("c1", "look", '{"a":1}'), ToolUse("c2", "see", '{"b":2}'), Text("meanwhile")),
        "tool_use",
    ),
    "reasoning": Play(
        [
            ThinkingDelta("First "),
            ThinkingDelta("this"),
            ThinkingDelta(signature="sig=="),
            PartEnd(),
            ThinkingDelta(redacted="xyz"),
            ThinkingDelta("then that"),
            ThinkingDelta(),
            TextDelta("done"),
        ],
        (Thinking("First this", "sig=="), Thinking(redacted="xyz"), Thinking("then that"), Text("done")),
    ),
    "refusal": Play(
        [TextDelta("Well"), DeclinedDelta("I will "), DeclinedDelta("not")],
        (Text("Well"), Declined("I will not")),
        "declined",
    ),
    "length": Play([TextDelta("One, t"), PartEnd()], (Text("One, t"),), "length"),
    "length_in_tool": Play(
        [TextDelta("I look"), ToolBegin(0, "c1", "look"), ToolDelta(0, '{"a'), PartEnd()],
        (Text("I look"), ToolUse("c1", "look", '{"a')),
        "length",
    ),
    "filtered_at_once": Play([], (), "filtered"),
}


def writer() -> ResponsesWriter:
    return ResponsesWriter(reply_id="resp_7", created_s=CREATED_S, request=b'{"temperature":0.5,"input":"hi"}')


def script(play: Play) -> list[Event]:
    return [Begin("up_1", "m-1"), *play.events, Finish(play.stop), Used(USAGE)]


def streamed(events: list[Event]) -> bytes:
    to = writer()
    return to.write(events) + to.end()


def said(stream: bytes) -> list[dict[str, Any]]:
    """The data of each event, which must be of the official types, named by its line, and in the right order."""
    found = []
    for number, event in enumerate(stream.decode().removesuffix("\n\n").split("\n\n")):
        name, data = event.split("\n")
        body = json.loads(data.removeprefix("data: "))
        official.validate_python(body)
        assert name == f"event: {body['type']}"
        assert body["sequence_number"] == number
        found.append(body)
    return found


def client(stream: bytes) -> OpenAI:
    """An official client whose every request is answered with a stream."""
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    transport = httpx2.MockTransport(lambda request: answer)
    return OpenAI(api_key="k", base_url="http://gateway", max_retries=0, http_client=httpx2.Client(transport=transport))


@pytest.mark.parametrize("name", PLAYS)
def test_a_stream_is_written_as_it_was(name: str) -> None:
    stream = streamed(script(PLAYS[name]))
    said(stream)
    assert stream.decode() == (GOLDEN / f"responses_{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", PLAYS)
def test_a_stream_ends_with_what_a_plain_reply_is(name: str) -> None:
    play = PLAYS[name]
    last = said(streamed(script(play)))[-1]
    whole = Completion(id="up_1", model="m-1", parts=play.parts, stop=play.stop, usage=USAGE)
    plain = json.loads(reply_body(whole, reply_id="resp_7", created_s=CREATED_S, request=b'{"temperature":0.5}'))
    assert last["type"] == f"response.{plain['status']}"
    assert last["response"] == plain


@pytest.mark.parametrize("name", [name for name, play in PLAYS.items() if play.stop not in ("length", "filtered")])
def test_the_official_client_puts_a_stream_together(name: str) -> None:
    stream = streamed(script(PLAYS[name]))
    snapshots: dict[tuple[int, int], str] = {}
    with client(stream).responses.stream(model="m", input="hi") as events:
        for event in events:
            if event.type == "response.output_text.delta":
                snapshots[event.output_index, event.content_index] = event.snapshot
            elif event.type == "response.function_call_arguments.delta":
                snapshots[event.output_index, -1] = event.snapshot
        final = events.get_final_response()
    expected = Response.model_validate(said(stream)[-1]["response"])
    assert [item.to_dict() for item in final.output if item.type == "reasoning"] == [
        item.to_dict() for item in expected.output if item.type == "reasoning"
    ]
    assert final.output_text == expected.output_text
    whole = [part.text for part in PLAYS[name].parts if isinstance(part, Text)]
    assert [text for (_, content), text in sorted(snapshots.items()) if content >= 0] == whole
    calls = [part.arguments for part in PLAYS[name].parts if isinstance(part, ToolUse)]
    assert [text for (_, content), text in sorted(snapshots.items()) if content < 0] == calls


@pytest.mark.parametrize("name", PLAYS)
def test_deltas_add_up_to_what_is_said_to_be_done(name: str) -> None:
    deltas: dict[tuple[object, ...], str] = {}
    for event in said(streamed(script(PLAYS[name]))):
        kind, _, end = event["type"].rpartition(".")
        place = kind, event.get("item_id"), event.get("content_index")
        if end == "delta":
            deltas[place] = deltas.get(place, "") + event["delta"]
        elif place in deltas:
            assert deltas.pop(place) == event.get("text", event.get("refusal", event.get("arguments")))
    assert deltas == {}


@given(data=st.data())
@pytest.mark.parametrize("name", PLAYS)
def test_it_does_not_matter_how_neutral_events_are_grouped(name: str, data: st.DataObject) -> None:
    events = script(PLAYS[name])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(events)))))
    to = writer()
    pieces = [to.write(events[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert b"".join(pieces) + to.end() == streamed(events)


def test_words_are_passed_on_when_they_come() -> None:
    to = writer()
    assert b"response.in_progress" in to.write([Begin("up_1", "m-1")])
    assert b'"delta":"a"' in to.write([TextDelta("a")])
    assert said(b"".join([streamed([])]))[-1]["type"] == "response.completed"


def test_a_call_that_has_ended_can_be_made_before_the_next_is_complete() -> None:
    to = writer()
    to.write([ToolBegin(0, "c1", "look"), ToolDelta(0, "{}"), PartEnd()])
    assert b"response.output_item.done" in to.write([ToolBegin(1, "c2", "see")])


def test_a_stream_that_never_began_is_still_a_response() -> None:
    assert [event["type"] for event in said(streamed([]))] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]


def test_end_and_failure_say_nothing_by_themselves() -> None:
    assert writer().write([End()]) == b""


def test_the_official_client_raises_at_a_failed_stream() -> None:
    to = writer()
    stream = to.write([Begin("up_1", "m-1"), TextDelta("a"), PartEnd(), ToolBegin(0, "c", "n")])
    stream += to.failure("The upstream was cut.", "stream_cut")
    failed, error = said(stream)[-2:]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "The upstream was cut."}
    assert [item["type"] for item in failed["response"]["output"]] == ["message"]
    assert (error["type"], error["code"], error["message"]) == ("error", "stream_cut", "The upstream was cut.")
    with pytest.raises(APIError, match=r"The upstream was cut\."):
        list(client(stream).responses.create(model="m", input="hi", stream=True))


def test_a_stream_may_fail_before_it_began() -> None:
    assert [event["type"] for event in said(writer().failure("no", "rate_limit_exceeded"))] == [
        "response.created",
        "response.in_progress",
        "response.failed",
        "error",
    ]


def test_an_error_alone_is_an_event_too() -> None:
    assert said(error_event("no", "internal")) == [
        {
            "type": "error",
            "sequence_number": 0,
            "code": "internal",
            "message": "no",
            "param": None,
            "error": {"type": "server_error", "code": "internal", "message": "no", "param": None},
        }
    ]


@pytest.mark.parametrize("name", PLAYS)
def test_a_gateway_behind_this_one_reads_how_it_ended(name: str) -> None:
    scanner = ResponsesStream(True)
    scanner.feed(streamed(script(PLAYS[name])))
    assert (scanner.is_done, scanner.failure, scanner.model, scanner.usage) == (True, None, "m-1", USAGE)
