"""How a recorded call is repeated: what is sent, and what cannot be sent again."""

import json
from typing import Any

import pytest

from watchkeeper.core.call import Surface
from watchkeeper.releases.prepared import Prepared
from watchkeeper.releases.recipe import Message, Recipe, Retrieval
from watchkeeper.releases.replaying import (
    Again,
    NotReplayable,
    Recorded,
    by_model,
    by_recipe,
    by_release,
    by_sent,
    on_model,
    query_of,
)

RELEASE = Prepared(
    Recipe(
        feature="support",
        model="gpt-4o-mini",
        messages=(Message("system", "For {{ company }}."), Message("conversation")),
        variables={"company": {"type": "string"}, "tone": {"type": "string", "default": "warm"}},
        parameters={"temperature": 0},
    )
)
ASKING = Prepared(
    Recipe(
        feature="support",
        model="gpt-4o-mini",
        messages=(Message("user", "{{ question }}"),),
        variables={"question": {"type": "string"}},
    )
)


def recorded(body: Any, surface: Surface = "chat", **more: Any) -> Recorded:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    model = more.pop("requested_model", "gpt-4o-mini")
    return Recorded(
        surface=surface,
        body=written,
        is_cut=more.pop("is_cut", False),
        requested_model=model,
        feature="support",
        **more,
    )


def sent(again: Again) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(again.body)
    return found


PLAIN = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Old."}, {"role": "user", "content": "Hi"}],
    "temperature": 1,
    "stream": True,
    "stream_options": {"include_usage": True},
    "user": "ana",
}
OF_FEATURE = {"model": "feature/support", "variables": {"company": "Acme", "old": 1}, "messages": []}


@pytest.mark.parametrize(
    ("surface", "path"),
    [("chat", "/v1/chat/completions"), ("responses", "/v1/responses"), ("messages", "/v1/messages"),
     ("completions", "/v1/completions"), ("embeddings", "/v1/embeddings")],
)  # fmt: skip
def test_another_model_gets_the_request_as_it_was(surface: Surface, path: str) -> None:
    again = by_model(recorded({"model": "a", "anything": [1, {"x": None}]}, surface), "openai/b")
    assert (again.path, sent(again)) == (path, {"model": "openai/b", "anything": [1, {"x": None}]})


def test_a_call_of_a_feature_takes_its_variables_along_and_those_given_now_come_first() -> None:
    again = by_release(recorded(OF_FEATURE, requested_model="feature/support"), RELEASE, {"tone": "dry"})
    assert sent(again) == {
        "model": f"feature/support@{RELEASE.id}",
        "variables": {"company": "Acme", "tone": "dry"},
        "messages": [],
    }
    assert again.notes == ("The release has no variable `old`; what the call gave for it is left out.",)


def test_a_release_can_be_tried_without_a_call() -> None:
    assert sent(by_release(None, RELEASE, {"company": "Acme"})) == {
        "model": f"feature/support@{RELEASE.id}",
        "messages": [],
        "variables": {"company": "Acme"},
    }


def test_variables_that_came_in_a_header_count_too() -> None:
    found = recorded({"model": "feature/support"}, requested_model="feature/support",
                     variables_header='{"company": "Acme"}')  # fmt: skip
    assert sent(by_release(found, RELEASE, {}))["variables"] == {"company": "Acme"}


