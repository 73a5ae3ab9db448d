"""What the gateway adds to one call at a time, against the direct call."""

import contextlib
import gc
import socket
import time
from typing import Self

from bench import calls, machine
from bench.figure import Figure, Settings, Target, percentile
from bench.gateway import gateway, swept_spool
from bench.nginx import reverse_proxy, static_reply

BLOCK = 250
"""Calls to one address before the next has its turn: short, so that a slow moment of the machine hits all alike."""


def measure(settings: Settings) -> list[Figure]:
    """Call the upstream directly, through nginx and through the worker, in turns, from one blocking socket each."""
    count = settings.pick(20_000, 1_000)
    scratch = settings.scratch / "latency"
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        upstream = enter(static_reply(scratch / "upstream", calls.reply_body(), core=machine.LOAD_CORE))
        proxy = enter(reverse_proxy(scratch / "proxy", upstream, core=machine.SERVED_CORE))
        worker = enter(gateway(scratch / "on", upstream, records=True, core=machine.SERVED_CORE))
        enter(swept_spool(worker))
        enter(machine.staying_on(machine.LOAD_CORE))
        ports = {"direct": upstream, "nginx": proxy, "gateway": worker.port}
        callers = {name: enter(_Caller(port, worker.key)) for name, port in ports.items()}
        for caller in callers.values():
            caller.call_many(BLOCK)
        found: dict[str, list[float]] = {name: [] for name in callers}
        for _ in range(count // BLOCK):
            for name, caller in callers.items():
                found[name] += caller.call_many(BLOCK)
    return _figures(found)


def _figures(found: dict[str, list[float]]) -> list[Figure]:
    rows = []
    for share, limit in ((0.5, 0.15), (0.99, 1.0)):
        at = {name: percentile(samples, share) for name, samples in found.items()}
        rows.append(
            Figure(
                name=f"added latency, p{share * 100:.0f}",
                value=at["gateway"] - at["direct"],
                unit="ms",
                target=Target("below", limit),
                note=f"Direct {at['direct']:.3f} ms, through nginx {at['nginx']:.3f}, through the gateway "
                f"{at['gateway']:.3f}; {len(found['gateway']):,} calls each.",
                samples=found if share == 0.5 else {},
            )
        )
    return rows


class _Caller:
    """One kept connection, one call at a time."""

    def __init__(self, port: int, key: str) -> None:
        self._request = calls.request_bytes(port, key)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call_many(self, count: int) -> list[float]:
        """Make so many calls; return the milliseconds each took."""
        gc.collect()
        gc.disable()
        try:
            return [self._call() for _ in range(count)]
        finally:
            gc.enable()

    def _call(self) -> float:
        sock = self._socket
        started = time.perf_counter_ns()
        sock.sendall(self._request)
        reply = sock.recv(65536)
        wanted = _length(reply)
        while len(reply) < wanted:
            reply += sock.recv(65536)
        ended = time.perf_counter_ns()
        if not reply.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"the call was answered {reply[:200]!r}")
        return (ended - started) / 1e6


def _length(reply: bytes) -> int:
    """Return how long a reply will be, head included; its head must be complete."""
    head, mark, _ = reply.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + len(mark) + int(line[15:])
    raise ValueError(f"a reply without a length: {head!r}")
