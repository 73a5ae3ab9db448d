"""A dollar, five hundred calls at once, four workers that are killed in between: no more is spent than there is."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.databases import new_database
from tests.e2e.conftest import FEATURES
from tests.e2e.load import Load

from watchkeeper.core.money import NUSD_PER_USD, nusd
from watchkeeper.testing import Delivery, Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

SEED = 20261121
CONCURRENT = 500
OUTPUT_TOKENS = 200
MOST_TOKENS = 400
LIMIT = NUSD_PER_USD
KEY = "a-dollar|support"
QUESTION = [{"role": "user", "content": "Count."}]
REPLY = Reply("word " * OUTPUT_TOKENS, delivery=Delivery(head_s=0.2))


@pytest.fixture(params=["sqlite", "postgresql"])
def control(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the configuration says of the control database; nothing for the embedded one."""
    if request.param == "sqlite":
        yield ""
        return
    server: str = request.getfixturevalue("postgresql")
    with new_database(server) as url:
        yield f'stores: {{control: "{url}"}}'


@pytest.fixture
def installation(tmp_path: Path, upstream: Upstream, control: str) -> Iterator[Installation]:
    config = f"""
{control}
providers:
  scripted: {{base_url: "{upstream.base_url}", api_key: sk-fake, price_list: openai}}
{FEATURES}
routes:
  gpt-4o: {{targets: [scripted/gpt-4o], retries: {{attempts: 1}}, breaker: {{failures: 1000}}}}
budgets:
  - {{name: a-dollar, scope: {{feature: support}}, limit: 1.00 USD, window: lifetime}}
"""
    with Installation(tmp_path, config, workers=4) as installation:
        yield installation


def test_five_hundred_calls_at_once_spend_no_more_than_a_dollar(installation: Installation, upstream: Upstream) -> None:
    upstream.always(REPLY)
    key = _known_key(installation)
    statuses = asyncio.run(_call_until_refused(installation, key, kills=0))
    assert set(statuses) == {200, 429}
    account = _at_rest(installation)
    assert account.settled <= LIMIT
    assert account.settled > LIMIT * 0.95
    assert account.leased == 0
    assert account.settled == _stored(installation)
    # What the provider has billed: every answer it gave, at its published price.
    assert account.settled == statuses.count(200) * _price_of_one(installation)


def test_what_killed_workers_held_stays_held_until_it_is_resolved(
    installation: Installation, upstream: Upstream
) -> None:
    upstream.always(REPLY)
    key = _known_key(installation)
    asyncio.run(_call_until_refused(installation, key, kills=3))
    account = _at_rest(installation)
    rows = [row for row in installation.cli_json("budgets", "holds")["holds"] if row["state"] == "open"]
    billed = len(upstream.received) * _price_of_one(installation)
    open_holds = sum(nusd(row["held"]) for row in rows)
    assert account.unresolved == open_holds
    assert account.settled + open_holds <= LIMIT
    assert billed <= LIMIT
    # Whatever the provider has billed is either settled, or held until somebody says what it was.
    assert account.settled <= billed <= account.settled + open_holds
    for row in rows[:3]:
        installation.cli_json("budgets", "resolve", str(row["id"]), "--amount", "0.0001")
    account = _at_rest(installation)
    assert account.unresolved == open_holds - sum(nusd(row["held"]) for row in rows[:3])
    assert account.settled == _stored(installation) + len(rows[:3]) * 100_000
    assert installation.cli_json("budgets", "verify")["differences"] == []


def test_a_keeper_that_restarts_has_nobody_refused(tmp_path: Path, upstream: Upstream) -> None:
    config = f"""
providers:
  scripted: {{base_url: "{upstream.base_url}", api_key: sk-fake, price_list: openai}}
{FEATURES}
routes:
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
budgets:
  - {{name: roomy, scope: {{organisation: "*"}}, limit: 100 USD}}
limits:
  - {{scope: {{organisation: "*"}}, requests: 100000}}
"""
    with Installation(tmp_path, config, workers=2) as installation:
        with Load(installation) as load:
            for _ in range(2):
                time.sleep(1.5)
                installation.kill(wait_until(lambda: installation.pids("keeper"), within_s=30)[0])
            wait_until(lambda: installation.pids("keeper"), within_s=30)
            time.sleep(3.0)
        assert load.refused == [] and len(load.acknowledged) > 100
        time.sleep(5.0)
        account = _account(installation, "roomy|*")
        assert account.settled == _stored(installation) > 0
        assert account.leased < NUSD_PER_USD // 100, "but for what was said while the keeper died"
        assert installation.cli_json("budgets", "verify")["adds_up"]


def _known_key(installation: Installation) -> str:
    """Make a key and wait until every worker knows it, which takes less than a second."""
    key = installation.make_key("--feature", "support")
    time.sleep(1.0)
    return key


async def _call_until_refused(installation: Installation, key: str, *, kills: int) -> list[int]:
    """Call with so many clients at once until all of them are refused; kill workers in between."""
    statuses: list[int] = []
    choose = random.Random(SEED)

    async def some(number: int) -> None:
        for step in range(20):
            status = await _ask(installation.port, key, is_stream=bool((number + step) % 2))
            if status is None:
                await asyncio.sleep(0.2)
                continue
            statuses.append(status)
            if status == 429:
                return

    calls = [asyncio.create_task(some(number)) for number in range(CONCURRENT)]
    for _ in range(kills):
        await asyncio.sleep(0.4)
        running = installation.pids("worker")
        if running:
            installation.kill(choose.choice(running))
    await asyncio.gather(*calls)
    return statuses


async def _ask(port: int, key: str, *, is_stream: bool) -> int | None:
    """Make one call on a connection of its own; None when the worker died."""
    body = json.dumps(
        {"model": "gpt-4o", "max_tokens": MOST_TOKENS, "stream": is_stream, "messages": QUESTION}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        reply = await reader.read()
        writer.close()
    except ConnectionError:
        return None
    is_whole = b"[DONE]" in reply if is_stream and b" 200 " in reply[:20] else b"}" in reply[-3:]
    return int(reply[9:12]) if is_whole else None


class Account(NamedTuple):
    """How the dollar stands, in nano-dollars."""

    settled: int
    leased: int
    unresolved: int


def _account(installation: Installation, key: str = KEY) -> Account:
    found = installation.cli_json("budgets")["accounts"]
    account = next(account for account in found if account["key"] == key)
    return Account(*[nusd(account[name]) for name in Account._fields])


def _at_rest(installation: Installation, key: str = KEY) -> Account:
    """Wait until all is settled and nothing is leased."""
    time.sleep(1.0)
    wait_until(lambda: _account(installation, key).leased == 0, within_s=60, every_s=0.5)
    return _account(installation, key)


def _stored(installation: Installation) -> int:
    """Return the sum of what the stored calls cost, in nano-dollars."""
    return nusd(installation.cli_json("cost", "--last", "1h")["total"]["cost_usd"])


def _price_of_one(installation: Installation) -> int:
    found = installation.cli_json("calls", "--status", "ok", "--limit", "1")["calls"]
    return nusd(found[0]["cost"]["amount_usd"])