def test_what_a_plain_call_said_becomes_the_conversation_without_its_own_prompt() -> None:
    again = by_release(recorded(PLAIN), RELEASE, {"company": "Acme"})
    assert sent(again) == {
        "model": f"feature/support@{RELEASE.id}",
        "stream": True,
        "stream_options": {"include_usage": True},
        "variables": {"company": "Acme"},
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert "system message of the call is left out" in again.notes[0]


def test_a_release_that_asks_by_variables_alone_leaves_the_conversation_out() -> None:
    again = by_release(recorded(PLAIN), ASKING, {"question": "Why?"})
    assert sent(again)["messages"] == []
    assert "asks by its variables alone" in again.notes[0]


@pytest.mark.parametrize(
    ("surface", "body", "said"),
    [
        ("messages", {"system": "Old.", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
         {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}),
        ("responses", {"instructions": "Old.", "input": "Hi", "temperature": 1}, {"input": "Hi"}),
        ("responses", {"input": [{"role": "developer", "content": "Old."}, {"role": "user", "content": "Hi"}]},
         {"input": [{"role": "user", "content": "Hi"}]}),
    ],
)  # fmt: skip
def test_every_api_keeps_its_own_words(surface: Surface, body: dict[str, Any], said: dict[str, Any]) -> None:
    again = sent(by_release(recorded(body, surface), RELEASE, {"company": "Acme"}))
    assert {name: value for name, value in again.items() if name not in ("model", "variables")} == said


def test_missing_variables_are_asked_for_by_name() -> None:
    with pytest.raises(NotReplayable, match=r"takes variable `company`.*--variables company=\.\.\."):
        by_release(recorded(PLAIN), RELEASE, {})
    with pytest.raises(NotReplayable, match="`tone`"):
        by_release(recorded(PLAIN), RELEASE, {"company": "Acme", "tone": 3})
    with pytest.raises(NotReplayable, match="There is no variable `nonsense`"):
        by_release(recorded(PLAIN), RELEASE, {"company": "Acme", "nonsense": 3})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (recorded(b'{"model": "a", "mess', is_cut=True), "recording limit"),
        (recorded(b"\x00\xff"), "no JSON object"),
        (recorded(b"[1]"), "no JSON object"),
        (recorded({}, "embeddings"), "no place in a release"),
        (recorded({}, "passthrough"), "no place in a release"),
    ],
)
def test_what_cannot_be_repeated_is_refused_with_the_reason(found: Recorded, why: str) -> None:
    with pytest.raises(NotReplayable, match=why):
        by_release(found, RELEASE, {"company": "Acme"})
    if found.surface == "passthrough":
        with pytest.raises(NotReplayable, match="cannot be repeated"):
            by_model(found, "m")


def test_a_recipe_that_is_not_pushed_is_rendered_here() -> None:
    again = by_recipe(recorded(OF_FEATURE, requested_model="feature/support"), RELEASE, {})
    assert sent(again) == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "For Acme."}],
        "temperature": 0,
    }
    plain = by_recipe(recorded(PLAIN), RELEASE, {"company": "Acme"})
    assert sent(plain)["messages"] == [{"role": "system", "content": "For Acme."}, {"role": "user", "content": "Hi"}]
    assert sent(plain)["stream"] is True
    assert sent(by_recipe(None, RELEASE, {"company": "A"}))["messages"] == [{"role": "system", "content": "For A."}]


def test_words_of_another_api_can_be_rendered_into_a_chat_and_pictures_cannot() -> None:
    words = {"system": "Old.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
    said = sent(by_recipe(recorded(words, "messages"), RELEASE, {"company": "A"}))["messages"]
    assert said[1:] == [{"role": "user", "content": "Hi"}]
    picture = {"messages": [{"role": "user", "content": [{"type": "image", "source": {"data": "x"}}]}]}
    with pytest.raises(NotReplayable, match="more than words"):
        by_recipe(recorded(picture, "messages"), RELEASE, {"company": "A"})


def test_a_recipe_that_looks_documents_up_takes_them_from_whoever_tries_it() -> None:
    finding = Prepared(
        Recipe(
            feature="support",
            model="m",
            messages=(Message("user", "{{ documents[0].text }}"),),
            variables={"topic": {"type": "string", "default": "none"}},
            retrieval=Retrieval("about {{ topic }}", "kb"),
        )
    )
    assert query_of(None, finding, {"topic": "returns"}) == "about returns"
    with pytest.raises(NotReplayable, match="give `documents`"):
        by_recipe(None, finding, {})
    assert sent(by_recipe(None, finding, {"documents": [{"text": "T"}]}))["messages"][0]["content"] == "T"


def test_what_was_sent_to_a_provider_is_sent_again_in_its_own_api() -> None:
    body = json.dumps(PLAIN).encode()
    assert by_sent(body, "openai", "m") == Again("/v1/chat/completions", json.dumps(PLAIN | {"model": "m"},
                                                 separators=(",", ":")).encode())  # fmt: skip
    found = by_sent(body, "anthropic", "m")
    assert found is not None
    assert found.path == "/v1/messages"
    assert by_sent(body[:50], "openai", "m") is None
    assert by_sent(b"{}", "openai", "m") is None


def test_a_recipe_on_another_model_is_the_same_but_for_it() -> None:
    assert on_model(RELEASE, "other").recipe.model == "other"
    assert on_model(RELEASE, "other").id != RELEASE.id
