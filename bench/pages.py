"""How long lists, one call and a day's overview take with millions of calls stored, as its clients see it."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx

from bench.figure import Figure, Settings, Target, median
from bench.idle import CONFIG
from watchkeeper.server.folder import DataFolder
from watchkeeper.testing.harness import Installation

DAYS = 5
ROUNDS = 20
FILL_WITHIN_S = 3600.0
SETTLE_S = 20
"""For the store to merge what has just been inserted, as it would have done meanwhile."""
LIMITS_MS = {"Calls": 100.0, "one call": 50.0, "Overview of a day": 250.0}


def measure(settings: Settings) -> list[Figure]:
    """Fill a store, start an installation on it, and ask for each page again and again, with other calls each time."""
    total = settings.pick(5_000_000, 50_000)
    folder = settings.scratch / "pages"
    data = DataFolder(folder / "data")
    data.create()
    command = [sys.executable, "-m", "bench.stockpile", str(data.root), str(total), str(DAYS)]
    subprocess.run(command, check=True, timeout=FILL_WITHIN_S)
    with Installation(folder, CONFIG) as running:
        time.sleep(settings.pick(SETTLE_S, 1))
        transport = httpx.HTTPTransport(uds=str(running.data / "run" / "keeper.sock"))
        rows: list[Figure] = []
        with httpx.Client(transport=transport, base_url="http://watchkeeper", timeout=60) as api:
            ids = _some_ids(api)
            rows += _timed("API", _api_pages(api, ids), total)
        with httpx.Client(base_url=running.console_url, headers={"origin": running.console_url}, timeout=60) as browser:
            token = parse_qs(urlsplit(running.sign_in_url).query)["token"][0]
            browser.post("/login", data={"token": token, "back": "/"})
            rows += _timed("page", _console_pages(browser, ids), total)
    return rows


def _some_ids(api: httpx.Client) -> list[str]:
    """Return ids of calls from all over the store."""
    now = datetime.now(UTC)
    moments = [now - timedelta(days=DAYS) * share / (ROUNDS + 1) for share in range(ROUNDS)]
    pages = [api.get("/api/v1/calls", params={"until": moment.isoformat(), "limit": 1}).json() for moment in moments]
    return [page["calls"][0]["id"] for page in pages]


def _api_pages(api: httpx.Client, ids: list[str]) -> dict[str, Callable[[int], httpx.Response]]:
    return {
        "Calls": lambda _: api.get("/api/v1/calls", params={"limit": 50}),
        "Calls, filtered": lambda at: api.get(
            "/api/v1/calls", params={"feature": f"feature-{at % 12}", "status": "error"}
        ),
        "Calls, searched": lambda at: api.get("/api/v1/calls", params={"search": f"w{at * 37} w{at * 91}"}),
        "facets of a day": lambda _: api.get("/api/v1/facets", params={"since": "24h"}),
        "one call": lambda at: api.get(f"/api/v1/calls/{ids[at]}"),
        "Overview of a day": lambda _: api.get("/api/v1/overview", params={"since": "24h", "steps": 96}),
    }


def _console_pages(browser: httpx.Client, ids: list[str]) -> dict[str, Callable[[int], httpx.Response]]:
    return {
        "Calls": lambda _: browser.get("/calls"),
        "one call": lambda at: browser.get(f"/calls/{ids[at]}"),
        "Overview of a day": lambda _: browser.get("/", params={"window": "24h"}),
    }


def _timed(kind: str, pages: dict[str, Callable[[int], httpx.Response]], total: int) -> list[Figure]:
    return [_figure(f"{name} ({kind})", LIMITS_MS.get(name), ask, total) for name, ask in pages.items()]


def _figure(name: str, limit_ms: float | None, ask: Callable[[int], httpx.Response], total: int) -> Figure:
    times_ms = []
    for at in range(ROUNDS):
        started = time.perf_counter()
        reply = ask(at)
        times_ms.append((time.perf_counter() - started) * 1000)
        if reply.status_code != 200:
            raise RuntimeError(f"{name} was answered {reply.status_code}: {reply.text[:200]}")
    return Figure(
        name=name,
        value=median(times_ms),
        unit="ms",
        target=Target("below", limit_ms) if limit_ms else None,
        note=f"{total:,} calls over {DAYS} days; first {times_ms[0]:.0f} ms, slowest {max(times_ms):.0f} ms.",
        samples={"ms": times_ms},
    )
