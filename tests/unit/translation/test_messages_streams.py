"""Streams of messages, event by event: what the upstream sent is what is understood, and what a client is sent."""

from pathlib import Path

import pytest

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.anthropic.reading import AnthropicReader
from watchkeeper.gateway.neutral import (
    Begin,
    DeclinedDelta,
    End,
    Event,
    Failed,
    Finish,
    PartEnd,
    TextDelta,
    ThinkingDelta,
    ToolBegin,
    ToolDelta,
    Used,
)
from watchkeeper.gateway.surfaces.messages.writing import MessagesWriter

GOLDEN = Path(__file__).parent / "golden"
BEGIN = Begin("msg_01", "claude-test-1")

STREAMS: dict[str, list[Event]] = {
    "plain": [
        BEGIN,
        Used(Usage(12)),
        TextDelta("The sky"),
        TextDelta(" is „blue“."),
        PartEnd(),
        Used(Usage(12, output_text=9)),
        Finish("end"),
        End(),
    ],
    "ping": [
        BEGIN,
        Used(Usage(12)),
        TextDelta("Still"),
        TextDelta(" here"),
        PartEnd(),
        Used(Usage(12, output_text=4)),
        Finish("stop_sequence", "###"),
        End(),
    ],
    "tools": [
        BEGIN,
        Used(Usage(300)),
        TextDelta("I will look."),
        PartEnd(),
        ToolBegin(0, "toolu_1", "weather"),
        ToolDelta(0, '{"city": "Li'),
        ToolDelta(0, 'sbon"}'),
        PartEnd(),
        ToolBegin(1, "toolu_2", "clock"),
        ToolDelta(1, "{}"),
        PartEnd(),
        ToolBegin(2, "toolu_3", "clock"),
        ToolDelta(2, '{"zone":"UTC"}'),
        PartEnd(),
        Used(Usage(300, output_text=61)),
        Finish("tool_use"),
        End(),
    ],
    "thinking": [
        BEGIN,
        Used(Usage(20)),
        ThinkingDelta("Two and"),
        ThinkingDelta(" two."),
        ThinkingDelta(signature="c2VhbA=="),
        PartEnd(),
        ThinkingDelta(redacted="aGlkZGVu"),
        PartEnd(),
        TextDelta("Four."),
        PartEnd(),
        Used(Usage(20, output_text=7, output_reasoning=33)),
        Finish("end"),
        End(),
    ],
    "error": [
        BEGIN,
        Used(Usage(12)),
        TextDelta("The"),
        Failed("capacity", "overloaded_error", "Overloaded"),
    ],
    "cumulative": [
        BEGIN,
        Used(Usage(5, 1000, 20, 30)),
        TextDelta("So far"),
        Used(Usage(5, 1000, 20, 30, output_text=10)),
        TextDelta(" so good"),
        PartEnd(),
        Used(Usage(7, 1000, 20, 30, output_text=25)),
        Finish("length"),
        End(),
    ],
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"messages_{name}.sse").read_bytes()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_stream_is_read(name: str, newline: bytes) -> None:
    assert AnthropicReader().read(golden(name).replace(b"\n", newline)) == STREAMS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_event_by_event(name: str) -> None:
    reader = AnthropicReader()
    pieces = [piece + b"\n\n" for piece in golden(name).split(b"\n\n") if piece]
    assert [event for piece in pieces for event in reader.read(piece)] == STREAMS[name]


def test_an_event_of_several_lines_is_one() -> None:
    assert AnthropicReader().read(b'data: {"type":\ndata:"message_stop"}\n\n') == [End()]


@pytest.mark.parametrize(
    ("error_type", "message", "error_class"),
    [
        ("overloaded_error", "x", "capacity"),
        ("rate_limit_error", "x", "rate_limit"),
        ("api_error", "x", "upstream_error"),
        ("timeout_error", "x", "timeout"),
        ("invalid_request_error", "x", "bad_request"),
        ("invalid_request_error", "prompt is too long", "context_length"),
        ("authentication_error", "x", "upstream_auth"),
        ("something_new", "x", "upstream_error"),
    ],
)
def test_an_error_in_a_stream_is_classified(error_type: str, message: str, error_class: str) -> None:
    event = b'data: {"type":"error","error":{"type":"%b","message":"%b"}}\n\n' % (error_type.encode(), message.encode())
    [failed] = AnthropicReader().read(event)
    assert failed == Failed(error_class, error_type, message)  # type: ignore[arg-type]  # one of the table above


def test_a_refusal_that_is_explained_says_why() -> None:
    event = b'data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"explanation":"No."}}}\n\n'
    assert AnthropicReader().read(event) == [DeclinedDelta("No."), Finish("declined")]


def test_a_block_that_was_not_asked_for_is_skipped_to_its_end() -> None:
    events = (
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s"}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
    )
    assert AnthropicReader().read(events) == []


def test_an_event_that_is_not_utf_8_is_skipped() -> None:
    start = b'data: {"type":"content_block_start","index":0,"content_block":'
    events = (
        start
        + b'{"type":"text","text":"\xff"}}\n\n'
        + start
        + b'{"type":"tool_use","id":"a","name":"f","input":"\xff"}}\n\n'
    )
    assert AnthropicReader().read(events) == []


def test_a_usage_that_cannot_be_read_is_no_usage() -> None:
    events = (
        b'data: {"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":"many"}}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":-1}}\n\n'
    )
    assert AnthropicReader().read(events) == [Begin("a", "m"), Finish("end")]


