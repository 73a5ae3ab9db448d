"""The worker's line to the ledger: questions, answers, and what is given back. It mends itself."""

import asyncio
import logging
import socket
from asyncio import AbstractEventLoop, Task, TimerHandle, Transport
from collections.abc import Callable
from typing import Protocol, cast

from watchkeeper.money.leases import Answer, Ask, Frames, FromKeeper, Give, Hello, Recall, Want, frame

ASK_S = 3.0
"""A question that is not answered within this is given up; a keeper that restarts is back sooner."""
AGAIN_S = 0.2
"""Between two tries to reach the keeper."""

Then = Callable[[Answer | None], None]
"""What is done with an answer; None when there is none."""

_log = logging.getLogger("watchkeeper.ledger")


class Ledger(Protocol):
    """Who grants leases."""

    @property
    def is_connected(self) -> bool:
        """What is said now is heard."""
        ...

    def ask(self, wants: tuple[Want, ...], then: Then) -> None:
        """Ask for leases; `then` is called once, later, on the loop."""
        ...

    def give(self, amounts: dict[str, int]) -> None:
        """Give leases back."""
        ...


class NoLedger:
    """Answers nothing: where there are no budgets, nobody asks."""

    @property
    def is_connected(self) -> bool:
        """There is nobody."""
        return False

    def ask(self, wants: tuple[Want, ...], then: Then) -> None:
        """There is no answer."""
        then(None)

    def give(self, amounts: dict[str, int]) -> None:
        """Nobody takes it."""


class Teller:
    """Speaks to the ledger over a socket."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        connect: Callable[[], socket.socket],
        hello: Callable[[], Hello],
        on_recall: Callable[[tuple[str, ...]], None],
    ) -> None:
        """Prepare.

        Args:
            connect: Opens the socket; may raise OSError.
        """
        self._loop = loop
        self._connect = connect
        self._hello = hello
        self._on_recall = on_recall
        self._transport: Transport | None = None
        self._number = 0
        self._asked: dict[int, tuple[Ask, Then, TimerHandle]] = {}
        self._task: Task[None] | None = None
        self._is_gone = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """See `Ledger.is_connected`."""
        return self._transport is not None

    def start(self) -> None:
        """Connect, and again whenever the line breaks."""
        self._task = self._loop.create_task(self._stay_connected())

    def stop(self) -> None:
        """Hang up; questions that are open stay without an answer."""
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.close()
        for number in list(self._asked):
            self._settle(number, None)

    def ask(self, wants: tuple[Want, ...], then: Then) -> None:
        """See `Ledger.ask`; while the line is down the question waits, up to `ASK_S`."""
        self._number += 1
        question = Ask(self._number, wants)
        timer = self._loop.call_later(ASK_S, self._settle, self._number, None)
        self._asked[self._number] = (question, then, timer)
        if self._transport is not None:
            self._transport.write(frame(question))

    def give(self, amounts: dict[str, int]) -> None:
        """See `Ledger.give`; what cannot be given back now is told with the next `Hello` as not leased any more."""
        if self._transport is not None:
            self._transport.write(frame(Give(amounts)))

    async def _stay_connected(self) -> None:
        while True:
            self._is_gone = asyncio.Event()
            try:
                await self._loop.create_unix_connection(lambda: _Line(self), sock=self._connect())
            except OSError:
                await asyncio.sleep(AGAIN_S)
                continue
            await self._is_gone.wait()
            await asyncio.sleep(AGAIN_S)

    # what the line calls

    def on_open(self, transport: Transport) -> None:
        """The line stands: who we are, then what is still to be asked."""
        self._transport = transport
        transport.write(frame(self._hello()))
        for question, _, _ in self._asked.values():
            transport.write(frame(question))

    def on_message(self, message: FromKeeper) -> None:
        """The keeper says something."""
        match message:
            case Answer():
                self._settle(message.number, message)
            case Recall():
                self._on_recall(message.keys)

    def on_lost(self) -> None:
        """The line is broken."""
        self._transport = None
        self._is_gone.set()

    def _settle(self, number: int, answer: Answer | None) -> None:
        found = self._asked.pop(number, None)
        if found is None:  # the answer came after the time was up: what it grants goes back
            if answer is not None and answer.is_granted:
                self.give({told.key: told.granted for told in answer.accounts if told.granted})
            return
        _, then, timer = found
        timer.cancel()
        then(answer)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._frames: Frames[FromKeeper] = Frames(FromKeeper)
        self._transport: Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(Transport, transport)
        self._teller.on_open(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._frames.feed(data):
                self._teller.on_message(message)
        except ValueError as error:
            _log.error("the ledger's line is closed: %s", error)
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._teller.on_lost()
