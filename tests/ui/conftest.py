"""A whole installation, with calls in it, in front of a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from watchkeeper.testing import Delivery, ErrorReply, Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<script>document.title='owned'</script> & \"quotes\" " + "long " * 50
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=="
"""A picture of two by two points, PNG in base64."""
ELSEWHERE = "https://pictures.example/cat.png"
Content = str | list[dict[str, object]]

PAGES = (
    "/",
    "/calls?window=all",
    "/calls?window=all&live=1",
    "/calls?window=all&q=nobody-says-this",
    "/calls?window=never",
    "/charts/calls",
    "/charts/latency?window=1h",
    "/charts/cost?window=7d",
    "/cost",
    "/cost?by=tag&window=30d&tz=Europe/Berlin",
    "/budgets",
    "/budgets/edit?name=tenant%3D%2A%3Acalendar-month",
    "/features",
    "/features?window=7d&sort=cost&stage=production&find=sup",
    "/features/support",
    "/rollouts",
    "/rollouts?feature=support",
    "/drift",
    "/drift/support",
    "/playground",
    "/review",
    "/review?week=2026-W01&owner=finance@example.com",
    "/keys",
    "/access",
    "/access?find=nobody-of-this-name",
    "/health",
    "/start",
    "/account",
    "/patterns",
    "/patterns/money",
    "/patterns/access",
    "/patterns/releases",
    "/patterns/evals",
    "/evals",
    "/features/support/quality",
    "/patterns/drift",
    "/labels",
    "/patterns/labels",
    "/nowhere",
)
VIEWS = (
    "stream",
    "stream?view=timing",
    "stream?view=raw",
    "stream?view=replay",
    "pictures",
    "hostile",
    "failed",
    "routed",
    "cached",
    "stated",
    "blocks",
    "fitting",
    "release",
    "release/edit",
    "rollout",
    "playground",
    "label",
    "case",
)
"""Pages of single calls: the kind of call, and the view of it; of a release, a rollout, a queue of labels, a case."""


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
    with Installation(tmp_path_factory.mktemp("ui"), config_for(ui_upstream)) as started:
        yield started


@pytest.fixture(scope="session")
def signed_in(browser: Browser, installation: Installation) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(installation.sign_in_url)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
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
    found["pictures"] = ask(
        installation,
        [
            {"type": "text", "text": "What is in these pictures?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image_url", "image_url": {"url": ELSEWHERE}},
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg onload='alert(1)'/>"}},
        ],
    )
    ui_upstream.plays(ErrorReply(500), ErrorReply(500))
    found["failed"] = ask(installation, "Break, please.")
    ui_upstream.plays(ErrorReply(500, message="I am not well."), ErrorReply(500), model="gpt-4o")
    found["routed"] = ask(installation, "Whoever can.", model="pair")
    ask(installation, "Again and again.", model="kept")
    found["cached"] = ask(installation, "Again and again.", model="kept")
    ui_upstream.plays(ErrorReply(500))
    found["stated"] = ask(installation, "Say something.", model="stated")
    found["blocks"] = ask_in_blocks(installation, "Where is my parcel?")
    return found | releases_of(installation, ui_upstream)


@pytest.fixture
def page(signed_in: BrowserContext, installation: Installation) -> Iterator[Page]:
    """A page on which anything in the browser's console, or a request to anywhere else, fails the test."""
    opened = signed_in.new_page()
    troubles = watch(opened, installation)
    yield opened
    opened.close()
    assert troubles == []


def config_for(upstream: Upstream) -> str:
    """Return a configuration with a route of each kind that the pages tell apart."""
    return f"""
providers:
  scripted: {{base_url: "{upstream.base_url}", api_key: sk-fake, price_list: openai}}
features:
  support: {{owner: ana@example.com, cost_owner: finance@example.com, stage: production, unit_of_value: answer}}
routes:
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
  pair: {{targets: [scripted/gpt-4o, scripted/gpt-4o-mini]}}
  kept: {{targets: [scripted/gpt-4o-mini], cache: {{exact: {{ttl: 10m}}}}}}
  stated: {{targets: [scripted/gpt-4o-mini], on: {{upstream_error: {{retry: 0, answer: "Back soon."}}}}}}
budgets:
  - {{scope: {{tenant: "*"}}, limit: 20 USD, mode: soft, if_unpriced: allow}}
  - {{name: tiny, scope: {{feature: tried}}, limit: 0.000000001 USD, mode: shadow, if_unpriced: allow}}
"""