def written(*batches: list[Event]) -> str:
    writer = MessagesWriter(reply_id="msg_ours")
    return (b"".join([writer.write(batch) for batch in batches]) + writer.end()).decode()


def lines(stream: str) -> list[str]:
    """The data of every event between the start and the end of the message."""
    data = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [line.removeprefix('{"type":"content_block_').removesuffix("}") for line in data[1:-2]]


def test_a_stream_is_written() -> None:
    events: list[Event] = [
        BEGIN,
        TextDelta("Let me"),
        TextDelta(" see."),
        ToolBegin(0, "a", "f"),
        ToolDelta(0, '{"n":1}'),
        Finish("tool_use"),
        Used(Usage(12, output_text=9)),
    ]
    assert written(*[[event] for event in events]) == golden("written").decode()


def test_the_input_is_counted_at_the_start_where_it_is_known() -> None:
    first = written([BEGIN, Used(Usage(12, 7))]).splitlines()[1]
    assert '"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_' in first


def test_tools_that_take_turns_become_blocks_one_after_the_other() -> None:
    stream = written(
        [
            BEGIN,
            ToolBegin(0, "a", "f"),
            ToolBegin(1, "b", "g"),
            ToolDelta(0, '{"n":'),
            ToolDelta(1, '{"m":'),
            ToolBegin(2, "c", "h"),
            ToolDelta(0, "1}"),
            ToolDelta(1, "2}"),
            ToolDelta(2, '{"cut'),
            TextDelta("Done"),
            Finish("length"),
        ]
    )
    assert lines(stream) == [
        'start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}',
        'delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"n\\":"}',
        'delta","index":0,"delta":{"type":"input_json_delta","partial_json":"1}"}',
        'stop","index":0',
        'start","index":1,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}',
        'delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"m\\":"}',
        'delta","index":1,"delta":{"type":"input_json_delta","partial_json":"2}"}',
        'stop","index":1',
        'start","index":2,"content_block":{"type":"tool_use","id":"c","name":"h","input":{}}',
        'delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"cut"}',
        'stop","index":2',
        'start","index":3,"content_block":{"type":"text","text":""}',
        'delta","index":3,"delta":{"type":"text_delta","text":"Done"}',
        'stop","index":3',
    ]


def test_a_tool_is_closed_as_soon_as_the_next_begins_where_its_arguments_are_whole() -> None:
    """OpenAI does not mark a tool's end; the second one must not wait for the end of the stream."""
    writer = MessagesWriter(reply_id="msg_ours")
    writer.write([BEGIN, ToolBegin(0, "a", "f"), ToolDelta(0, '{"n":{}}')])
    piece = writer.write([ToolBegin(1, "b", "g")]).decode()
    assert [line for line in piece.splitlines() if line.startswith("event")] == [
        "event: content_block_stop",
        "event: content_block_start",
    ]


def test_a_tool_is_not_closed_where_its_arguments_only_look_whole() -> None:
    writer = MessagesWriter(reply_id="msg_ours")
    writer.write([BEGIN, ToolBegin(0, "a", "f"), ToolDelta(0, '{"n":{}')])
    assert writer.write([ToolBegin(1, "b", "g")]) == b""
    assert b"content_block_stop" not in writer.write([ToolDelta(0, ',"m":{}')])
    assert b"content_block_stop" in writer.write([ToolDelta(0, "} ")])


def test_what_follows_whole_arguments_is_not_part_of_them() -> None:
    events: list[Event] = [BEGIN, ToolBegin(0, "a", "f"), ToolDelta(0, "{}"), TextDelta("x"), ToolDelta(0, "\n")]
    assert "\\n" not in written(events)


def test_reasoning_and_its_seal_are_one_block_and_hidden_reasoning_its_own() -> None:
    stream = written(
        [BEGIN, ThinkingDelta("hm"), ThinkingDelta(signature="s"), ThinkingDelta(redacted="xyz"), TextDelta("Hi")]
    )
    assert lines(stream) == [
        'start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}',
        'delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}',
        'delta","index":0,"delta":{"type":"signature_delta","signature":"s"}',
        'stop","index":0',
        'start","index":1,"content_block":{"type":"redacted_thinking","data":"xyz"}',
        'stop","index":1',
        'start","index":2,"content_block":{"type":"text","text":""}',
        'delta","index":2,"delta":{"type":"text_delta","text":"Hi"}',
        'stop","index":2',
    ]


def test_parts_of_one_kind_are_blocks_of_their_own_where_their_end_is_marked() -> None:
    stream = written([BEGIN, TextDelta("a"), PartEnd(), TextDelta(""), PartEnd(), TextDelta("b"), PartEnd()])
    assert [line for line in lines(stream) if line.startswith("start")] == [
        'start","index":0,"content_block":{"type":"text","text":""}',
        'start","index":1,"content_block":{"type":"text","text":""}',
    ]


def test_a_refusal_is_a_block_of_text_and_its_reason_says_so() -> None:
    stream = written([BEGIN, TextDelta("Well, "), DeclinedDelta("no."), Finish("end")])
    assert [line for line in lines(stream) if line.startswith("delta")] == [
        'delta","index":0,"delta":{"type":"text_delta","text":"Well, "}',
        'delta","index":1,"delta":{"type":"text_delta","text":"no."}',
    ]
    assert '"stop_reason":"refusal"' in stream


def test_an_answer_without_a_word_is_a_message_all_the_same() -> None:
    names = [line for line in written().splitlines() if line.startswith("event")]
    assert names == ["event: message_start", "event: message_delta", "event: message_stop"]
