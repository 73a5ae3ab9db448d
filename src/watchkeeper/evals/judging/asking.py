"""Asks judges through the gateway: what they cost is priced and kept inside budgets, and each verdict has its call."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.evals.asking import CHAT, read_reply
from watchkeeper.evals.judging.table import kinds_of
from watchkeeper.evals.judging.weighing import odds_of
from watchkeeper.evals.scoring import Verdict
from watchkeeper.evals.suite import Scorer

ANSWER_S = 300.0
"""How long a judge may take."""
TRIES_MAX = 4
"""Of one question that the gateway sends back for later."""
WAIT_S = 1.0
"""Before the second try where the gateway does not say; doubled with each."""
WAIT_MAX_S = 30.0
REMEMBERED_MAX = 5_000
"""Verdicts kept for whoever asks the same; the one that was not asked for the longest goes first."""
REFUSAL_LETTERS_MAX = 500

Resolve = Callable[[str, str], Awaitable[str]]
"""Returns the model name under which a judge is asked for a kind: `feature/judge-rubric@wk1-...`."""


class _Logprobs(Struct):
    content: Any = None


class _Choice(Struct):
    logprobs: _Logprobs | None = None


class _Completion(Struct):
    choices: list[_Choice]


_completion = msgspec.json.Decoder(_Completion).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_in_order = msgspec.json.Encoder(order="sorted").encode
_NOT_READ = (msgspec.DecodeError, UnicodeError, RecursionError)


@dataclass(slots=True)
class _Asked:
    """A question that is asked, or was."""

    task: asyncio.Task[Verdict]
    waiting: int = 0


class Asking:
    """Implements `scoring.Judge`. Who asks the same as somebody before, or at the same time, gets the same verdict.

    How many ask at once is for the caller to bound.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        key: str,
        resolve: Resolve,
        *,
        run: str = "",
        judges: Mapping[str, str] = MappingProxyType({}),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make ready.

        Args:
            client: Open, and closed by whoever opened it.
            url: Of the gateway, with `/v1`.
            key: A virtual key. The calls count for the judge's own feature, whatever the key's is.
            resolve: Finds the release of a judge, as `api.judges.ensured` does.
            run: Id of the run, which its calls then carry.
            judges: Model names that are settled, by `KIND JUDGE`, as `prepare` has returned them.
            sleep: Waits; for tests.
        """
        self._client = client
        self._url = url.rstrip("/") + CHAT
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "x-wk-cache": "off"}
        if run:
            self._headers["x-wk-meta-eval-run"] = run
        self._resolve = resolve
        self._sleep = sleep
        self._models = dict(judges)
        self._resolving = asyncio.Lock()
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()

    async def model(self, kind: str, judge: str) -> str:
        """Return the model name under which a judge is asked; found once, and the same for the whole run.

        Raises:
            WatchkeeperError: there is no such judge, or it cannot give this kind of verdict.
        """
        name = f"{kind} {judge}"
        async with self._resolving:
            if name not in self._models:
                self._models[name] = await self._resolve(kind, judge)
            return self._models[name]

    async def prepare(self, scorers: Iterable[Scorer]) -> dict[str, str]:
        """Find every judge that scorers ask, before a run costs anything.

        Returns:
            The model names by `KIND JUDGE`. Given to another one as `judges`, a run that is resumed asks the same.

        Raises:
            WatchkeeperError: as `model`. ScorerRefused: one of them is not of a judged type.
        """
        wanted = {(kind, scorer.judge) for scorer in scorers for kind in kinds_of(scorer)}
        return {f"{kind} {judge}": await self.model(kind, judge) for kind, judge in sorted(wanted)}

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """Have a judge answer; see `scoring.Judge`. A verdict that was given before costs nothing more.

        A verdict with an error is not kept: who asks again, asks anew.
        """
        shown = _of_json(variables)
        name = hashlib.sha256(_in_order([kind, judge, shown, repeat])).digest()
        asked = self._asked.get(name)
        is_first = asked is None
        if asked is None:
            asked = self._asked[name] = _Asked(asyncio.create_task(self._put(kind, judge, shown)))
            self._forget()
        else:
            self._asked.move_to_end(name)
        asked.waiting += 1
        try:
            verdict = await asyncio.shield(asked.task)
        finally:
            asked.waiting -= 1
            if not asked.waiting and not asked.task.done():  # everybody who asked has gone
                asked.task.cancel()
            is_over = not asked.waiting or asked.task.done()
            if is_over and not _is_kept(asked.task) and self._asked.get(name) is asked:
                del self._asked[name]
        return verdict if is_first else replace(verdict, cost_nusd=0)

    def _forget(self) -> None:
        """Keep to the bound; what is still being asked stays."""
        while len(self._asked) > REMEMBERED_MAX:
            name, oldest = next(iter(self._asked.items()))
            if not oldest.task.done():
                return
            del self._asked[name]

    async def _put(self, kind: str, judge: str, variables: Any) -> Verdict:
        """Ask the gateway, again where it asks for that."""
        try:
            model = await self.model(kind, judge)
        except WatchkeeperError as problem:
            return Verdict(error=str(problem))
        body = _encode({"model": model, "messages": [], "variables": variables})
        spent: int | None = 0
        for number in range(1, TRIES_MAX + 1):
            try:
                reply = await self._client.post(self._url, content=body, headers=self._headers, timeout=ANSWER_S)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = str(error) or type(error).__name__
                return Verdict(error=f"the gateway at {self._url} was not reached: {why}")
            verdict = _read(reply)
            spent = None if spent is None or verdict.cost_nusd is None else spent + verdict.cost_nusd
            if number == TRIES_MAX or not _is_for_later(reply):
                return replace(verdict, cost_nusd=spent)
            await self._sleep(_wait_s(reply, number))
        raise AssertionError("the last try returns")


def _is_kept(task: asyncio.Task[Verdict]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and not task.result().error


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
    return min(float(said) if said.isdecimal() else WAIT_S * 2 ** (number - 1), WAIT_MAX_S)


def _read(reply: httpx.Response) -> Verdict:
    """Read what the gateway answered."""
    answer = read_reply(reply, latency_ms=0.0)
    told = Verdict(error=answer.error, release=answer.release, call=answer.call, cost_nusd=answer.cost_nusd)
    if answer.error:
        return told
    if answer.refusal:
        return replace(told, error=f"it declined: {answer.refusal[:REFUSAL_LETTERS_MAX]}")
    try:
        content = _object(answer.text)
    except _NOT_READ:
        return replace(told, error=f"what it said is no JSON object (it ended with `{answer.finish or 'nothing'}`)")
    return replace(told, content=content, odds=odds_of(content, _logprobs(reply)))


def _logprobs(reply: httpx.Response) -> Any:
    try:
        logprobs = _completion(reply.content).choices[0].logprobs
    except (*_NOT_READ, IndexError):
        return None
    return None if logprobs is None else logprobs.content
