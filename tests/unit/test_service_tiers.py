"""The service tier that an upstream reports reaches the price, whatever dialect and shape it came in."""

import json

import pytest

from watchkeeper.core.call import Attempt
from watchkeeper.gateway.breaker import BreakerTable
from watchkeeper.gateway.dialects.anthropic import reading as anthropic_reading
from watchkeeper.gateway.dialects.anthropic import replies as anthropic_replies
from watchkeeper.gateway.dialects.anthropic.streams import MessagesStream
from watchkeeper.gateway.dialects.openai import reading as openai_reading
from watchkeeper.gateway.dialects.openai import replies as openai_replies
from watchkeeper.gateway.dialects.openai import responses
from watchkeeper.gateway.dialects.openai.streams import ChatStream
from watchkeeper.gateway.health import HealthBook
from watchkeeper.gateway.neutral import Used
from watchkeeper.gateway.outcome import Answer
from watchkeeper.gateway.plan import PreparedTarget, prepare
from watchkeeper.gateway.snapshot import ProviderEntry, RouteEntry, Snapshot, Target, decode, encode
from watchkeeper.money.book import PriceBook
from watchkeeper.money.contracts import Contract
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import match_of
from watchkeeper.money.tiers import tier_in

AT_NS = 1_793_000_000_000_000_000
"""In October 2026."""
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CHAT = {"model": "m", "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
MESSAGE = {"id": "i", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
           "content": [{"type": "text", "text": "x"}]}  # fmt: skip


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def _event(**fields: object) -> bytes:
    return b"data: " + _json(**fields) + b"\n\n"


def test_a_chat_completion_tells_it_beside_its_usage() -> None:
    body = _json(**CHAT, usage=USAGE, service_tier="flex")
    answer = openai_replies.read(200, body)
    assert isinstance(answer, Answer)
    assert answer.service_tier == "flex"
    assert openai_reading.completion_of(body).service_tier == "flex"


@pytest.mark.parametrize("reported", ["default", "standard", "auto", "on_demand", None, 7, {"a": 1}, "x" * 33, "é"])
def test_the_ordinary_tier_and_what_is_no_name_of_one_are_not_told(reported: object) -> None:
    answer = openai_replies.read(200, _json(**CHAT, usage=USAGE, service_tier=reported))
    assert isinstance(answer, Answer)
    assert answer.service_tier == ""
    assert answer.usage is not None


def test_a_tier_that_nobody_knows_yet_is_kept_as_it_is() -> None:
    assert tier_in(b'{"service_tier": "overnight"}') == "overnight"
    assert tier_in(b'{"service_tier": "fl\\u0065x"}') == "flex"


def test_a_stream_of_chat_tells_it_in_the_chunk_with_the_usage() -> None:
    stream = ChatStream(keeps_usage=False)
    stream.feed(_event(model="m", service_tier="auto", choices=[{"index": 0, "delta": {"content": "x"}}]))
    stream.feed(_event(model="m", service_tier="priority", choices=[], usage=USAGE))
    assert stream.service_tier == "priority"
    found = openai_reading.OpenAIReader().read(_event(id="i", choices=[], usage=USAGE, service_tier="priority"))
    assert [event.service_tier for event in found if isinstance(event, Used)] == ["priority"]


def test_a_response_tells_it_whole_and_streamed() -> None:
    response = {"model": "m", "status": "completed", "output": [], "service_tier": "flex",
                "usage": {"input_tokens": 5, "output_tokens": 2}}  # fmt: skip
    answer = responses.read(200, _json(**response))
    assert isinstance(answer, Answer)
    assert answer.service_tier == "flex"
    stream = responses.ResponsesStream(False)
    stream.feed(_event(type="response.completed", response=response))
    assert stream.service_tier == "flex"


def test_a_message_tells_it_inside_its_usage_whole_and_streamed() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "service_tier": "batch"}
    body = _json(**MESSAGE, usage=usage)
    answer = anthropic_replies.read(200, body)
    assert isinstance(answer, Answer)
    assert answer.service_tier == "batch"
    assert anthropic_reading.completion_of(body).service_tier == "batch"
    events = _event(type="message_start", message=MESSAGE | {"usage": usage}) + _event(
        type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}
    )
    stream = MessagesStream(False)
    stream.feed(events)
    assert stream.service_tier == "batch"
    found = anthropic_reading.AnthropicReader().read(events)
    assert {event.service_tier for event in found if isinstance(event, Used)} == {"batch"}


def test_a_model_cannot_make_itself_cheaper_by_what_it_says() -> None:
    said = {"role": "assistant", "content": '{"service_tier": "batch"}'}
    answer = openai_replies.read(200, _json(choices=[{"message": said}], usage=USAGE, service_tier="default"))
    assert isinstance(answer, Answer)
    assert answer.service_tier == ""


def _target(*contracts: Contract) -> PreparedTarget:
    snapshot = Snapshot(
        version="v",
        durability="interval",
        providers={"openai": ProviderEntry("openai", "openai", "https://api.openai.com/v1", "", "openai")},
        routes={"r": RouteEntry("r", (Target("openai", "gpt-5"),))},
        features=frozenset(),
        keys={},
        price_lists={"openai": PriceBook.of(installed()).price_list("openai")},
        contracts=contracts,
    )
    return prepare(decode(encode(snapshot)), HealthBook(BreakerTable())).routes["r"].targets[0]


def test_the_gateway_prices_by_tier_and_by_contract() -> None:
    target = _target(Contract("openai", "acme", (match_of("GPT-5*"),), 1_500), Contract("other", discount_bp=9_000))
    plain, acme, flex = target.rates(AT_NS), target.rates(AT_NS, "acme"), target.rates(AT_NS, "acme", "flex")
    assert plain is not None
    assert acme is not None
    assert flex is not None
    assert (plain.service_tier, plain.per, acme.per, flex.service_tier) == ("", 10**6, 10**10, "flex")
    assert target.rates(AT_NS, "acme") is acme, "it is looked up once a second"
    assert target.rates(AT_NS + 2_000_000_000, "acme") == acme


def test_a_target_without_contracts_asks_its_list_once_a_second_as_before() -> None:
    target = _target(Contract("elsewhere", discount_bp=10))
    assert target.contracts == ()
    assert target.rates(AT_NS) is target.rates(AT_NS, "acme")


def test_a_thousand_tenants_do_not_fill_the_memory() -> None:
    target = _target(Contract("openai", discount_bp=10))
    for number in range(2_500):
        target.rates(AT_NS, f"tenant-{number}")
    assert len(target._agreed) <= 1_000


def test_an_attempt_from_an_older_spool_has_no_tier() -> None:
    attempt = Attempt(number=1, provider="p", model="m", dialect="openai", started_ms=0.0)
    assert attempt.service_tier == ""
