"""Many clients that call without pause and remember what was acknowledged."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from watchkeeper.testing.harness import Installation

BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"one two three"}]}'
STREAM_BODY = BODY.replace(b"{", b'{"stream":true,', 1)


@dataclass(slots=True)
class Acknowledged:
    """A call whose whole answer arrived."""

    id: str
    at: float
    """`time.monotonic()` when its last byte was read."""


@dataclass(slots=True)
class Load:
    """Clients that run while the block does."""

    installation: Installation
    clients: int = 8
    acknowledged: list[Acknowledged] = field(default_factory=list[Acknowledged])
    refused: list[int] = field(default_factory=list[int])
    """Statuses of answers other than 200."""
    broken: int = 0
    """Connections refused or cut; nothing was acknowledged then."""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._call_on, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _call_on(self, number: int) -> None:
        body = STREAM_BODY if number % 2 else BODY
        headers = {"authorization": f"Bearer {self.installation.key}", "content-type": "application/json"}
        client = httpx.Client(base_url=self.installation.base_url, headers=headers, timeout=20)
        while not self._is_over.is_set():
            try:
                reply = client.post("/chat/completions", content=body)
            except httpx.TransportError:
                self.broken += 1
                client.close()
                client = httpx.Client(base_url=self.installation.base_url, headers=headers, timeout=20)
                self._is_over.wait(0.02)
                continue
            if reply.status_code == 200:
                self.acknowledged.append(Acknowledged(reply.headers["x-wk-call-id"], time.monotonic()))
            else:
                self.refused.append(reply.status_code)
                self._is_over.wait(0.02)
        client.close()
