"""An hour of two production services, replayed: the bill must be what an independent sum says, to the nano-dollar.

The traces are Azure's (AzureLLMInferenceTrace_{conv,code}.csv of Azure/AzurePublicDataset, CC-BY-4.0; Patel et al.,
"Splitwise", ISCA 2024). `WK_TRACES` names their folder. A line is a call: its time, its tokens in and out.
The scripted upstream reports those counts; gateway, spool, ingest, ledger and store are the real ones.
"""

import asyncio
import csv
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from bench.figure import Figure, Settings, Target
from watchkeeper.testing import Asked, Upstream
from watchkeeper.testing.harness import Installation
from watchkeeper.testing.scripts import Delivery
from watchkeeper.testing.steps import Step
from watchkeeper.testing.waiting import wait_until

SPEED = 60
FOLDER = Path(os.environ.get("WK_TRACES", "traces"))
CONNECTIONS = 128
STORED_WITHIN_S = 120.0


class Service(NamedTuple):
    """One of the two."""

    feature: str
    file: str
    model: str
    input_usd: Decimal
    """For a million tokens, as published; not from the price book that is being checked."""
    output_usd: Decimal


SERVICES = (
    Service("conversation", "azure-llm-2023-conversation.csv", "gpt-4o", Decimal("2.50"), Decimal("10.00")),
    Service("code", "azure-llm-2023-code.csv", "gpt-4o-mini", Decimal("0.15"), Decimal("0.60")),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One call of a trace."""

    at_s: float
    service: Service
    sent: int
    got: int

    @property
    def nusd(self) -> int:
        """What it costs: each kind of token rounded half up to a nano-dollar."""
        return _rounded(self.sent * self.service.input_usd) + _rounded(self.got * self.service.output_usd)


def measure(settings: Settings) -> list[Figure]:
    """Replay, wait until all is stored, and compare."""
    lines = _read()
    if not lines:
        return [
            Figure(name="trace replay", value=0, unit="calls", note=f"There are no traces in {FOLDER}; set WK_TRACES.")
        ]
    if settings.is_quick:
        lines = lines[:400]
    with Upstream() as upstream:
        upstream.always(_Counted())
        with Installation(settings.scratch / "trace", _config(upstream.base_url), workers=2) as installation:
            keys = {service: installation.make_key("--feature", service.feature) for service in SERVICES}
            took_s, statuses = asyncio.run(_replay(installation.port, keys, lines))
            bill = wait_until(lambda: _bill(installation, len(lines)), within_s=STORED_WITHIN_S, every_s=1.0)
            accounts = _settled(installation)
    expected = Counter[str]()
    for line in lines:
        expected[line.service.feature] += line.nusd
    off = sum(abs(bill[name] - nusd) + abs(accounts.get(name, 0) - nusd) for name, nusd in expected.items())
    calls = f"{len(lines):,} calls in {took_s:.0f} s ({lines[-1].at_s / took_s:.0f} x), answers {dict(statuses)}"
    told = ", ".join(f"{name} ${nusd / 1e9:.6f}" for name, nusd in expected.items())
    return [
        Figure(
            name="bill and ledger less the independent sum",
            value=off,
            unit="nUSD",
            target=Target("below", 1),
            note=f"{calls}; {told}.",
        ),
        *_minutes(lines),
    ]


def _minutes(lines: list[Line]) -> Iterator[Figure]:
    """Yield what a minute takes: half of them, and all but one in a hundred, stay below; and at ten times the load."""
    for service in SERVICES:
        tokens, cost = Counter[int](), Counter[int]()
        for line in lines:
            if line.service is service:
                tokens[int(line.at_s // 60)] += line.sent + line.got
                cost[int(line.at_s // 60)] += line.nusd
        for name, by_minute, unit in (("tokens", tokens, "tokens"), ("money", cost, "nUSD")):
            minutes = sorted(by_minute[minute] for minute in range(int(lines[-1].at_s // 60) + 1))
            half, most = statistics.median(minutes), minutes[min(len(minutes) - 1, int(len(minutes) * 0.99))]
            yield Figure(
                name=f"{service.feature}: {name} in a minute, P99",
                value=most,
                unit=unit,
                note=f"P50 {half:,.0f}; at ten times the load {most * 10:,.0f}.",
            )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Answers with the token counts that the request's one message asks for: `4808 10`."""

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        sent, got = map(int, asked.json["messages"][0]["content"].split())
        usage = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
        message = {"role": "assistant", "content": "word " * 5}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {"id": f"chatcmpl-{asked.number}", "object": "chat.completion", "created": 1, "model": asked.model}
        return Delivery().document(json.dumps(reply | {"choices": [choice], "usage": usage}).encode())


def _read() -> list[Line]:
    lines: list[Line] = []
    for service in SERVICES:
        path = FOLDER / service.file
        if not path.exists():
            return []
        with path.open(newline="") as handle:
            for row in csv.DictReader(handle):
                at = datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp()
                lines.append(Line(at, service, int(row["ContextTokens"]), int(row["GeneratedTokens"])))
    lines.sort(key=lambda line: line.at_s)
    first = lines[0].at_s
    return [Line(line.at_s - first, line.service, line.sent, line.got) for line in lines]


def _config(upstream: str) -> str:
    return f"""
providers:
  scripted: {{base_url: "{upstream}", api_key: sk-fake, price_list: openai}}
features:
  conversation: {{owner: ana@example.com, cost_owner: finance@example.com}}
  code: {{owner: ana@example.com, cost_owner: finance@example.com}}
routes:
  gpt-4o: {{targets: [scripted/gpt-4o]}}
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
budgets:
  - {{name: conversation, scope: {{feature: conversation}}, limit: 10000 USD, window: calendar-month}}
  - {{name: code, scope: {{feature: code}}, limit: 10000 USD, window: calendar-month}}
"""


async def _replay(port: int, keys: dict[Service, str], lines: list[Line]) -> tuple[float, Counter[int]]:
    """Make each call at its time, sixty times as fast; return how long it took, and the answers' statuses."""
    statuses: Counter[int] = Counter()
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(_Connection(port))

    async def call(line: Line, connection: _Connection) -> None:
        statuses[await connection.ask(line, keys[line.service])] += 1
        free.put_nowait(connection)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for line in lines:
            early_s = line.at_s / SPEED - (time.monotonic() - began)
            if early_s > 0:
                await asyncio.sleep(early_s)
            group.create_task(call(line, await free.get()))
    return time.monotonic() - began, statuses


class _Connection:
    """One client's; it is opened at its first call."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, line: Line, key: str) -> int:
        """Make one call and return its status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        asked: dict[str, Any] = {"model": line.service.model, "max_tokens": max(1, line.got)}
        body = json.dumps(asked | {"messages": [{"role": "user", "content": f"{line.sent} {line.got}"}]}).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(int(field.split(":")[1]) for field in head.splitlines() if field.startswith("content-length"))
        await reader.readexactly(length)
        return int(head.split()[1])


def _bill(installation: Installation, calls: int) -> dict[str, int] | None:
    """Return what each feature costs once all calls are stored."""
    found = installation.cli_json("cost", "--by", "feature", "--last", "1h")
    groups = found["groups"]
    if sum(group["spend"]["calls"] for group in groups) < calls:
        return None
    return {group["names"]["feature"]: int(Decimal(group["spend"]["cost_usd"]) * 10**9) for group in groups}


def _settled(installation: Installation) -> dict[str, int]:
    found = installation.cli_json("budgets")["accounts"]
    return {account["budget"]: int(Decimal(account["settled"]) * 10**9) for account in found}


def _rounded(usd_times_tokens: Decimal) -> int:
    """Tokens times dollars a million, in nano-dollars."""
    return int((usd_times_tokens * 1000).quantize(Decimal(1), ROUND_HALF_UP))
