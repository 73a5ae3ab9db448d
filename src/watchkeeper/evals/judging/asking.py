"""Asks judges through the gateway, so that what they cost is priced, kept inside budgets and found again by its call."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import InvalidOperation
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.core.money import nusd
from watchkeeper.evals.judging.weighing import odds_of
from watchkeeper.evals.scoring import Verdict

ANSWER_S = 300.0
"""How long a judge may take."""
TRIES_MAX = 4
"""Of one question that the gateway sends back for later."""
WAIT_MAX_S = 30.0
WAIT_S = 1.0
"""Before the second try where the gateway does not say; doubled with each."""
REMEMBERED_MAX = 5_000
"""Verdicts kept for whoever asks the same; the one that was not asked for the longest goes first."""
MESSAGE_LETTERS_MAX = 500
"""Of what the gateway says was wrong."""

Resolve = Callable[[str, str], Awaitable[str]]
"""Returns the model name under which a judge is asked for a kind: `feature/judge-rubric@wk1-...`."""


class _Message(Struct):
    content: str | None = None
    refusal: str | None = None


class _Logprobs(Struct):
    content: Any = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(Struct):
    choices: list[_Choice]


class _Error(Struct):
    message: str = ""
    code: str | None = None


class _Refused(Struct):
    error: _Error


_completion = msgspec.json.Decoder(_Completion).decode
_refused = msgspec.json.Decoder(_Refused).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_in_order = msgspec.json.Encoder(order="sorted").encode


@dataclass(slots=True)
class _Asked:
    """A question that is asked, or was."""

    task: asyncio.Task[Verdict]
    waiting: int = 0


@dataclass(slots=True)
class _Spent:
    """What the tries of one question came to."""

    known_nusd: int = 0
    is_known: bool = True

    def add(self, reply: httpx.Response) -> None:
        cost = _cost(reply)
        self.known_nusd += cost or 0
        self.is_known &= cost is not None

    @property
    def nusd(self) -> int | None:
        return self.known_nusd if self.is_known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where judges are asked, and what their calls say of the run."""

    base_url: str
    """Of the gateway, with `/v1`."""
    key: str
    run: str = ""
    """Id of the run; the calls carry it as `eval-run` in their metadata."""
    feature: str = ""
    """The feature that is evaluated; the calls carry it as `eval-feature`. They count for the judge's own."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """More of them, for every call."""


class Asking:
    """Implements `scoring.Judge`. Who asks the same as somebody before, or at the same time, gets the same verdict.

    How many ask at once is for the caller to bound.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        way: Way,
        resolve: Resolve,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._way = way
        self._resolve = resolve
        self._sleep = sleep
        self._models: dict[tuple[str, str], str] = {}
        self._resolving = asyncio.Lock()
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()

    async def model(self, kind: str, judge: str) -> str:
        """Return the model name under which a judge is asked; found once, and the same for the whole run.

        Raises:
            WatchkeeperError: there is no such judge, or it cannot give this kind of verdict.
        """
        async with self._resolving:
            if (kind, judge) not in self._models:
                self._models[kind, judge] = await self._resolve(kind, judge)
            return self._models[kind, judge]

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """Have a judge answer; see `scoring.Judge`. A verdict that was given before costs nothing more.

        A verdict with an error is not kept: who asks again, asks anew.
        """
        shown = _of_json(dict(variables))
        name = hashlib.sha256(_in_order([kind, judge, shown, repeat])).digest()
        asked = self._asked.get(name)
        is_first = asked is None
        if asked is None:
            asked = self._asked[name] = _Asked(asyncio.create_task(self._put(kind, judge, shown)))
            self._forget()
        self._asked.move_to_end(name)
        asked.waiting += 1
        try:
            verdict = await asyncio.shield(asked.task)
        finally:
            asked.waiting -= 1
            if not asked.waiting and not asked.task.done():  # everybody who asked has gone
                asked.task.cancel()
                self._drop(name, asked)
        if verdict.error:
            self._drop(name, asked)
        return verdict if is_first else replace(verdict, cost_nusd=0)

    def _drop(self, name: bytes, asked: _Asked) -> None:
        if self._asked.get(name) is asked:
            del self._asked[name]

    def _forget(self) -> None:
        """Keep to the bound; what is still being asked stays."""
        while len(self._asked) > REMEMBERED_MAX:
            name, oldest = next(iter(self._asked.items()))
            if not oldest.task.done():
                return
            del self._asked[name]

    async def _put(self, kind: str, judge: str, variables: dict[str, Any]) -> Verdict:
        """Ask the gateway, again where it asks for that."""
        try:
            model = await self.model(kind, judge)
        except WatchkeeperError as problem:
            return Verdict(error=str(problem))
        body = _encode({"model": model, "messages": [], "variables": variables})
        url, headers = f"{self._way.base_url.rstrip('/')}/chat/completions", self._headers()
        spent = _Spent()
        for number in range(1, TRIES_MAX + 1):
            try:
                reply = await self._client.post(url, content=body, headers=headers, timeout=ANSWER_S)
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
                return Verdict(error=f"The gateway did not answer: {said}.", cost_nusd=None)
            spent.add(reply)
            if number == TRIES_MAX or not _is_for_later(reply):
                return replace(_read(reply), cost_nusd=spent.nusd)
            await self._sleep(_wait_s(reply, number))
        raise AssertionError("the last try returns")

    def _headers(self) -> dict[str, str]:
        headers = {
            "authorization": f"Bearer {self._way.key}",
            "content-type": "application/json",
            "x-wk-cache": "off",
            "x-wk-feature": self._way.feature,
            "x-wk-meta-eval-run": self._way.run,
            "x-wk-meta-eval-feature": self._way.feature,
            **self._way.headers,
        }
        return {name: value if value.isascii() else quote(value) for name, value in headers.items() if value}


