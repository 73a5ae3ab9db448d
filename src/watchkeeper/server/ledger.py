"""The ledger's socket in the data folder: workers draw leases from it, and give back what they do not need.

Everything that arrives while one transaction runs shares the next one. A question that does not fit is not refused
before the neighbours were asked for what they do not need.
"""

import asyncio
import contextlib
import logging
from asyncio import Future, StreamReader, StreamWriter, Task
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from watchkeeper.core.clock import Clock
from watchkeeper.money.budgets import Limit, Rule, account_key
from watchkeeper.money.granting import AMOUNT_MAX, Decision, Standing
from watchkeeper.money.leases import Answer, Ask, Frames, FromKeeper, FromWorker, Give, Hello, Recall, frame
from watchkeeper.money.rates import Rates
from watchkeeper.server import local_socket
from watchkeeper.server.peers import peer_of
from watchkeeper.store.ledger import Ledger, Life, Question

NAME_MAX = 100
CONNECTIONS_MAX = 1_024
HELLO_S = 5.0
"""How long a connection may take to say who it is."""
RECALL_S = 0.05
"""How long a refusal waits for what others give back."""
BATCH_MAX = 512
"""Questions in one transaction."""
WAITING_MAX = 20_000
"""Questions taken in and not decided yet; beyond, connections are not read."""
UNKNOWN_MAX = 100
"""Rules that are not known, logged by name between two changes of the rules."""
WANTS_MAX = 256
"""In one question."""
UNSENT_BYTES_MAX = 4 << 20
"""To a worker that does not read; its connection is then cut."""
READ_BYTES = 1 << 16
PAUSE_S = 0.2
"""After a transaction that failed."""

_log = logging.getLogger("watchkeeper.ledger")


class _Line:
    """One worker's connection."""

    def __init__(self, holder: str, worker: str, writer: StreamWriter) -> None:
        self.holder = holder
        self.worker = worker
        self._writer = writer
        self.is_cut = False
        self.recalls: list[tuple[set[str], Future[None]]] = []
        """Recalls that are not answered yet."""

    def send(self, message: FromKeeper) -> None:
        """Send, or cut the connection of one that does not read."""
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            _log.error("%s does not read what the ledger says; its connection is cut", self.holder)
            self.cut()
        elif not self._writer.is_closing():
            self._writer.write(frame(message))

    def cut(self) -> None:
        """End the connection; the worker goes by its doubts until it has another."""
        self.is_cut = True
        self._writer.transport.abort()
        for _, waiter in self.recalls:
            if not waiter.done():
                waiter.set_result(None)

    def heard(self, give: Give) -> None:
        """Note the answer to recalls: one that gives nothing, or something of what was asked for."""
        for keys, waiter in self.recalls:
            if not waiter.done() and (not give.amounts or not keys.isdisjoint(give.amounts)):
                waiter.set_result(None)


