"""A native Responses reply is passed on unread, and yet what it used and how it ended is known."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.openai.responses import ResponsesStream, read
from watchkeeper.gateway.outcome import Failure
from watchkeeper.money.usage import from_responses

GOLDEN = Path(__file__).parent / "golden"
MODEL = "gpt-5-mini-2025-08-07"
USED = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 90,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 210,
}


def stream(name: str) -> bytes:
    return (GOLDEN / f"responses_native_{name}.txt").read_bytes()


def scanned(*groups: bytes) -> ResponsesStream:
    scanner = ResponsesStream(True)
    for group in groups:
        scanner.feed(group)
    return scanner


def events_of(whole: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in whole.split(b"\n\n") if event]


def outcome(scanner: ResponsesStream) -> tuple[object, ...]:
    return scanner.usage, scanner.usage_raw, scanner.model, scanner.is_done, scanner.failure


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (USED, Usage(56, 64, output_text=26, output_reasoning=64)),
        ({"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}, Usage(10, output_text=4)),
        (
            {"input_tokens": 10, "input_tokens_details": None, "output_tokens": 0, "output_tokens_details": None},
            Usage(10),
        ),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30},
                "output_tokens": 1,
            },
            Usage(50, 20, 30, output_text=1),
        ),
        (  # a part larger than its total
            {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 9}, "output_tokens": 1},
            Usage(0, 3, output_text=1),
        ),
        ({"output_tokens": 4, "cost": 0.2}, None),
    ],
)
def test_every_token_of_a_response_is_counted_once(reported: object, usage: Usage | None) -> None:
    assert from_responses(json.dumps(reported).encode()) == usage


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"prompt_tokens":3,"completion_tokens":4}',
        b'{"input_tokens":-1}',
        b'{"input_tokens":{}}',
        b'{"input_tokens":9999999999}',
        b"\xff",
    ],
)
def test_a_usage_that_cannot_be_read_is_unknown_and_not_zero(raw: bytes) -> None:
    assert from_responses(raw) is None


@pytest.mark.parametrize(
    ("name", "usage", "error_class", "code"),
    [
        ("completed", Usage(56, 64, output_text=26, output_reasoning=64), None, None),
        ("incomplete", Usage(12, output_text=16), None, None),
        ("failed", None, "upstream_error", "server_error"),
        ("error", None, "rate_limit", "insufficient_quota"),
    ],
)
def test_a_streams_end_says_what_was_used_and_whether_it_failed(
    name: str, usage: Usage | None, error_class: ErrorClass | None, code: str | None
) -> None:
    scanner = scanned(*events_of(stream(name)))
    assert scanner.is_done
    assert scanner.model == MODEL
    assert scanner.usage == usage
    assert from_responses(scanner.usage_raw) == usage
    failure = scanner.failure
    assert (failure and failure.error_class, failure and failure.code) == (error_class, code)


@pytest.mark.parametrize("name", ["completed", "incomplete", "failed", "error"])
@given(data=st.data())
def test_it_does_not_matter_how_events_are_grouped(name: str, data: st.DataObject) -> None:
    events = events_of(stream(name))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1))))
    groups = [b"".join(events[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert outcome(scanned(*groups)) == outcome(scanned(*events))


@pytest.mark.parametrize("name", ["completed", "incomplete", "failed", "error"])
def test_lines_may_end_in_cr_lf(name: str) -> None:
    whole = stream(name)
    assert outcome(scanned(whole.replace(b"\n", b"\r\n"))) == outcome(scanned(whole))


@pytest.mark.parametrize("name", ["completed", "incomplete", "failed", "error"])
def test_a_stream_that_is_cut_before_its_last_event_is_not_done(name: str) -> None:
    endings = (b"event: error", b"event: response.completed", b"event: response.incomplete", b"event: response.failed")
    before = [event for event in events_of(stream(name)) if not event.startswith(endings)]
    scanner = scanned(*before)
    assert outcome(scanner) == (None, b"", "", False, None)


def test_the_name_of_an_event_may_stand_in_its_data_alone() -> None:
    whole = b"".join(event.partition(b"\n")[2] for event in events_of(stream("completed")))
    assert outcome(scanned(whole)) == outcome(scanned(stream("completed")))


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        (b'{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null}', "rate_limit_exceeded", "slow"),
        (b'{"type":"error","code":429,"message":"slow"}', "429", "slow"),
        (b'{"type":"error","error":{"type":"server_error","message":"m"}}', "server_error", "m"),
        (b'{"error":{"code":"stream_cut","message":"cut"}}', "stream_cut", "cut"),
        (b'{"type":"error","error":"in words"}', None, "in words"),
        (b'{"type":"error"}', None, "The response failed without a message"),
        (b'{"type":"response.failed","response":{"error":{"code":7,"message":[]}}}', None, "The response failed"),
    ],
)
def test_an_error_is_read_in_every_form_it_is_sent_in(event: bytes, code: str | None, message: str) -> None:
    scanner = scanned(b"data: " + event + b"\n\n")
    assert scanner.is_done
    assert scanner.failure is not None
    assert scanner.failure.code == code
    assert scanner.failure.message.startswith(message)


def test_a_failure_after_an_error_does_not_take_its_message_away() -> None:
    failed = (
        b'data: {"type":"response.failed","response":{"error":null,"usage":{"input_tokens":3,"output_tokens":0}}}\n\n'
    )
    scanner = scanned(b'data: {"type":"error","code":"slow_down","message":"busy"}\n\n', failed)
    assert scanner.failure is not None
    assert (scanner.failure.error_class, scanner.failure.message) == ("capacity", "busy")
    assert scanner.failure.usage == Usage(3)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"type":"response.completed","response":\n\n',
        b'data: {"type":"response.completed","response":{"usage":{}}',
        b'data: {"type":7,"response":{}}\n\n',
        b'event: response.completed\ndata: "response"\n\n',
        b': a comment about "error"\n\n',
        b'data: {"type":"response.queued","response":{"usage":{"input_tokens":1}}}\n\n',
    ],
)
def test_what_cannot_be_read_ends_nothing(event: bytes) -> None:
    assert outcome(scanned(event)) == (None, b"", "", False, None)


def test_usage_that_is_null_is_not_used() -> None:
    scanner = scanned(b'data: {"type":"response.completed","response":{"model":"m","usage":null}}\n\n')
    assert outcome(scanner) == (None, b"", "m", True, None)


@pytest.mark.parametrize(
    ("body", "has_usage", "code"),
    [
        ({"model": "m", "status": "completed", "output": [{}], "usage": USED, "error": None}, True, None),
        ({"model": "m", "status": "incomplete", "output": [], "usage": None}, False, None),
        ({"model": "m", "error": {"code": "invalid_prompt"}, "output": []}, False, "invalid_prompt"),
        ({"model": "m", "status": "failed"}, False, None),
        ({"model": "m", "choices": [{}]}, False, "no_output"),
        ({"model": "m", "output": {}}, False, "no_output"),
    ],
)
def test_a_plain_reply_says_whether_it_is_an_answer(body: dict[str, object], has_usage: bool, code: str | None) -> None:
    found = read(200, json.dumps(body).encode())
    assert (found.usage is not None) is has_usage
    if isinstance(found, Failure):
        assert found.code == code
        assert "output" not in body or code
    else:
        assert (found.model, code) == ("m", None)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"model":7}'])
def test_a_plain_reply_that_is_no_response_object_cannot_be_read(body: bytes) -> None:
    found = read(200, body)
    assert isinstance(found, Failure)
    assert found.code == "not_json"
