"""A whole installation, with calls in it, in front of a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from watchkeeper.testing import Delivery, ErrorReply, Reply, Upstream
from watchkeeper.testing.harness import Installation

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = "<script>document.title='owned'</script> & \"quotes\" " + "long " * 50


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("the browser tests need Chromium: apt-get install chromium")
        pytest.skip("the browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def ui_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, ui_upstream: Upstream) -> Iterator[Installation]:
    config = f"""
providers:
  scripted: {{base_url: "{ui_upstream.base_url}", api_key: sk-fake, price_list: openai}}
features:
  support: {{owner: ana@example.com, cost_owner: finance@example.com, stage: production}}
routes:
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
"""
    with Installation(tmp_path_factory.mktemp("ui"), config) as started:
        yield started


def ask(installation: Installation, question: str, *, stream: bool = False, **headers: str) -> str:
    """Make one call and return its id once it is stored."""
    body = {"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": question}]}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = httpx.post(
        f"{installation.base_url}/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {installation.key}", **names},
        timeout=20,
    )
    call_id = reply.headers["x-wk-call-id"]
    installation.call(call_id)
    return call_id


@pytest.fixture(scope="session")
def signed_in(browser: Browser, installation: Installation) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(installation.sign_in_url)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="session")
def calls(installation: Installation, ui_upstream: Upstream, signed_in: BrowserContext) -> dict[str, str]:
    """Ids of calls of several kinds, by what they are."""
    found = {"plain": ask(installation, "Where is my refund?", x_wk_tenant="acme", x_wk_session="s-1")}
    ui_upstream.plays(Reply("Once upon a time.", delivery=Delivery(pace_s=0.01)))
    found["stream"] = ask(installation, "Tell me a story.", stream=True, x_wk_session="s-1")
    found["hostile"] = ask(installation, HOSTILE, x_wk_feature="<b>bold</b>", x_wk_tags="<i>")
    ui_upstream.plays(ErrorReply(500))
    found["failed"] = ask(installation, "Break, please.")
    return found


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """A page on which an error in the console, or a request to anywhere else, fails the test."""
    opened = signed_in.new_page()
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda request: troubles.append(request.url) if "127.0.0.1" not in request.url else None)
    yield opened
    opened.close()
    assert troubles == []


AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
