"""Repeats calls: sends them through the gateway again with the keeper's own key, and compares what came.

A function for whoever asks, API and console alike: `replay` and `estimate`. Neither looks at who may do it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from watchkeeper.api.services import Services
from watchkeeper.config.addresses import within_reach
from watchkeeper.config.problems import meant
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.errors import CallerError, OperatorError, UpstreamError
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.indexing import find
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.recipe import Recipe
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
from watchkeeper.releases.texts import Line, compared
from watchkeeper.releases.variables import DOCUMENTS
from watchkeeper.store.rows import CallDetail

ANSWER_S = 300.0
"""How long a repeated call may take."""
STORED_S = 20.0
"""How long after its answer it may take to reach the store."""
LOOK_EVERY_S = 0.1
WHOLE = frozenset({"", "first", "retry", "fallback"})
"""Kinds of attempts that send the whole request; the others mend or go on with an answer."""


class NoGateway(OperatorError):
    """Nobody can repeat a call, because no keeper runs beside a gateway."""

    code = "no_gateway"
    http_status = 503


class GatewayAway(UpstreamError):
    """The gateway did not take the repeated call, or the store does not have it yet."""

    code = "gateway_unreachable"


class WishUnclear(CallerError):
    """It is not clear what is to be repeated how; nothing was sent."""

    code = "wish_unclear"
    http_status = 422


class ModelUnknown(CallerError):
    """No route and no provider has a model of this name; nothing was sent."""

    code = "model_not_found"
    http_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be repeated how: under a release, by another model, or by a recipe that is not pushed."""

    original: CallDetail | None = None
    """None for a prompt with variables of its own, of a release or a recipe."""
    release: str = ""
    """Its id, or a beginning that fits no other."""
    model: str = ""
    """A route, or `provider/model`."""
    recipe: Recipe | None = None
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """In the place of those that the call gave."""
    by: str = ""
    """Who asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Both calls, and how their answers differ."""

    original: CallDetail | None
    replay: CallDetail
    diff: list[Line]
    """From the original's answer to the new one; without an original, the new one."""
    notes: tuple[str, ...]
    """What was not as it was, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What repeating a call would cost if it used as many tokens again."""

    target: str
    """`provider/model`; empty where it is not known."""
    nusd: int | None
    """None where no price or no count of tokens is known."""


@dataclass(frozen=True, slots=True)
class _Plan:
    again: Again
    feature: str
    model: str


async def replay(parts: Services, wish: Wish) -> Replayed:
    """Repeat a call and return it once it is stored.

    Raises:
        WishUnclear: it does not say one thing.
        NotReplayable: it cannot be repeated in this way.
        ReleaseUnknown, ModelUnknown: there is no such release, or model.
        NoGateway: no keeper runs.
        GatewayAway: the gateway was not reached, or the call is not stored in time.
    """
    if not parts.replay_key:
        raise NoGateway("No keeper runs, so no call can be repeated. Start it with `watchkeeper up`.")
    plan = await _planned(parts, wish)
    call_id = await _sent(parts, plan, wish)
    found = await _stored(parts, call_id)
    after = answer_of(found)
    diff = compared(after if wish.original is None else answer_of(wish.original), after)
    return Replayed(original=wish.original, replay=found, diff=diff, notes=plan.again.notes)


async def estimate(parts: Services, wish: Wish) -> Estimate:
    """Say what repeating a call would cost, without doing it. Raises as `replay` does, but needs no gateway."""
    plan, basis = await _planned(parts, wish), parts.cost_basis()
    target = plan.model if "/" in plan.model else next(iter(basis.targets.get(plan.model, ())), "")
    usage = wish.original.usage if wish.original is not None else {}
    if not target or not usage:
        return Estimate(target=target, nusd=None)
    return Estimate(target=target, nusd=basis.list_price(target, Usage(**usage), parts.clock.unix_ns()))


def answer_of(call: CallDetail) -> str:
    """Return what a call was answered: words, tools that were called, or the error."""
    found = read_conversation(
        call.request_body, call.response_body, surface=call.row.surface, is_stream=call.row.is_stream
    )
    lines = []
    for answer in found.answers:
        message = answer.message
        lines += [message.text or message.refusal] if message.text or message.refusal else []
        lines += [f"{tool.name}({tool.arguments})" for tool in message.tool_calls]
    return "\n".join(lines) or found.error or call.error_message


async def _planned(parts: Services, wish: Wish) -> _Plan:
    if sum(map(bool, (wish.release, wish.model, wish.recipe))) != 1:
        raise WishUnclear("Say one thing: repeat it under a `release`, by another `model`, or by a `recipe`.")
    original = wish.original
    recorded = None if original is None else _recorded(original)
    if wish.model:
        if original is None or recorded is None:
            raise WishUnclear("Another `model` can only be tried on a call that was made: name the call.")
        _require_model(parts, wish.model)
        again = await _on_model(parts, original, recorded, wish)
        return _Plan(again, original.row.feature, wish.model)
    prepared = await _prepared(parts, wish)
    recipe = prepared.recipe
    if original is not None and original.row.feature not in ("", recipe.feature):
        raise WishUnclear(
            f"The call is of the feature {original.row.feature}, the release of {recipe.feature}: a call is repeated "
            "under a release of its own feature."
        )
    if wish.recipe is not None:
        again = await _rendered_here(parts, recorded, prepared, wish.variables)
    else:
        again = by_release(recorded, prepared, wish.variables)
    return _Plan(again, recipe.feature, recipe.model)


