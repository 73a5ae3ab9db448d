"""For whom a call is made: our headers, and those that clients of other gateways already send."""

import httpx
import msgspec
import pytest
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.core.call import Call, Hit

ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def recorded(gateway: Gateway, http: httpx.Client, headers: dict[str, str], **more: str) -> Call:
    reply = http.post("/chat/completions", json={**ASKED, **more}, headers=headers)
    assert reply.status_code == 200, reply.text
    return gateway.call(reply.headers["x-wk-call-id"])


def test_our_own_headers_say_it_all(gateway: Gateway, http: httpx.Client) -> None:
    headers = {
        "x-wk-feature": "search",
        "x-wk-tenant": "acme",
        "x-wk-subject": "ana",
        "x-wk-session": "s-1",
        "x-wk-tags": "beta, europe ,",
        "x-wk-meta-plan": "gold",
        "traceparent": f"00-{TRACE}-{SPAN}-01",
    }
    call = recorded(gateway, http, headers)
    assert (call.feature, call.tenant, call.session) == ("search", "acme", "s-1")
    assert call.subject == gateway.pseudonym("acme", "ana")
    assert call.tags == ["beta", "europe"]
    assert call.metadata == {"plan": "gold"}
    assert (call.trace_id, call.parent_span_id) == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("said", "milli"),
    [("2", 2_000), ("0.5", 500), ("1.25", 1_250), ("0", 0), ("999999999.999", 999_999_999_999)],
)
def test_the_units_of_value_that_a_client_names_are_recorded(
    gateway: Gateway, http: httpx.Client, said: str, milli: int
) -> None:
    assert recorded(gateway, http, {"x-wk-value": said}).value_milli == milli


@pytest.mark.parametrize("said", ["", "-1", "1e3", "NaN", "0x2", "1,5", "1.2345", "9999999999", "two", ".5", "1."])
def test_units_of_value_that_are_no_plain_number_are_left_out(gateway: Gateway, http: httpx.Client, said: str) -> None:
    assert recorded(gateway, http, {"x-wk-value": said}).value_milli is None


@pytest.mark.parametrize(
    ("said", "hits"),
    [
        ("kb/returns.md@3f2a;score=0.81, kb/a/b.md ,alone", [
            Hit("kb", "returns.md", "3f2a", 0.81), Hit("kb", "a/b.md"), Hit("", "alone"),
        ]),
        ("kb/a%2Cb%40c%3Bd.md;score=1e-3", [Hit("kb", "a,b@c;d.md", "", 0.001)]),
        ('[{"collection": "kb", "document": "g\\u00fc.md", "version": "1", "score": 2, "no": []}, {"document": "d"}]', [
            Hit("kb", "gü.md", "1", 2.0), Hit("", "d"),
        ]),
        (",;, kb/ , kb/x;score=abc, kb/x;score=nan, kb/y;score=", []),
        ('[{"document": ""}, 7, null, {"document": "d", "score": "high"}, {"document": "e"}]', [Hit("", "e")]),
        ('[{"collection": "kb"}]', []),
        ("[" * 5_000, []),
        ("", []),
    ],
)  # fmt: skip
def test_the_documents_that_an_application_has_found_are_recorded(
    gateway: Gateway, http: httpx.Client, said: str, hits: list[Hit]
) -> None:
    call = recorded(gateway, http, {"x-wk-hits": said})
    assert call.hits == hits
    assert dict(call.request_headers)[b"x-wk-hits"] == said.encode()


def test_hits_are_bounded(gateway: Gateway, http: httpx.Client) -> None:
    call = recorded(gateway, http, {"x-wk-hits": ",".join(["k" * 300 + "/" + "d" * 600 + "@" + "v" * 300] * 40)})
    assert call.hits == [Hit("k" * 200, "d" * 500, "v" * 200)] * 40
    assert len(recorded(gateway, http, {"x-wk-hits": ",".join(["k/d"] * 60)}).hits) == 50


