"""Every surface reaches every dialect with the official clients, as far as docs/dialects.md says."""

from typing import Any

import anthropic
import openai
import pytest
from tests.contract.gateway.asking import BASES, Clients
from tests.contract.gateway.carried.feature import PATHS, TEXT, Case, Column
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.features import CASES, markdown
from tests.tidy.tree import ROOT

from watchkeeper.core.call import Surface
from watchkeeper.testing import Upstream

MODELS: dict[Column, str] = {"openai": "gpt-4o-mini", "chat alone": "chat-alone", "anthropic": "sonnet"}
STOPS: dict[Surface, str] = {"chat": "stop", "completions": "stop", "responses": "completed", "messages": "end_turn"}
CARRIED = [case for case in CASES if case.kind in ("as it is", "translated")]
REFUSED = [case for case in CASES if case.kind == "refused"]


def named(case: Case) -> str:
    return f"{case.place}: {case.feature.name}"


def holds(found: Any, wanted: Any) -> bool:
    """Whether an object has at least the fields that are wanted; lists are as long as wanted."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("case", CARRIED, ids=named)
def test_what_is_carried_reaches_the_upstream_and_its_answer_the_client(
    clients: Clients, gateway: Gateway, upstream: Upstream, case: Case, is_stream: bool
) -> None:
    if is_stream and case.surface in ("embeddings", "count_tokens"):
        pytest.skip("never streamed")
    upstream.plays(case.reply)
    asks = case.feature.asks[case.surface]
    seen = clients.ask(case.surface, is_stream=is_stream, model=MODELS[case.column], **asks)
    [received] = upstream.received
    if case.is_native:
        whole = BASES[case.surface] | {name: value for name, value in asks.items() if name != "extra_body"}
        assert holds(received.json, whole | asks.get("extra_body", {}))
    else:
        assert received.path == PATHS[case.api]
        wanted = case.feature.sent.get(case.api, {})
        assert holds(received.json, wanted), received.json
    expected = {"text": TEXT, "stop": STOPS.get(case.surface, "")} | case.seen
    assert {name: getattr(seen, name) for name in expected} == expected
    assert seen.output_tokens > 0 or case.surface in ("embeddings", "count_tokens")
    call = gateway.last_call()
    assert (call.status, call.surface, call.cost_status) == ("ok", case.surface, "measured")


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("case", REFUSED, ids=named)
def test_what_cannot_be_carried_is_refused_and_the_field_named(
    clients: Clients, upstream: Upstream, case: Case, is_stream: bool
) -> None:
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as caught:
        clients.ask(case.surface, is_stream=is_stream, model=MODELS[case.column], **case.feature.asks[case.surface])
    body: Any = getattr(caught.value, "body", None)
    error = body.get("error", body)  # OpenAI's client has unwrapped it
    assert error["code"] == "not_supported"
    assert error["param"] == case.refused_field
    assert f"`{case.refused_field}`" in error["message"]
    assert upstream.received == []


def test_the_published_table_is_what_is_tested() -> None:
    page = (ROOT / "docs/dialects.md").read_text("utf-8")
    assert page == markdown(), "run `python -m tests.contract.gateway.features docs/dialects.md`"
