"""What goes wrong has the class that each official client has for it, whichever API the target speaks."""

from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.contract.gateway.asking import BASES, Clients
from tests.contract.gateway.carried.feature import COLUMNS, Column
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.core.call import Surface
from watchkeeper.testing import (
    Delivery,
    ErrorEvent,
    ErrorReply,
    Reply,
    Script,
    StreamCut,
    Upstream,
    context_length_exceeded,
    overloaded,
    rate_limited,
    wait_until,
)

MODELS: dict[Column, str] = {"openai": "gpt-4o-mini", "chat alone": "chat-alone", "anthropic": "sonnet"}
WRITTEN: tuple[Surface, ...] = ("chat", "completions", "responses", "messages")
ALL = [(surface, column) for surface, columns in COLUMNS.items() for column in columns]
ANSWERED = [(surface, column) for surface, column in ALL if surface in WRITTEN]
TRANSLATED = [(surface, column) for surface, column in ANSWERED if column != COLUMNS[surface][0]]
PATIENT: dict[Surface, str] = {"chat": "claude/patient", "responses": "claude/patient", "messages": "scripted/patient"}
"""Targets without a route, which have the retries of the default."""

every_way = pytest.mark.parametrize(("surface", "column"), ANSWERED, ids=str)


def error_of(surface: Surface, name: str) -> Any:
    """The class that the surface's own client has for an error."""
    return getattr(anthropic if surface in ("messages", "count_tokens") else openai, name)


def said(error: Any) -> Any:
    """The error as it was sent; OpenAI's client has unwrapped it."""
    return error.body.get("error", error.body)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("script", "error"),
    [
        (rate_limited(), "RateLimitError"),
        (ErrorReply(400, message="no", error_type="invalid_request_error"), "BadRequestError"),
        (context_length_exceeded(), "BadRequestError"),
        (ErrorReply(404, message="no such model", error_type="invalid_request_error"), "NotFoundError"),
        (ErrorReply(401, code="invalid_api_key"), "InternalServerError"),
        (ErrorReply(500), "InternalServerError"),
        (overloaded(), "InternalServerError"),
    ],
    ids=["429", "400", "context length", "404", "our key refused", "500", "overloaded"],
)
@every_way
def test_an_upstreams_error_has_the_clients_own_class(
    clients: Clients,
    gateway: Gateway,
    upstream: Upstream,
    surface: Surface,
    column: Column,
    script: Script,
    error: str,
    is_stream: bool,
) -> None:
    upstream.always(script)
    with pytest.raises(error_of(surface, error)) as caught:
        clients.ask(surface, is_stream=is_stream, model=MODELS[column])
    call = gateway.last_call()
    assert caught.value.response.headers["x-wk-call-id"] == call.id
    assert call.status == "error"
    assert said(caught.value)["message"]


@pytest.mark.parametrize(("surface", "column"), ALL, ids=str)
def test_a_key_that_is_refused_is_an_authentication_error(
    gateway: Gateway, upstream: Upstream, surface: Surface, column: Column
) -> None:
    with (
        OpenAI(base_url=gateway.base_url, api_key=gateway.keys["expired"].key, max_retries=2) as client,
        Anthropic(base_url=gateway.origin, api_key=gateway.keys["expired"].key, max_retries=2) as claude,
        pytest.raises(error_of(surface, "AuthenticationError")),
    ):
        Clients(client, claude).ask(surface, model=MODELS[column])
    assert upstream.received == []
    gateway.last_call()
    assert len(gateway.recorder.calls) == 1


@pytest.mark.parametrize(("surface", "column"), TRANSLATED, ids=str)
def test_a_field_of_a_wrong_type_is_named(
    clients: Clients, upstream: Upstream, surface: Surface, column: Column
) -> None:
    with pytest.raises(error_of(surface, "BadRequestError")) as caught:
        clients.ask(surface, model=MODELS[column], extra_body={"top_p": "much"})
    error = said(caught.value)
    assert (error["code"], error["param"]) == ("invalid_request", "top_p")
    assert "`top_p`" in error["message"]
    assert upstream.received == []


@pytest.mark.parametrize("script", [ErrorEvent(after_tokens=3), StreamCut(after_tokens=3)], ids=["error event", "cut"])
@every_way
def test_a_stream_that_breaks_raises_after_what_came(
    clients: Clients, gateway: Gateway, upstream: Upstream, surface: Surface, column: Column, script: Script
) -> None:
    upstream.plays(script)
    heard: list[str] = []
    with pytest.raises((openai.APIError, anthropic.APIError)):
        heard.extend(pieces(clients, surface, MODELS[column]))
    assert "".join(heard) == "Hello from the"
    call = gateway.last_call()
    assert (call.status, call.http_status) == ("error", 200)
    assert call.error_class in ("upstream_error", "broken_stream")


@every_way
def test_a_client_that_leaves_because_of_an_error_has_not_cancelled_the_call(
    clients: Clients, gateway: Gateway, upstream: Upstream, surface: Surface, column: Column
) -> None:
    slow = Reply(delivery=Delivery(pace_s=0.05))
    upstream.plays(ErrorEvent(after_tokens=1, is_terminated=True, reply=slow))
    with pytest.raises((openai.APIError, anthropic.APIError)):
        list(pieces(clients, surface, MODELS[column]))
    call = gateway.last_call()
    assert (call.status, call.error_class) == ("error", "upstream_error")
    assert [attempt.error_class for attempt in call.attempts] == ["upstream_error"]


def pieces(clients: Clients, surface: Surface, model: str) -> Any:
    """Yield the words of a stream as they come."""
    asked: Any = BASES[surface] | {"model": model, "stream": True}
    events: Any
    match surface:
        case "chat":
            for chunk in clients.openai.chat.completions.create(**asked):
                yield chunk.choices[0].delta.content or ""
        case "completions":
            for text in clients.openai.completions.create(**asked):
                yield text.choices[0].text
        case "responses":
            events = clients.openai.responses.create(**asked)
            for event in events:
                yield event.delta if event.type == "response.output_text.delta" else ""
        case _:
            for message in clients.anthropic.messages.create(**asked):
                yield getattr(getattr(message, "delta", None), "text", "")


@pytest.mark.parametrize("surface", PATIENT)
def test_a_rate_limit_that_passes_is_not_seen_by_the_client(
    gateway: Gateway, upstream: Upstream, surface: Surface
) -> None:
    upstream.plays(rate_limited(retry_after_s=0.01), Reply("at last"))
    assert ask_patiently(gateway, surface).text == "at last"
    assert len(upstream.received) == 2
    gateway.last_call()
    assert len(gateway.recorder.calls) <= 2


@pytest.mark.parametrize("surface", PATIENT)
def test_retries_of_client_and_gateway_do_not_multiply(gateway: Gateway, upstream: Upstream, surface: Surface) -> None:
    upstream.always(rate_limited(retry_after_s=0.01))
    with pytest.raises(error_of(surface, "RateLimitError")):
        ask_patiently(gateway, surface)
    assert 2 <= len(upstream.received) <= 3
    wait_until(lambda: sum(len(call.attempts) for call in gateway.recorder.calls) == len(upstream.received))


def ask_patiently(gateway: Gateway, surface: Surface) -> Any:
    """Ask with clients that try again twice, as they do unless told otherwise."""
    with (
        OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2, timeout=10) as client,
        Anthropic(base_url=gateway.origin, api_key=gateway.key, max_retries=2, timeout=10) as claude,
    ):
        return Clients(client, claude).ask(surface, model=PATIENT[surface])