def test_without_headers_the_key_says_it(gateway: Gateway, http: httpx.Client) -> None:
    call = recorded(gateway, http, {})
    assert (call.feature, call.tenant, call.subject) == ("support", "", "")
    assert call.key_id == gateway.keys["plain"].public_id


@pytest.mark.parametrize(
    "header",
    [
        "x-litellm-end-user-id",
        "x-litellm-customer-id",
        "helicone-user-id",
        "x-bf-customer-id",
        "x-wk-subject",
    ],
)
def test_a_persons_name_is_found_under_each_alias_and_kept_as_a_pseudonym(
    gateway: Gateway, http: httpx.Client, header: str
) -> None:
    call = recorded(gateway, http, {header: "ana@example.com"})
    assert call.subject == gateway.pseudonym("", "ana@example.com")
    assert "ana@example.com" not in call.subject


def test_portkeys_metadata_names_the_person_and_the_rest(gateway: Gateway, http: httpx.Client) -> None:
    call = recorded(gateway, http, {"x-portkey-metadata": '{"_user": "ana", "team": "blue", "seat": 4}'})
    assert call.subject == gateway.pseudonym("", "ana")
    assert call.metadata == {"team": "blue", "seat": "4"}


def test_the_bodys_user_counts_when_no_header_names_one(gateway: Gateway, http: httpx.Client) -> None:
    assert recorded(gateway, http, {}, user="ana").subject == gateway.pseudonym("", "ana")
    assert recorded(gateway, http, {"x-wk-subject": "ben"}, user="ana").subject == gateway.pseudonym("", "ben")


@pytest.mark.parametrize(
    "header",
    ["x-wk-session", "x-litellm-session-id", "x-litellm-trace-id", "x-portkey-trace-id", "helicone-session-id"],
)
def test_a_session_is_found_under_each_alias(gateway: Gateway, http: httpx.Client, header: str) -> None:
    assert recorded(gateway, http, {header: "s-9"}).session == "s-9"


@pytest.mark.parametrize(
    ("headers", "metadata"),
    [
        ({"helicone-property-plan": "gold"}, {"plan": "gold"}),
        ({"x-bf-dim-plan": "gold"}, {"plan": "gold"}),
        ({"x-litellm-spend-logs-metadata": '{"plan": "gold"}'}, {"plan": "gold"}),
        ({"x-portkey-metadata": "{not json"}, {}),
        ({"x-portkey-metadata": "[1]"}, {}),
    ],
)
def test_metadata_is_found_under_each_alias(
    gateway: Gateway, http: httpx.Client, headers: dict[str, str], metadata: dict[str, str]
) -> None:
    assert recorded(gateway, http, headers).metadata == metadata


def test_tags_of_both_kinds_are_kept(gateway: Gateway, http: httpx.Client) -> None:
    call = recorded(gateway, http, {"x-wk-tags": "a,b", "x-litellm-tags": "c"})
    assert sorted(call.tags) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "alias", ["x-litellm-end-user-id", "helicone-user-id", "x-bf-customer-id"], ids=lambda name: f"over {name}"
)
def test_our_own_header_wins_over_an_alias(gateway: Gateway, http: httpx.Client, alias: str) -> None:
    call = recorded(gateway, http, {"x-wk-subject": "ours", alias: "theirs"})
    assert call.subject == gateway.pseudonym("", "ours")


def test_the_same_name_is_another_person_at_another_tenant(gateway: Gateway, http: httpx.Client) -> None:
    subjects = {
        recorded(gateway, http, {"x-wk-tenant": tenant, "x-wk-subject": "ana"}).subject for tenant in ("acme", "blue")
    }
    assert len(subjects) == 2


def test_names_beyond_latin_are_understood(gateway: Gateway, http: httpx.Client) -> None:
    assert recorded(gateway, http, {"x-wk-session": "%E6%BC%A2%E5%AD%97"}).session == "漢字"