def ask(
    installation: Installation, question: Content, *, model: str = "gpt-4o-mini", stream: bool = False, **headers: str
) -> str:
    """Make one call and return its id once it is stored."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": question}]}
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


def ask_in_blocks(installation: Installation, question: str) -> str:
    """Make one call as Anthropic's clients do, to an upstream that speaks OpenAI's API; return its id once stored."""
    reply = httpx.post(
        f"{installation.base_url}/messages",
        json={
            "model": "gpt-4o-mini",
            "max_tokens": 50,
            "system": "Answer briefly.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": question}]}],
        },
        headers={"x-api-key": installation.key, "anthropic-version": "2023-06-01"},
        timeout=20,
    )
    assert reply.status_code == 200, reply.text
    call_id = reply.headers["x-wk-call-id"]
    installation.call(call_id)
    return call_id


def address_of(installation: Installation, path: str, calls: dict[str, str]) -> str:
    """Return where a page is: `path` is one of `PAGES`, or one of `VIEWS`."""
    if path.startswith("/"):
        return installation.console_url + path
    kind, _, query = path.partition("?")
    if kind == "playground":
        return f"{installation.console_url}/playground?call={calls['fitting']}"
    if kind == "case":
        return f"{installation.console_url}/cases?call={calls['fitting']}&reference=answer"
    if kind.startswith(("release", "rollout", "label")):
        kind, _, part = kind.partition("/")
        return f"{installation.console_url}/{kind}s/{calls[kind]}/{part}".rstrip("/")
    return f"{installation.console_url}/calls/{calls[kind]}?{query}".rstrip("?")


def releases_of(installation: Installation, upstream: Upstream) -> dict[str, str]:
    """Push two releases of the feature `support`, call it, try the second; return what can be looked at, by kind."""
    first = push(installation, recipe("You answer for {{ company }}.\nBe brief."), parent="", message="the first one")
    command(installation, "environments/production/promote", feature="support", release=first, message="it begins")
    upstream.plays(Reply('{"answer": "On its way."}'))
    fitting = call_feature(installation, "Where is my refund?")
    second = push(
        installation,
        recipe(f"You answer for {{{{ company }}}}.\nBe brief and kind.\n{HOSTILE}"),
        parent=first,
        message=f"kinder {HOSTILE[:60]}",
    )
    command(installation, "environments/staging/promote", feature="support", release=second, message="")
    rollout = command(installation, "rollouts", feature="support", arms=[{"release": second}], reason="on trial")
    queue = command(installation, "labels/queues", calls={"feature": "support"}, sample=5, reasons=["rude"])
    return {
        "release": second,
        "first release": first,
        "fitting": fitting,
        "rollout": rollout["id"],
        "label": str(queue["id"]),
    }


def recipe(system: str) -> dict[str, object]:
    """A recipe of the feature `support`, whose answers must fit a schema."""
    return {
        "feature": "support",
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": "{{ question }}"}],
        "variables": {"company": {"type": "string", "default": "Acme"}, "question": {"type": "string"}},
        "parameters": {"temperature": 0},
        "output": {"schema": {"type": "object", "required": ["answer"]}, "on_failure": "deliver"},
    }


def push(installation: Installation, wanted: dict[str, object], *, parent: str, message: str) -> str:
    """Push a release and return its id."""
    pushed = command(installation, "releases", recipe=wanted, parent=parent, message=message)
    return str(pushed["release"]["id"])


def command(installation: Installation, path: str, **wish: object) -> dict[str, Any]:
    """Ask the control API for something, as the command line does."""
    folder = os.open(installation.data / "run", os.O_RDONLY | os.O_DIRECTORY)
    # By way of its open folder: the path itself may be longer than a socket's may be.
    transport = httpx.HTTPTransport(uds=f"/proc/self/fd/{folder}/keeper.sock")
    try:
        with httpx.Client(transport=transport, base_url="http://watchkeeper", timeout=20) as client:
            reply = client.post(f"/api/v1/{path}", json=wish)
    finally:
        os.close(folder)
    assert reply.status_code < 300, reply.text
    found: dict[str, Any] = reply.json()
    return found


def call_feature(installation: Installation, question: str, **headers: str) -> str:
    """Call the feature `support` by its name; return the call's id once it is stored."""

    headers = {
        "authorization": f"Bearer {installation.key}",
        "x-wk-feature": "support",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    body = {"model": "feature/support", "variables": {"question": question}}

    def answered() -> httpx.Response | None:
        reply = httpx.post(f"{installation.base_url}/chat/completions", json=body, headers=headers, timeout=20)
        return reply if reply.status_code != 404 else None

    reply = wait_until(answered, within_s=10)
    assert reply.status_code == 200, reply.text
    call_id: str = reply.headers["x-wk-call-id"]
    installation.call(call_id)
    return call_id


def watch(page: Page, installation: Installation) -> list[str]:
    """Return a list that fills with what a page must not do: write to the browser's console, fail, ask another host."""
    troubles: list[str] = []
    ours = (f"{installation.console_url}/", "data:", "blob:")

    def note_message(message: ConsoleMessage) -> None:
        # The browser itself notes that the page which does not exist does not exist.
        if not (message.location["url"].endswith("/nowhere") and "404" in message.text):
            troubles.append(f"{message.type}: {message.text}")

    def note_request(request: Request) -> None:
        if not request.url.startswith(ours):
            troubles.append(f"request to {request.url}")

    page.on("console", note_message)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", note_request)
    return troubles
