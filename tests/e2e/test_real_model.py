"""A real model behind both dialects: the bundled one's server speaks OpenAI's APIs and Anthropic's Messages."""

from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.contract.gateway.asking import Clients
from tests.contract.gateway.carried.feature import Column
from tests.e2e.conftest import FEATURES

from watchkeeper.core.call import Surface
from watchkeeper.testing.harness import STORED_WITHIN_S, Installation, free_port
from watchkeeper.testing.waiting import wait_until

MODELS: dict[Column, str] = {"openai": "small", "chat alone": "small-chat", "anthropic": "small-messages"}
WAYS: list[tuple[Surface, Column]] = [
    ("chat", "openai"),
    ("completions", "openai"),
    ("responses", "openai"),
    ("messages", "anthropic"),
    ("chat", "anthropic"),
    ("completions", "anthropic"),
    ("responses", "anthropic"),
    ("responses", "chat alone"),
    ("messages", "openai"),
]
LIMITED: dict[Surface, dict[str, Any]] = {
    "chat": {"max_tokens": 4, "temperature": 0},
    "completions": {"max_tokens": 4, "temperature": 0},
    "responses": {"max_output_tokens": 4, "temperature": 0},
    "messages": {"max_tokens": 4, "extra_body": {"temperature": 0}},
}
"""At temperature 0: where the first token is half a character, the model's server leaves out a stream's first event,
which counts the input."""
CUT: dict[Surface, str] = {
    "chat": "length",
    "completions": "length",
    "responses": "max_output_tokens",
    "messages": "max_tokens",
}
HELLO = [{"role": "user", "content": "Say hello in one short sentence."}]
ASKED: dict[Surface, dict[str, Any]] = {
    "chat": {"messages": HELLO, "max_tokens": 200, "temperature": 0},
    "responses": {"input": HELLO, "max_output_tokens": 200, "temperature": 0},
    "messages": {"messages": HELLO, "max_tokens": 200, "extra_body": {"temperature": 0}},
}
ENDED: dict[Surface, str] = {"chat": "stop", "responses": "completed", "messages": "end_turn"}

every_way = pytest.mark.parametrize(("surface", "column"), WAYS, ids=str)
plain_and_streamed = pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    address = f"http://127.0.0.1:{free_port()}/v1"
    config = f"""
providers:
  local: {{base_url: "{address}", price_list: free}}
  local-chat: {{base_url: "{address}", price_list: free, speaks: [chat]}}
  local-messages: {{base_url: "{address}", price_list: free, dialect: anthropic}}
{FEATURES}
routes:
  small: {{targets: [local/smollm2-135m]}}
  small-chat: {{targets: [local-chat/smollm2-135m]}}
  small-messages: {{targets: [local-messages/smollm2-135m]}}
"""
    with Installation(tmp_path_factory.mktemp("real-model"), config) as installation:
        yield installation


@pytest.fixture
def clients(installation: Installation) -> Iterator[Clients]:
    origin = f"http://127.0.0.1:{installation.port}"
    with (
        OpenAI(base_url=installation.base_url, api_key=installation.key, max_retries=0, timeout=60) as client,
        Anthropic(base_url=origin, api_key=installation.key, max_retries=0, timeout=60) as claude,
    ):
        yield Clients(client, claude)


@plain_and_streamed
@every_way
def test_an_answer_that_is_cut_says_so(
    installation: Installation, clients: Clients, surface: Surface, column: Column, is_stream: bool
) -> None:
    session = f"{surface}-{column}-{is_stream}".replace(" ", "-")
    asked = {**LIMITED[surface], "extra_headers": {"x-wk-session": session}}
    seen = clients.ask(surface, is_stream=is_stream, model=MODELS[column], **asked)
    assert seen.text
    # Asked for Responses, the model's server calls every answer complete; its bytes pass through.
    assert seen.stop == ("completed" if (surface, column) == ("responses", "openai") else CUT[surface])
    assert seen.output_tokens == 4
    call = wait_until(lambda: newest(installation, session), within_s=STORED_WITHIN_S, every_s=0.1)
    assert (call["surface"], call["status"]) == (surface, "ok")
    assert (call["usage"]["status"], call["usage"]["output_tokens"]) == ("measured", 4)
    assert call["usage"]["input_tokens"] == seen.input_tokens > 0
    assert call["cost"]["status"] == "measured"


@plain_and_streamed
@pytest.mark.parametrize(("surface", "column"), [way for way in WAYS if way[0] in ASKED], ids=str)
def test_an_answer_that_ends_says_so(clients: Clients, surface: Surface, column: Column, is_stream: bool) -> None:
    seen = clients.ask(surface, is_stream=is_stream, model=MODELS[column], **ASKED[surface])
    assert seen.text
    assert seen.stop == ENDED[surface]
    assert 0 < seen.output_tokens < 200


def test_counted_tokens_are_those_of_the_prompt(installation: Installation, clients: Clients) -> None:
    counted = clients.ask("count_tokens", model=MODELS["anthropic"], messages=HELLO).input_tokens
    used = clients.ask("messages", model=MODELS["anthropic"], messages=HELLO, max_tokens=4).input_tokens
    assert counted == used


def newest(installation: Installation, session: str) -> dict[str, Any] | None:
    """Return the newest call, whole, once it is of this session."""
    rows = installation.cli_json("calls", "--limit", "1")["calls"]
    call = installation.call(rows[0]["id"]) if rows else {}
    return call if call.get("session") == session else None