@pytest.mark.parametrize(
    "traceparent",
    ["", "00-xyz", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'g' * 16}-01", f"00-{TRACE[:-1]}-{SPAN}-01", "-" * 60],
)
def test_a_malformed_traceparent_is_left_out(gateway: Gateway, http: httpx.Client, traceparent: str) -> None:
    call = recorded(gateway, http, {"traceparent": traceparent})
    assert (call.trace_id, call.parent_span_id) == ("", "")


def test_what_a_record_keeps_of_attribution_is_bounded(gateway: Gateway, http: httpx.Client) -> None:
    headers = {f"x-wk-meta-n{number}": "v" * 300 for number in range(60)}
    call = recorded(gateway, http, {**headers, "x-wk-tags": ",".join(f"t{number}" for number in range(60))})
    assert (len(call.metadata), len(call.tags)) == (32, 32)
    assert {len(value) for value in call.metadata.values()} == {200}


def test_a_key_bound_to_a_tenant_lends_itself_to_no_other(gateway: Gateway, http: httpx.Client) -> None:
    bound = {"authorization": f"Bearer {gateway.keys['acme'].key}"}
    assert recorded(gateway, http, bound).tenant == "acme"
    assert recorded(gateway, http, {**bound, "x-wk-tenant": "acme"}).tenant == "acme"
    refused = http.post("/chat/completions", json=ASKED, headers={**bound, "x-wk-tenant": "blue"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "tenant_mismatch")
    call = gateway.call(refused.headers["x-wk-call-id"])
    assert (call.status, call.tenant, call.attempts) == ("error", "acme", [])


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"])
def test_a_key_is_taken_from_each_of_its_places(gateway: Gateway, header: str) -> None:
    value = f"Bearer {gateway.key}" if header == "authorization" else gateway.key
    reply = httpx.post(f"{gateway.base_url}/chat/completions", json=ASKED, headers={header: value})
    assert reply.status_code == 200


def test_a_record_keeps_headers_but_no_credential(gateway: Gateway, http: httpx.Client) -> None:
    secret = {
        "cookie": "c=fake-cookie",
        "x-api-key": "fake-key",
        "helicone-auth": "Bearer fake-auth",
        "x-portkey-api-key": "fake-key-of-another",
        "x-goog-api-key": "fake-key-of-a-third",
        "x-session-token": "fake-token",
    }
    call = recorded(gateway, http, {**secret, "x-odd": "kept"})
    written = repr(call.request_headers)
    assert (b"x-odd", b"kept") in call.request_headers
    assert not any(word in written for word in ("fake-cookie", "fake-key", "fake-auth", "fake-token", gateway.key))


@pytest.mark.parametrize("name", ["x-wk-subject", "x-litellm-end-user-id", "helicone-user-id", "x-bf-customer-id"])
def test_a_record_names_no_person(gateway: Gateway, http: httpx.Client, name: str) -> None:
    call = recorded(gateway, http, {name: "ana@example.com"})
    assert call.subject == gateway.pseudonym("", "ana@example.com")
    assert b"ana@example.com" not in msgspec.msgpack.encode(call)


def test_a_person_in_another_gateways_metadata_is_recorded_as_a_pseudonym(gateway: Gateway, http: httpx.Client) -> None:
    call = recorded(gateway, http, {"x-portkey-metadata": '{"_user": "ana@example.com", "team": "blue", "n": 7}'})
    assert (call.subject, call.metadata) == (gateway.pseudonym("", "ana@example.com"), {"team": "blue", "n": "7"})
    assert b"ana@example.com" not in msgspec.msgpack.encode(call)


@pytest.mark.parametrize("hostile", ['{"a": "\\ud800"}', '{"_user": "\\ud800"}', "[" * 7_000, '{"a":' * 1_000, "[1]"])
def test_metadata_that_is_no_text_is_left_out_and_the_call_recorded(
    gateway: Gateway, http: httpx.Client, hostile: str
) -> None:
    call = recorded(gateway, http, {"x-portkey-metadata": hostile})
    assert (call.status, call.metadata, call.subject) == ("ok", {}, "")
    msgspec.msgpack.encode(call)