def _require_model(parts: Services, model: str) -> None:
    """Refuse a name that leads nowhere: the error would stand there like an answer."""
    routing = parts.routing()
    if routing is None or model in routing.targets or model.partition("/")[0] in routing.providers:
        return
    raise ModelUnknown(
        f"There is no route and no provider of the model {model[:100]!r}{meant(model, sorted(routing.targets))} "
        "Nothing was sent."
    )


async def _on_model(parts: Services, original: CallDetail, recorded: Recorded, wish: Wish) -> Again:
    """Send the prompt of a feature as it was rendered then; where that was not recorded whole, render it again."""
    if not recorded.is_of_feature:
        if wish.variables:
            raise WishUnclear("The call named a model and has no variables; leave `variables` out.")
        return by_model(recorded, wish.model)
    last = original.attempts[-1] if original.attempts else None
    if original.sent_body and last is not None and last.kind in WHOLE and not wish.variables:
        again = by_sent(original.sent_body, last.dialect, wish.model)
        if again is not None:
            return again
    row = await parts.control.releases.get(original.row.release)
    return await _rendered_here(parts, recorded, on_model(_made_ready(row.recipe), wish.model), wish.variables)


async def _rendered_here(
    parts: Services, recorded: Recorded | None, prepared: Prepared, variables: Mapping[str, Any]
) -> Again:
    """Render a recipe in the keeper, with documents from the embedded index where it looks them up there."""
    retrieval = prepared.recipe.retrieval
    if retrieval is None or retrieval.retriever or DOCUMENTS in variables:
        return by_recipe(recorded, prepared, variables)
    words = query_of(recorded, prepared, variables)
    version = await find(parts.analytics.indexes, retrieval.collection, retrieval.version)
    found = await parts.indexing.search(
        parts.analytics.indexes, version, words, top_k=retrieval.top_k, min_score=retrieval.min_score
    )
    documents = [
        {"id": one.document, "title": one.title, "text": one.text, "score": round(score, 4)} for one, score in found
    ]
    return by_recipe(recorded, prepared, {**variables, DOCUMENTS: documents})


async def _prepared(parts: Services, wish: Wish) -> Prepared:
    if wish.recipe is not None:
        return _made_ready(wish.recipe)
    return _made_ready((await parts.control.releases.get(wish.release)).recipe)


def _made_ready(recipe: Recipe) -> Prepared:
    try:
        return Prepared(recipe)
    except Unusable as problem:
        raise NotReplayable(f"The recipe cannot be used: {problem}.") from None


def _recorded(call: CallDetail) -> Recorded:
    return Recorded(
        surface=call.row.surface,
        body=call.request_body,
        is_cut=call.request_bytes > len(call.request_body),
        requested_model=call.row.requested_model,
        feature=call.row.feature,
        release=call.row.release,
        variables_header=dict(call.request_headers).get("x-wk-variables", ""),
    )


async def _sent(parts: Services, plan: _Plan, wish: Wish) -> str:
    """Send a call and return its id; whether it succeeded is for its record to say."""
    origin = within_reach(parts.gateway_url).removesuffix("/v1")
    try:
        async with httpx.AsyncClient(base_url=origin, timeout=ANSWER_S, trust_env=False) as client:
            reply = await client.post(plan.again.path, content=plan.again.body, headers=_headers(parts, plan, wish))
    except httpx.HTTPError as error:
        raise GatewayAway(
            f"The gateway at {origin} did not take the call: {str(error) or type(error).__name__}. "
            "`watchkeeper health` says whether a worker runs."
        ) from None
    call_id: str = reply.headers.get("x-wk-call-id", "")
    if not call_id:
        raise GatewayAway(f"The gateway at {origin} answered with HTTP {reply.status_code} and no call id.")
    return call_id


def _headers(parts: Services, plan: _Plan, wish: Wish) -> dict[str, str]:
    headers = {
        "authorization": f"Bearer {parts.replay_key}",
        "content-type": "application/json",
        "x-wk-cache": "off",
        "x-wk-feature": plan.feature,
        "x-wk-meta-replayed-by": wish.by,
    }
    if wish.original is not None:
        row = wish.original.row
        headers |= {
            "x-wk-tenant": row.tenant,
            "x-wk-tags": ",".join(row.tags),
            "x-wk-environment": row.environment,
            "x-wk-replay-of": row.id,
            "x-wk-replay-subject": row.subject,
        }
    return {name: value if value.isascii() else quote(value) for name, value in headers.items() if value}


async def _stored(parts: Services, call_id: str) -> CallDetail:
    deadline = parts.clock.monotonic() + STORED_S
    while (found := await parts.analytics.call(call_id)) is None:
        if parts.clock.monotonic() > deadline:
            raise GatewayAway(
                f"The call was made and has the id {call_id}, but it is not stored yet. "
                f"`watchkeeper call {call_id}` shows it later."
            )
        await asyncio.sleep(LOOK_EVERY_S)
    return found
