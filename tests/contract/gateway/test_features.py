"""A client names a feature; which prompt, model and parameters that means is the release's business."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import call_of, said

from watchkeeper.releases.recipe import Block, Limits, Message, Recipe, Tool, block_id
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.testing import Reply, Upstream

TONE = "Be kind to {{ company }}."
SUPPORT = Recipe(
    feature="support",
    model="gpt-4o-mini",
    messages=(
        Message("system", "You answer for {{ company }}, in {{ language }}. {% include 'tone' %}"),
        Message("conversation"),
        Message("user", "{{ question }}"),
    ),
    variables={
        "company": {"type": "string"},
        "language": {"type": "string", "default": "English"},
        "question": {"type": "string"},
    },
    parameters={"temperature": 0, "max_tokens": 200},
    tools=(Tool("refund", {"type": "object", "properties": {"order": {"type": "string"}}}, "Pays back."),),
    blocks={"tone": Block(block_id(TONE), TONE)},
)
VARIABLES = {"company": "Acme", "question": "Where is my order?"}
RENDERED = [
    {"role": "system", "content": "You answer for Acme, in English. Be kind to Acme."},
    {"role": "user", "content": "Where is my order?"},
]


@pytest.fixture
def release(gateway: Gateway) -> Iterator[str]:
    yield gateway.push(SUPPORT)
    gateway.features.follow(type(gateway.features.live)(0, {}))


def ask(http: httpx.Client, model: str = "feature/support", **fields: Any) -> httpx.Response:
    headers = fields.pop("headers", {})
    return http.post("/chat/completions", json={"model": model, "variables": VARIABLES, **fields}, headers=headers)


def test_a_call_of_a_feature_is_the_call_that_its_release_describes(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, release: str
) -> None:
    upstream.always(Reply("On its way."))
    reply = ask(http)
    assert said(reply) == "On its way."
    sent = upstream.received[-1].json
    assert sent["messages"] == RENDERED
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("gpt-4o-mini", 0, 200)
    assert sent["tools"][0]["function"]["name"] == "refund"
    assert "variables" not in sent
    call = call_of(gateway, reply)
    assert (call.feature, call.environment, call.release, call.route) == (
        "support", "production", release, "gpt-4o-mini",
    )  # fmt: skip
    assert json.loads(call.request_body)["variables"] == VARIABLES
    assert json.loads(call.sent_body or b"{}")["messages"] == RENDERED
    assert reply.headers["x-wk-release"] == release


def test_the_official_client_asks_with_an_extra_field(client: OpenAI, upstream: Upstream, release: str) -> None:
    upstream.always(Reply("one two three"))
    chunks = client.chat.completions.create(
        model="feature/support", messages=[], stream=True, extra_body={"variables": VARIABLES}
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    assert upstream.received[-1].json["messages"] == RENDERED


def test_what_was_said_before_stands_where_the_release_wants_it(
    http: httpx.Client, upstream: Upstream, release: str
) -> None:
    said_before = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi {{ question }}"}]
    ask(http, messages=said_before)
    assert upstream.received[-1].json["messages"] == [RENDERED[0], *said_before, RENDERED[1]]


def test_anthropics_client_asks_the_same_feature(
    gateway: Gateway, claude: Anthropic, upstream: Upstream, release: str
) -> None:
    upstream.always(Reply("On its way."))
    reply = claude.messages.create(
        model="feature/support",
        max_tokens=50,
        messages=[{"role": "user", "content": "Hello"}],
        extra_body={"variables": VARIABLES},
    )
    assert reply.content[0].text == "On its way."  # type: ignore[union-attr]  # the scripted reply is text
    sent = upstream.received[-1].json
    assert sent["max_tokens"] == 50
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "user"]
    with claude.messages.stream(
        model="feature/support", max_tokens=9_000, messages=[], extra_body={"variables": VARIABLES}
    ) as stream:
        assert stream.get_final_message().content[0].text == "On its way."  # type: ignore[union-attr]
    assert upstream.received[-1].json["max_tokens"] == 200
    assert gateway.last_call().usage_status == "measured"


def test_a_release_on_a_model_of_another_dialect_is_the_same_release(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(Recipe(**{name: getattr(SUPPORT, name) for name in SUPPORT.__struct_fields__} | {"model": "sonnet"}))
    upstream.always(Reply("On its way."))
    assert said(ask(http)) == "On its way."
    sent = upstream.received[-1].json
    assert sent["system"] == RENDERED[0]["content"] or sent["system"][0]["text"] == RENDERED[0]["content"]
    assert sent["messages"][0]["role"] == "user"


def test_the_responses_api_asks_the_same_feature(client: OpenAI, upstream: Upstream, release: str) -> None:
    upstream.always(Reply("On its way."))
    reply = client.responses.create(model="feature/support", input="Hello", extra_body={"variables": VARIABLES})
    assert reply.output_text == "On its way."
    assert upstream.received[-1].json["messages"][1] == {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"variables": {"company": "Acme"}}, "variables.question", "The variable `question` is missing"),
        ({"variables": {**VARIABLES, "company": 4}}, "variables.company", 'is not of type "string"'),
        ({"variables": {**VARIABLES, "x": 4}}, "variables.x", "There is no variable `x`"),
        ({"variables": [1]}, "variables", "must be a JSON object"),
        ({"temperature": 1}, "temperature", "`temperature` is decided by release"),
        ({"tools": []}, "tools", "`tools` is decided by release"),
        ({"top_p": 0.5}, "top_p", "`top_p` is decided by release"),
        ({"max_tokens": "many"}, "max_tokens", "must be a whole number"),
        ({"max_tokens": -1}, "max_tokens", "must be at least 1"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
            "messages[1].role",
            "is decided by the release",
        ),
        ({"messages": [{"role": "developer", "content": "b"}]}, "messages[0].role", "is decided by the release"),
        ({"messages": {"role": "user"}}, "messages", "must be an array"),
    ],
)
def test_what_does_not_fit_is_a_400_that_names_it(
    http: httpx.Client, upstream: Upstream, release: str, fields: dict[str, Any], param: str, told: str
) -> None:
    reply = ask(http, **fields)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["param"] == param
    assert told in error["message"]
    assert upstream.received == []


def test_what_the_client_repeats_of_its_release_is_no_contradiction(http: httpx.Client, release: str) -> None:
    assert ask(http, temperature=0, user="u-1", metadata={"a": "b"}).status_code == 200


def test_variables_may_come_in_a_header(http: httpx.Client, upstream: Upstream, release: str) -> None:
    headers = {"x-wk-variables": json.dumps(VARIABLES)}
    reply = http.post("/chat/completions", json={"model": "feature/support"}, headers=headers)
    assert reply.status_code == 200
    assert upstream.received[-1].json["messages"] == RENDERED


def test_a_name_may_say_the_environment_or_the_release(gateway: Gateway, http: httpx.Client, release: str) -> None:
    changed = Recipe(**{name: getattr(SUPPORT, name) for name in SUPPORT.__struct_fields__} | {"parameters": {}})
    other = gateway.push(changed, environment="staging")
    staged = call_of(gateway, ask(http, "feature/support@staging"))
    assert (staged.environment, staged.release) == ("staging", other)
    pinned = call_of(gateway, ask(http, f"feature/support@{other}"))
    assert (pinned.environment, pinned.release, pinned.rollout) == ("", other, "")
    assert call_of(gateway, ask(http)).release == release


@pytest.mark.parametrize(
    ("model", "code", "told"),
    [
        ("feature/nothing", "feature_not_live", "serves nothing in production"),
        ("feature/support@nowhere", "feature_not_live", "It serves in production"),
        ("feature/support@wk1-abc", "release_not_found", "There is no release wk1-abc"),
        ("feature/other@{release}", "release_not_found", "of the feature `other`"),
        ("feature/", "feature_not_live", ""),
        ("feature/../../etc", "feature_not_live", ""),
    ],
)
def test_what_is_not_there_is_a_404_that_says_what_is(
    http: httpx.Client, release: str, model: str, code: str, told: str
) -> None:
    reply = ask(http, model.format(release=release))
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, code)
    assert told in reply.json()["error"]["message"]


def test_what_is_live_is_listed_among_the_models(client: OpenAI, release: str) -> None:
    assert "feature/support" in [model.id for model in client.models.list()]
    assert client.models.retrieve("feature/support").id == "feature/support"


def test_a_name_that_leads_nowhere_is_nobodys_feature(gateway: Gateway, http: httpx.Client, release: str) -> None:
    reply = ask(http, "feature/" + "x" * 100_000 + "@" + "y" * 100_000)
    assert reply.status_code == 404
    assert len(reply.content) < 2_000
    call = call_of(gateway, reply)
    assert (call.feature, call.environment) == ("support", "production")
    assert len(call.error_message) < 1_000


def test_embeddings_are_no_feature(http: httpx.Client, release: str) -> None:
    reply = http.post("/embeddings", json={"model": "feature/support", "input": "x"})
    assert reply.status_code == 400
    assert "not embeddings" in reply.json()["error"]["message"]


def test_a_person_keeps_the_arm_that_they_were_given(gateway: Gateway, http: httpx.Client, release: str) -> None:
    tried = Recipe(**{name: getattr(SUPPORT, name) for name in SUPPORT.__struct_fields__} | {"parameters": {}})
    candidate = gateway.push(tried)
    gateway.push(SUPPORT, rollout=Rollout("ro-1", "canary", (Arm(candidate, 0.3),)))
    served: dict[str, set[str]] = {}
    for number in range(60):
        person = f"person-{number % 30}"
        call = call_of(gateway, ask(http, headers={"x-wk-subject": person}))
        assert call.rollout == "ro-1"
        served.setdefault(person, set()).add(call.release)
    assert all(len(releases) == 1 for releases in served.values())
    assert {candidate, release} == set.union(*served.values())


def test_a_call_that_may_cost_more_than_its_release_allows_is_refused(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    changed = {"limits": Limits(max_cost_nusd=10)}
    gateway.push(Recipe(**{name: getattr(SUPPORT, name) for name in SUPPORT.__struct_fields__} | changed))
    reply = ask(http)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "budget_exceeded")
    assert upstream.received == []


def test_what_an_application_renders_itself_is_stamped_by_its_headers(gateway: Gateway, http: httpx.Client) -> None:
    named = "wk1-" + "a" * 26
    headers = {"x-wk-release": named, "x-wk-environment": "staging"}
    call = call_of(gateway, http.post("/chat/completions", headers=headers, json={
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}))  # fmt: skip
    assert (call.release, call.environment) == (named, "staging")
    headers = {"x-wk-release": "<script>"}
    call = call_of(gateway, http.post("/chat/completions", headers=headers, json={
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}))  # fmt: skip
    assert call.release == ""
