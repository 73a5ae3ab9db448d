"""What a call used that its upstream did not count: near the truth, said to be estimated, and never above its hold."""

from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.money import CENT

from watchkeeper.core.call import Call
from watchkeeper.core.usage import Usage
from watchkeeper.testing import Reply, StreamCut, Upstream

WORDS = "one two three four five six seven eight nine ten"
PROMPT = "Tell me, please, what you would say of the following words, each in turn and not too briefly: " * 3
ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}]}
PER_CHARACTER = 0.5
"""What the model of these tests makes of a character: twice the rule of thumb."""


def _measured(
    http: httpx.Client, upstream: Upstream, calls: int, *, is_stream: bool, per_character: float = PER_CHARACTER
) -> None:
    tokens = {
        "prompt_tokens": round(len(PROMPT) * per_character),
        "completion_tokens": round(len(WORDS) * per_character),
    }
    upstream.always(Reply(WORDS, usage=tokens))
    for _ in range(calls):
        http.post("/chat/completions", json={**ASKED, "stream": is_stream}).raise_for_status()


def _cut(gateway: Gateway, http: httpx.Client, upstream: Upstream, **others: Any) -> Call:
    upstream.plays(StreamCut(after_tokens=8, reply=Reply(WORDS)))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/chat/completions", json={**ASKED, "stream": True, **others})
    return gateway.last_call()


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_cut_stream_is_estimated_as_its_model_has_counted_before(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, is_stream: bool
) -> None:
    _measured(http, upstream, 60, is_stream=is_stream)
    call = _cut(gateway, http, upstream)
    assert (call.usage_status, call.cost_status) == ("estimated", "estimated")
    assert call.usage is not None
    assert call.usage.input_tokens == pytest.approx(len(PROMPT) * PER_CHARACTER, rel=0.02)
    received = len("one two three four five six seven eight")
    assert call.usage.output_tokens == pytest.approx(received * PER_CHARACTER, rel=0.1)


def test_an_estimate_is_no_longer_than_the_request_allowed(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    _measured(http, upstream, 10, is_stream=True)
    call = _cut(gateway, http, upstream, max_tokens=6)
    assert call.usage is not None
    assert call.usage.output_tokens == 6


def test_an_estimate_of_the_input_is_no_more_than_its_bytes(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    _measured(http, upstream, 10, is_stream=False, per_character=1.9)
    call = _cut(gateway, http, upstream)
    assert call.usage is not None
    assert len(PROMPT) < call.usage.input_tokens <= call.request_bytes < 1.9 * len(PROMPT)


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 6}, {"max_tokens": 2, "n": 2}], ids=str)
def test_an_estimate_costs_no_more_than_was_held(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, limit: dict[str, Any]
) -> None:
    _measured(http, upstream, 10, is_stream=True, per_character=1.9)
    http.headers["x-wk-tags"] = "strict-cent"
    call = _cut(gateway, http, upstream, **limit)
    [charge] = call.charges
    assert (charge.key, call.cost_status) == ("strict-cent|strict-cent", "estimated")
    assert charge.amount is not None
    assert 0 < charge.amount <= charge.held <= CENT


def test_a_claude_stream_that_is_cut_is_charged_for_what_came(
    gateway: Gateway, upstream: Upstream, claude: Anthropic
) -> None:
    """Its first event counts the input and one token of output; that was once taken for all of it."""
    usage = {"prompt_tokens": 100, "cache_read_input_tokens": 800, "completion_tokens": 12}
    upstream.plays(StreamCut(after_tokens=8, reply=Reply(WORDS, usage=usage)))
    asked: Any = {"model": "sonnet", "max_tokens": 64, "messages": [{"role": "user", "content": PROMPT}]}
    with pytest.raises(anthropic.APIError), claude.messages.stream(**asked) as stream:
        stream.until_done()
    call = gateway.last_call()
    assert (call.usage, call.usage_status) == (Usage(100, 800, output_text=10), "estimated")
