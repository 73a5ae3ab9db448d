"""Feedback under a key: what is taken, written down and answered, and in which words the rest is refused."""

from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway

CALL = "01JBCDEFGHJKMNPQRSTVWXYZ00"


@pytest.fixture(autouse=True)
def _nothing_yet(gateway: Gateway) -> None:
    gateway.recorder.feedback.clear()


def test_feedback_is_written_down_before_it_is_answered(http: httpx.Client, gateway: Gateway) -> None:
    said = {
        "call_id": CALL, "id": "f1", "name": "thumbs", "score": 1, "label": "up", "comment": "Danke ü", "value": 1.5,
    }  # fmt: skip
    reply = http.post("/feedback", json=said)
    assert (reply.status_code, reply.json()) == (202, {"id": "f1", "status": "accepted"})
    (event,) = gateway.recorder.feedback
    assert (event.call_id, event.id, event.name, event.score, event.label, event.comment, event.value_milli) == (
        CALL, "f1", "thumbs", 1.0, "up", "Danke ü", 1500,
    )  # fmt: skip
    assert (event.key_id, event.feature, event.tenant, event.session) == (
        gateway.keys["plain"].public_id, "support", "", "",
    )  # fmt: skip
    assert event.received_ns > 0 and len(event.entry) == 26


def test_without_an_id_one_is_made_up_and_told(http: httpx.Client, gateway: Gateway) -> None:
    first = http.post("/feedback", json={"session": "s1", "label": "down"}).json()
    second = http.post("/feedback", json={"session": "s1", "label": "down"}).json()
    assert [event.id for event in gateway.recorder.feedback] == [first["id"], second["id"]]
    assert first["id"] != second["id"]


def test_a_key_of_a_tenant_speaks_as_that_tenant(http: httpx.Client, gateway: Gateway) -> None:
    key = gateway.keys["acme"].key
    http.post("/feedback", json={"session": "s", "score": 0}, headers={"authorization": f"Bearer {key}"})
    assert gateway.recorder.feedback[0].tenant == "acme"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"score": 1}, "Say on what"),
        ({"score": 1, "call_id": CALL, "session": "s"}, "Say on what"),
        ({"score": 1, "call_id": "nonsense"}, "not the id of a call"),
        ({"call_id": CALL}, "Say something"),
        ({"call_id": CALL, "score": 1.01}, "<= 1"),
        ({"call_id": CALL, "score": -0.1}, ">= 0"),
        ({"call_id": CALL, "score": "1"}, "Expected `float | null`"),
        ({"call_id": CALL, "score": 1, "stars": 5}, "unknown field `stars`"),
        ({"call_id": CALL, "name": "", "score": 1}, "name"),
        ({"call_id": CALL, "comment": "x" * 2_001}, "<= 2000"),
        ({"call_id": CALL, "comment": "x" * 40_000}, "32 KiB"),
        ({"call_id": CALL, "value": 0}, "other than 0"),
        ({"call_id": CALL, "value": "1.2345"}, "three decimals"),
        ({"call_id": CALL, "value": "1e9"}, "three decimals"),
        ([], "Expected `object`"),
    ],
)
def test_what_is_no_feedback_is_refused(http: httpx.Client, gateway: Gateway, said: Any, why: str) -> None:
    reply = http.post("/feedback", json=said)
    assert reply.status_code == 400, reply.text
    assert why in reply.json()["error"]["message"]
    assert gateway.recorder.feedback == []


@pytest.mark.parametrize("body", [b"", b"\xff", b'{"score": NaN, "session": "s"}', b"[" * 10_000])
def test_broken_bodies_are_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post("/feedback", content=body).status_code == 400


def test_strangers_and_other_methods_are_refused(http: httpx.Client, gateway: Gateway) -> None:
    revoked = {"authorization": f"Bearer {gateway.keys['revoked'].key}"}
    assert http.post("/feedback", json={"session": "s", "score": 1}, headers=revoked).status_code == 401
    assert http.post("/feedback", json={"session": "s", "score": 1}, headers={"authorization": ""}).status_code == 401
    assert http.get("/feedback").status_code == 405
    assert gateway.recorder.feedback == []
