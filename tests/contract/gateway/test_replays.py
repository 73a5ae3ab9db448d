"""What the keeper repeats is a call like any other, for the same people; nobody else can say that a call is one."""

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.access.keys import public_id_of
from watchkeeper.access.own_keys import REPLAY_KEY_ID, own_key
from watchkeeper.core.call import Call

ORIGINAL = "01M7ZJ93DCNGJEBCX44SGV75T3"
SUBJECT = "sub_" + "0123456789abcdef" * 2


def ask(gateway: Gateway, key: str, **headers: str) -> Call:
    reply = httpx.post(
        f"{gateway.base_url}/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one two three"}]},
        headers={"authorization": f"Bearer {key}"} | {name.replace("_", "-"): text for name, text in headers.items()},
    )
    return gateway.call(reply.headers["x-wk-call-id"])


def test_a_replay_is_marked_and_belongs_to_whom_the_original_did(gateway: Gateway) -> None:
    call = ask(
        gateway,
        gateway.keys["keeper"].key,
        x_wk_feature="support",
        x_wk_tenant="acme",
        x_wk_environment="staging",
        x_wk_replay_of=ORIGINAL,
        x_wk_replay_subject=SUBJECT,
        x_wk_tags="cent",
    )
    assert (call.origin, call.origin_call) == ("replay", ORIGINAL)
    assert (call.feature, call.tenant, call.environment, call.subject) == ("support", "acme", "staging", SUBJECT)
    assert call.key_id == REPLAY_KEY_ID
    assert [charge.rule for charge in call.charges] == ["cent"]


def test_a_case_of_a_suite_is_marked_by_the_key_it_is_asked_with(gateway: Gateway) -> None:
    call = ask(gateway, gateway.keys["evals"].key, x_wk_feature="support", x_wk_replay_of=ORIGINAL)
    assert (call.origin, call.origin_call, call.feature) == ("eval", "", "support")


@pytest.mark.parametrize("key", ["plain", "acme"])
def test_no_other_key_can_say_that_its_call_is_a_replay(gateway: Gateway, key: str) -> None:
    call = ask(gateway, gateway.keys[key].key, x_wk_replay_of=ORIGINAL, x_wk_replay_subject=SUBJECT)
    assert (call.origin, call.origin_call, call.subject) == ("client", "", "")


@pytest.mark.parametrize(("of", "subject"), [("", ""), ("nonsense", "ana@example.com"), ("0" * 25, "sub_xyz")])
def test_what_has_not_the_form_of_an_id_or_a_pseudonym_is_not_written_down(
    gateway: Gateway, of: str, subject: str
) -> None:
    call = ask(gateway, gateway.keys["keeper"].key, x_wk_replay_of=of, x_wk_replay_subject=subject)
    assert (call.origin, call.origin_call, call.subject) == ("replay", "", "")


def test_the_key_has_the_form_of_a_key_and_follows_from_the_secret() -> None:
    assert public_id_of(own_key(REPLAY_KEY_ID, b"1" * 32)) == REPLAY_KEY_ID
    assert own_key(REPLAY_KEY_ID, b"1" * 32) == own_key(REPLAY_KEY_ID, b"1" * 32)
    assert len({own_key(REPLAY_KEY_ID, bytes([number]) * 32) for number in range(256)}) == 256