class LedgerService:
    """Serves workers on a socket."""

    def __init__(self, ledger: Ledger, clock: Clock, *, host: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._host = host
        self._rules: dict[str, Rule] = {}
        self._unknown: set[str] = set()
        """Rules that were asked about and are not known, as far as that was logged."""
        self._rates = Rates()
        self._lines: dict[str, _Line] = {}
        self._waiting: deque[tuple[_Line, Ask, bool]] = deque()
        self._gives: Counter[tuple[str, str]] = Counter()
        self._turn = asyncio.Lock()
        """A Hello is compared with the table while nothing is granted or taken back."""
        self._is_due = asyncio.Event()
        self._has_room = asyncio.Event()
        self._tasks: set[Task[None]] = set()
        self._connections = 0
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self.version = ""
        """Of the snapshot whose rules are in force."""
        self.trouble = ""
        """Why the ledger cannot answer at present; empty when it can."""
        self._tending_trouble = ""

    @property
    def connected(self) -> dict[str, str]:
        """Workers' names by the holder that is connected."""
        return {line.holder: line.worker for line in self._lines.values()}

    def note_trouble(self, error: Exception | None) -> None:
        """Note why the ledger cannot be kept in step, or that it can."""
        text = _reason(error) if error is not None else ""
        if text and text != self._tending_trouble:
            _log.error("the ledger cannot be kept in step", exc_info=error)
        self._tending_trouble = text

    def status(self) -> dict[str, Any]:
        """Tell how many workers are connected, how many questions wait, and what is wrong."""
        return {
            "workers": len(self._lines),
            "waiting": len(self._waiting),
            "trouble": self.trouble or self._tending_trouble or None,
        }

    async def follow(self, rules: Mapping[str, Rule], *, version: str = "") -> None:
        """Go by these budgets and limits from now on; of what was lowered, leases are asked back."""
        budgets = [rule for rule in rules.values() if not isinstance(rule, Limit)]
        lowered = await self._ledger.know(budgets)
        # Who asks by a rule that is just gone is answered by what it said last.
        self._rules = self._rules | dict(rules)
        self._unknown.clear()
        self.version = version
        if lowered:
            for holder, keys in (await self._ledger.leased_of(lowered)).items():
                if (line := self._lines.get(holder)) is not None:
                    line.send(Recall(tuple(sorted(keys))))

    async def fold(self) -> None:
        """Clear away what rolling windows have left behind."""
        await self._ledger.fold()

    async def start(self, path: Path) -> None:
        """Listen.

        Raises:
            OSError: the socket cannot be made.
        """
        door = local_socket.listen(path)
        self._path = path
        self._spawn(self._decide_on())
        self._server = await asyncio.start_unix_server(self._serve, sock=door)

    async def stop(self) -> None:
        """End all connections; what is leased stays leased."""
        if self._server is not None:
            self._server.close()
        for line in list(self._lines.values()):
            line.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._gives:
            with contextlib.suppress(Exception):  # They stay leased until their holders' lives end.
                await self._ledger.serve((), gives=self._gives)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Carry one connection; whatever is not understood ends it."""
        self._connections += 1
        line: _Line | None = None
        try:
            if self._connections > CONNECTIONS_MAX:
                raise ValueError(f"more than {CONNECTIONS_MAX} connections")
            frames: Frames[FromWorker] = Frames(FromWorker)
            found = await asyncio.wait_for(_first(reader, frames), HELLO_S)
            if found is None:
                return
            hello, messages = found
            line = await self._greet(hello, writer)
            for message in messages:
                await self._take(line, message)
            while data := await reader.read(READ_BYTES):
                for message in frames.feed(data):
                    await self._take(line, message)
        except TimeoutError:
            _log.error("a connection to the ledger is cut: it did not say within %g s who it is", HELLO_S)
        except ValueError as error:
            _log.error("a connection to the ledger is cut: %s", error)
        except OSError:
            pass  # It is gone, which it may be.
        except SQLAlchemyError as error:  # The worker comes again.
            _log.exception("the ledger cannot greet a worker")
            self.trouble = _reason(error)
        finally:
            self._connections -= 1
            if line is not None and self._lines.get(line.holder) is line:
                del self._lines[line.holder]
                self._rates.leave(line.holder)
            if line is not None:
                line.cut()
            writer.transport.abort()

    async def _greet(self, hello: Hello, writer: StreamWriter) -> _Line:
        if not 0 < len(hello.holder) <= NAME_MAX or not 0 < len(hello.worker) <= NAME_MAX:
            raise ValueError("a name in Hello is empty or too long")
        if any(amount > AMOUNT_MAX for amount in hello.leased.values()):
            raise ValueError("a lease in Hello is too large")
        holder = f"{self._host}/{hello.holder}"
        pid, born = peer_of(writer.get_extra_info("socket"))
        life = Life(holder, self._host, hello.worker, pid, born)
        async with self._turn:
            if (other := self._lines.pop(holder, None)) is not None:
                other.cut()
                self._rates.leave(holder)
            # This Hello leaves out what was given back on the line before: the table's excess is taken back, once.
            for given in [given for given in self._gives if given[1] == holder]:
                del self._gives[given]
            await self._ledger.greet(life, hello.leased)
            line = self._lines[holder] = _Line(holder, hello.worker, writer)
        now_s = self._now_s()
        for key, amount in hello.leased.items():
            rule = self._rule_of(key)
            if isinstance(rule, Limit):
                self._rates.believe(rule, key, holder, amount, now_s)
        return line

    def _stands(self, line: _Line) -> bool:
        """Tell whether the worker can still be answered; of what went before, the next Hello tells what it has."""
        return not line.is_cut and self._lines.get(line.holder) is line

    async def _take(self, line: _Line, message: FromWorker) -> None:
        if not self._stands(line):
            return
        match message:
            case Ask():
                _check(message)
                if not self._knows(message):
                    return
                while len(self._waiting) >= WAITING_MAX:
                    self._has_room.clear()
                    await self._has_room.wait()
                self._waiting.append((line, message, False))
                self._is_due.set()
            case Give():
                if any(not 0 <= amount <= AMOUNT_MAX for amount in message.amounts.values()):
                    raise ValueError("an amount that is given back is negative or too large")
                now_s = self._now_s()
                for key, amount in message.amounts.items():
                    if not self._rates.give(key, line.holder, amount, now_s) and amount:
                        self._gives[key, line.holder] += amount
                line.heard(message)
                self._is_due.set()
            case Hello():
                raise ValueError(f"{line.holder} says Hello a second time")

    async def _decide_on(self) -> None:
        """Decide what has gathered, until the service stops."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            while self._waiting or self._gives:
                async with self._turn:
                    is_done = await self._decide_some()
                if not is_done:
                    await asyncio.sleep(PAUSE_S)

    async def _decide_some(self) -> bool:
        """Decide as much as goes into one transaction; False where it failed and nobody knows what it did."""
        taken = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        self._has_room.set()
        batch = [question for question in taken if self._stands(question[0])]
        gives, self._gives = self._gives, Counter()
        if not batch and not gives:
            return True
        try:
            await self._decide(batch, gives)
        except Exception as error:  # the database may be away for any reason
            if not self.trouble:
                _log.exception("the ledger cannot be reached; workers go by their doubts")
            self.trouble = _reason(error)
            # What was given back is not tried again: the giver's next Hello tells what it has, and the rest is lost.
            for holder in {line.holder for line, _, _ in batch} | {holder for _, holder in gives}:
                if (line := self._lines.get(holder)) is not None:
                    line.cut()
            return False
        self.trouble = ""
        return True

    async def _decide(self, batch: Sequence[tuple[_Line, Ask, bool]], gives: Mapping[tuple[str, str], int]) -> None:
        now_s = self._now_s()
        limits: dict[str, Limit] = {}
        rates: dict[str, Standing] = {}
        for _, ask, _ in batch:
            for want in ask.wants:
                rule = self._rules.get(want.rule)
                if isinstance(rule, Limit):
                    key = account_key(want.rule, want.values)
                    limits[key] = rule
                    rates[key] = self._rates.standing(rule, key, now_s)
        decisions = await self._ledger.serve(
            [Question(line.holder, ask.wants, is_last) for line, ask, is_last in batch],
            gives=gives,
            workers=len(self._lines),
            beside=rates,
        )
        refused: list[tuple[_Line, Ask, str]] = []
        for (line, ask, is_last), decision in zip(batch, decisions, strict=True):
            if not self._stands(line):  # Nobody will hear of it.
                for account in decision.accounts:
                    if account.granted and account.key not in limits:
                        self._gives[account.key, line.holder] += account.granted
                continue
            for account in decision.accounts:
                if account.granted and account.key in limits:
                    self._rates.take(limits[account.key], account.key, line.holder, account.granted, now_s)
            if decision.is_granted or is_last:
                line.send(_answer(ask, decision))
            else:
                refused.append((line, ask, decision.accounts[0].key))
        if refused:
            self._spawn(self._recall(refused))

    async def _recall(self, refused: list[tuple[_Line, Ask, str]]) -> None:
        """Ask every worker for what it does not need of what was short, then have the questions decided for good."""
        waiters: list[tuple[_Line, tuple[set[str], Future[None]]]] = []
        try:
            keys = {key for _, _, key in refused}
            holders = self._rates.lessees(keys)
            for holder, found in (await self._ledger.lessees(keys)).items():
                holders.setdefault(holder, set()).update(found)
            for holder, found in holders.items():
                if (line := self._lines.get(holder)) is not None:
                    recall = (found, asyncio.get_running_loop().create_future())
                    line.recalls.append(recall)
                    waiters.append((line, recall))
                    line.send(Recall(tuple(sorted(found))))
            if waiters:
                await asyncio.wait([waiter for _, (_, waiter) in waiters], timeout=RECALL_S)
        except (SQLAlchemyError, OSError) as error:
            if not self.trouble:
                _log.exception("neighbours cannot be asked for what they do not need")
            self.trouble = _reason(error)
        finally:  # Whatever it was, the questions are answered without the neighbours' help.
            for line, recall in waiters:
                line.recalls.remove(recall)
            self._waiting.extend([(line, ask, True) for line, ask, _ in refused])
            self._is_due.set()

    def _knows(self, ask: Ask) -> bool:
        """Tell whether there is an answer; without one, the worker is in doubt and does as its rule says."""
        for want in ask.wants:
            known = want.rule in self._rules or self._ledger.budget_of(account_key(want.rule, want.values)) is not None
            if not known:
                if want.rule not in self._unknown and len(self._unknown) < UNKNOWN_MAX:
                    self._unknown.add(want.rule)
                    _log.error("a question about %s is not answered: the keeper knows no such rule", want.rule)
                return False
        return True

    def _rule_of(self, key: str) -> Rule | None:
        name = key
        while name:
            if (rule := self._rules.get(name)) is not None:
                return rule
            name = name.rpartition("|")[0]
        return None

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _now_s(self) -> float:
        return self._clock.unix_ns() / 1e9


async def _first(reader: StreamReader, frames: Frames[FromWorker]) -> tuple[Hello, list[FromWorker]] | None:
    """Read until a connection has said who it is; None where it ends before."""
    while data := await reader.read(READ_BYTES):
        if messages := frames.feed(data):
            hello, *others = messages
            if not isinstance(hello, Hello):
                raise ValueError("the first message is not Hello")
            return hello, others
    return None


def _check(ask: Ask) -> None:
    if len(ask.wants) > WANTS_MAX:
        raise ValueError(f"a question has {len(ask.wants)} wants, more than {WANTS_MAX}")
    for want in ask.wants:
        # One that is too large is refused like any other: a client may ask for it, and the line is all clients'.
        if want.need < 0 or want.like < 0:
            raise ValueError("an amount that is asked for is negative")


def _answer(ask: Ask, decision: Decision) -> Answer:
    return Answer(ask.number, decision.accounts, decision.is_granted)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:500]