def _of_json(value: Any) -> Any:
    """Copy what a model can be shown: half a pair of surrogates, which no JSON can hold, becomes `?`."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case Mapping():
            return {_of_json(str(name)): _of_json(one) for name, one in value.items()}
        case list() | tuple():
            return [_of_json(one) for one in value]
        case _:
            return value


def _is_for_later(reply: httpx.Response) -> bool:
    return reply.status_code in (429, 503) and reply.headers.get("x-should-retry") == "true"


def _wait_s(reply: httpx.Response, number: int) -> float:
    said: str = reply.headers.get("retry-after", "")
    wanted = float(said) if said.isdecimal() else WAIT_S * 2 ** (number - 1)
    return min(wanted, WAIT_MAX_S)


def _cost(reply: httpx.Response) -> int | None:
    said = reply.headers.get("x-wk-cost")
    try:
        return None if said is None else nusd(said)
    except InvalidOperation:
        return None


def _read(reply: httpx.Response) -> Verdict:
    """Read what the gateway answered; its cost is not looked at."""
    told = Verdict(release=reply.headers.get("x-wk-release", ""), call=reply.headers.get("x-wk-call-id", ""))
    if reply.status_code != 200:
        return replace(told, error=_said_wrong(reply))
    try:
        choices = _completion(reply.content).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return replace(told, error="What the gateway answered is no chat completion.")
    if not choices:
        return replace(told, error="The judge answered nothing.")
    message = choices[0].message
    if message.refusal:
        return replace(told, error=f"It declined: {message.refusal[:MESSAGE_LETTERS_MAX]}")
    try:
        content = _object(message.content or "")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        why = f"It ended with `{choices[0].finish_reason}`" if choices[0].finish_reason else "It ended"
        return replace(told, error=f"{why}, and what it said is no JSON object.")
    logprobs = choices[0].logprobs
    return replace(told, content=content, odds={} if logprobs is None else odds_of(content, logprobs.content))


def _said_wrong(reply: httpx.Response) -> str:
    try:
        error = _refused(reply.content).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"The gateway answered with HTTP {reply.status_code}."
    code = f" ({error.code})" if error.code else ""
    return f"{error.message[:MESSAGE_LETTERS_MAX]}{code}" if error.message else f"HTTP {reply.status_code}{code}."
