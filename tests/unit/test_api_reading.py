"""What people and upstreams may write, the control API can read or refuse; nothing makes it fail."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.encoders import jsonable_encoder
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from watchkeeper.api.bodies import readable
from watchkeeper.api.filters import CallQuery, read_moment

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANY_JSON = TypeAdapter[object](object)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        (" ", None),
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        (" 1h ", NOW - timedelta(hours=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("999999999w", NOW - timedelta(days=36_500)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T14:05", datetime(2026, 1, 30, 14, 5, tzinfo=UTC)),
        ("2026-01-30T14:05+02:00", datetime(2026, 1, 30, 12, 5, tzinfo=UTC)),
        ("2026-01-30T14:05Z", datetime(2026, 1, 30, 14, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, moment: datetime | None) -> None:
    assert read_moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["soon", "-1h", "1.5h", "1y", "9999999999s", "2026-02-30", "0001-01-01T00:00+14:00", "1h\x00"]
)
def test_a_time_that_is_none_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="1h or 7d"):
        read_moment(text, NOW)


@given(st.text(max_size=40))
def test_no_text_makes_reading_a_time_fail_otherwise(text: str) -> None:
    try:
        found = read_moment(text, NOW)
    except ValueError:
        return
    assert found is None or found.tzinfo is UTC


@given(
    st.binary(max_size=200) | st.recursive(st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_every_body_can_be_written_again_as_json(body: bytes) -> None:
    shown = readable(body)
    assert json.loads(ANY_JSON.dump_json(shown)) == jsonable_encoder(shown)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", None),
        (b'{"a":1}', {"a": 1}),
        (b"data: {}\n\n", "data: {}\n\n"),
        (b"\xff", {"base64": "/w=="}),
        (b"NaN", "NaN"),
        (b'"\\ud800"', '"\\ud800"'),
        (b"[" * 101 + b"]" * 101, "[" * 101 + "]" * 101),
        (b"1e999", "1e999"),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    ],
)
def test_a_body_is_shown_in_the_most_readable_form_that_can_be_written(body: bytes, shown: object) -> None:
    assert readable(body) == shown


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"origin": "ghost"}, "client, shadow, replay"),
        ({"output_status": "fine"}, "ok, repaired, failed"),
        ({"release": "x" * 201}, "200"),
    ],
)
def test_what_no_call_can_be_is_refused_with_what_it_can_be(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CallQuery.model_validate(wrong)
