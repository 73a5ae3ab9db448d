"""What holds for every page: with the keyboard, without JavaScript, for a screen reader, in both themes, on a phone."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import AXE, PAGES, VIEWS, address_of, watch

from watchkeeper.testing.harness import Installation

BYTES_MAX = 100_000
POLL_S = 2.0
"""Longer than the shortest time after which a live page asks again, arrivals apart."""
PHONE_PX = 390
BRIEFLY = "resultTypes: ['violations'], selectors: false, preload: false"
"""What axe need not tell: what is right, and how else to name a place. Telling took longer than looking."""
COLOURS = "['color-contrast', 'link-in-text-block']"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one page has shown of itself, opened once on a phone and then made as wide as a desk's screen."""

    size_bytes: int
    headers: dict[str, str]
    phone_px: int
    """How wide it is where a phone is 390 wide."""
    has_heading: bool
    violations: list[tuple[str, list[str]]]
    """Rules of axe that are broken in a way that is serious, in either theme, with the first places."""
    troubles: list[str]


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who is not signed in."""
    context = browser.new_context(color_scheme="light")
    yield context
    context.close()


@pytest.fixture(scope="module")
def without_javascript(browser: Browser, signed_in: BrowserContext) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in.storage_state())
    yield context
    context.close()


@pytest.fixture(scope="module", params=[*PAGES, *VIEWS, "/login"])
def path(request: pytest.FixtureRequest) -> str:
    """One page after the other, with all that is asked of it."""
    return str(request.param)


@pytest.fixture(scope="module")
def seen(
    signed_in: BrowserContext, visitor: BrowserContext, installation: Installation, calls: dict[str, str], path: str
) -> Seen:
    """A page, looked at once for all that is asked of every page."""
    if not AXE.exists():
        pytest.fail("axe-core is missing: make setup fetches it")
    page = (visitor if path == "/login" else signed_in).new_page()
    troubles = watch(page, installation)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": PHONE_PX, "height": 844})
    reply = page.goto(address_of(installation, path, calls), wait_until="load")
    assert reply is not None
    size_bytes = len(reply.body())
    phone_px = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_timeout(1_000 * POLL_S if "live" in path or path == "/start" else 200)
    has_heading = page.get_by_role("heading", level=1).is_visible()
    at_rest = list(troubles)
    page.evaluate(AXE.read_text())
    found = page.evaluate(f"axe.run({{{BRIEFLY}}})")["violations"]
    page.emulate_media(color_scheme="dark")  # which changes colours and nothing else
    found += page.evaluate(f"axe.run({{runOnly: {COLOURS}, {BRIEFLY}}})")["violations"]
    page.close()
    return Seen(
        size_bytes=size_bytes,
        headers=reply.headers,
        phone_px=phone_px,
        has_heading=has_heading,
        violations=[
            (rule["id"], [node["html"][:120] for node in rule["nodes"]][:3])
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ],
        troubles=at_rest,
    )


def test_pages_ask_nobody_else_and_leave_the_browsers_console_empty(seen: Seen) -> None:
    assert seen.troubles == []
    assert seen.has_heading


def test_axe_finds_nothing_serious(seen: Seen) -> None:
    assert seen.violations == []


def test_pages_fit_a_phone(seen: Seen) -> None:
    assert seen.phone_px <= PHONE_PX


def test_pages_are_small(seen: Seen) -> None:
    assert seen.size_bytes < BYTES_MAX


def test_the_policy_allows_nothing_but_our_own_files(seen: Seen) -> None:
    policy = seen.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert seen.headers["cache-control"] == "no-store"


def test_pages_work_without_javascript(
    without_javascript: BrowserContext, browser: Browser, installation: Installation, calls: dict[str, str], path: str
) -> None:
    context = browser.new_context(java_script_enabled=False) if path == "/login" else without_javascript
    page = context.new_page()
    troubles = watch(page, installation)
    page.goto(address_of(installation, path, calls))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if path != "/login":
        expect(page.get_by_role("link", name="Calls").first).to_be_visible()
    page.close()
    assert troubles == []


def test_the_keyboard_help_opens_and_closes(page: Page, installation: Installation) -> None:
    page.goto(installation.console_url + "/keys")
    help_of_keys = page.get_by_role("dialog", name="Keyboard")
    expect(help_of_keys).to_be_hidden()
    page.keyboard.press("?")
    expect(help_of_keys).to_be_visible()
    expect(help_of_keys).to_contain_text("Next and previous row")
    page.keyboard.press("Escape")
    expect(help_of_keys).to_be_hidden()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_role("button", name="Close").click()
    expect(help_of_keys).to_be_hidden()
    page.get_by_label("Feature").focus()
    page.keyboard.type("?")
    expect(help_of_keys).to_be_hidden()


def test_two_letters_go_to_another_page(page: Page, installation: Installation) -> None:
    page.goto(installation.console_url + "/keys")
    page.keyboard.type("gh")
    expect(page).to_have_url(installation.console_url + "/health")


def test_the_theme_is_chosen_and_stays_chosen(page: Page, installation: Installation) -> None:
    page.goto(installation.console_url + "/keys")
    for theme in ("light", "dark", "auto"):
        page.get_by_role("button", name=f"Switch to {theme}").click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(page).to_have_url(installation.console_url + "/keys")


def test_hostile_data_on_the_patterns_page_is_inert(page: Page, installation: Installation) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    page.goto(installation.console_url + "/patterns")
    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("main")).to_contain_text("{{ 7 * 7 }}")
    assert page.locator("main script").count() == 0
    assert alerts == []


@pytest.mark.parametrize("window", ["since=0001-01-01T00:00", "since=0001-01-01&until=9999-12-31T23:59:59", "since=x"])
@pytest.mark.parametrize("path", ["/", "/calls", "/charts/latency"])
def test_a_time_that_cannot_be_is_named_and_left_out(
    page: Page, installation: Installation, calls: dict[str, str], path: str, window: str
) -> None:
    reply = page.goto(f"{address_of(installation, path, calls)}?{window}")
    assert reply is not None
    assert reply.status == 200
    expect(page.locator("main")).to_contain_text("since")


@pytest.mark.parametrize("feature", ["a b/c", "<script>alert(1)</script>"])
def test_a_key_that_the_command_line_would_refuse_is_refused_here_too(
    browser: Browser, installation: Installation, signed_in: BrowserContext, feature: str
) -> None:
    context = browser.new_context(storage_state=signed_in.storage_state())
    page = context.new_page()
    page.goto(address_of(installation, "/keys", {}))
    page.get_by_label("Feature").fill(feature)
    page.get_by_role("button", name="Make").click()
    expect(page.locator("main")).to_contain_text("No key was made")
    assert feature not in installation.cli("keys", "list").stdout
    context.close()
