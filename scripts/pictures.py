"""Takes the pictures of the console that the documentation shows: `make pictures`.

The console runs here over its own stores, filled with the demo day of `watchkeeper.testing.demo` and under a clock that
stands still, so that they show the same day each time; only the ids of keys differ.
"""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from playwright.async_api import async_playwright

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.roles import Grant
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import SESSION_COOKIE
from watchkeeper.api.services import Services
from watchkeeper.console.app import mount
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.ingest.rows import add_call
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.control import ControlStore
from watchkeeper.store.keys import KeyDraft
from watchkeeper.store.rows import CallFilter
from watchkeeper.testing import FakeClock
from watchkeeper.testing.demo import demo_day
from watchkeeper.testing.harness import free_port

IMAGES = Path(__file__).parents[1] / "docs" / "images"
NOW = datetime(2026, 3, 4, 15, 10, tzinfo=UTC)
SIZE = {"width": 1440, "height": 900}
SESSION = "pictures"
DAYS = 2
"""The day that is shown, and the one before it to compare with."""


async def main() -> None:
    """Fill the stores, serve the console, and write `docs/images/*.png`."""
    with TemporaryDirectory() as folder:
        clock = FakeClock()
        analytics = AnalyticsStore.open(f"chdb://{folder}/analytics")
        control = await ControlStore.open(f"sqlite:///{folder}/control.db", clock)
        services = _services(analytics, control, clock)
        _record_calls(analytics)
        await _change_things(services, clock)
        found = await analytics.calls(CallFilter(feature="support", status="ok", is_stream=True), limit=400)
        rescued = next(row for row in found.rows if row.attempt_count > 1)
        port = free_port()
        app = build_api(services)
        mount(app, services)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.05)
        await _take(f"http://127.0.0.1:{port}", {"overview": "/", "call": f"/calls/{rescued.id}"})
        server.should_exit = True
        await serving
        await control.close()
        analytics.close()


def _services(analytics: AnalyticsStore, control: ControlStore, clock: FakeClock) -> Services:
    return Services(
        control=control,
        analytics=analytics,
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=Pseudonyms(b"p" * 32),
        clock=clock,
        on_control_change=lambda: None,
        health=lambda: {"config": {}, "ingest": {"accepted": 0, "stored": 0}},
        declared_features=frozenset,
        gateway_url="http://127.0.0.1:4000/v1",
        first_model=lambda: "support-chat",
        routing=lambda: None,
    )


def _record_calls(analytics: AnalyticsStore) -> None:
    pricer = BookPricer.by_list(
        PriceBook.of(installed()), {"openai": "openai", "anthropic": "anthropic", "local": "free"}
    )
    for day in range(DAYS):
        batch = CallBatch()
        for call in demo_day(_unix_ns(NOW - timedelta(days=day)), seed=day + 1):
            add_call(batch, call, pricer, stored_us=int(call.started_ns / 1_000 + call.duration_ms * 1_000))
        analytics.insert_calls(batch, token=f"day-{day}")


async def _change_things(services: Services, clock: FakeClock) -> None:
    """Make two keys and a change of configuration during the day, and sign in."""
    people, keys, changes = services.control.people, services.control.keys, services.control.changes
    for hours, feature, name in ((15, "support", "production backend"), (11, "search", "search service")):
        clock.set_unix_ns(_unix_ns(NOW - timedelta(hours=hours)))
        await keys.create(services.key_hasher, KeyDraft(feature=feature, name=name), actor="ana")
    clock.set_unix_ns(_unix_ns(NOW - timedelta(hours=5, minutes=40)))
    await changes.note("config", "configuration 5c1f0b9a2e7d", actor="file")
    clock.set_unix_ns(_unix_ns(NOW))
    await people.add_user("ana", "", actor="local", grants=[Grant("admin")])
    await people.begin_session(services.token_hasher.hash(SESSION), "ana")


async def _take(address: str, pages: dict[str, str]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = await browser.new_context(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]  # a ViewportSize
        await context.add_cookies([{"name": SESSION_COOKIE, "value": SESSION, "url": address}])
        for name, path in pages.items():
            page = await context.new_page()
            await page.goto(address + path, wait_until="load")
            await page.screenshot(path=IMAGES / f"{name}.png")
        await browser.close()


def _unix_ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9


if __name__ == "__main__":
    asyncio.run(main())
