"""What holds for every page: with the keyboard, without JavaScript, for a screen reader, in both themes, on a phone."""

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import AXE, PAGES, VIEWS, address_of, watch

from watchkeeper.testing.harness import Installation

BYTES_MAX = 100_000
POLL_S = 2.0
"""Longer than the shortest time after which a live page asks again, arrivals apart."""


@pytest.mark.parametrize("path", [*PAGES, *VIEWS])
def test_pages_ask_nobody_else_and_leave_the_browsers_console_empty(
    page: Page, installation: Installation, calls: dict[str, str], path: str
) -> None:
    page.goto(address_of(installation, path, calls), wait_until="load")
    page.wait_for_timeout(1_000 * POLL_S if "live" in path or path == "/start" else 200)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("path", [*PAGES, *VIEWS, "/login"])
def test_pages_work_without_javascript(
    browser: Browser, installation: Installation, signed_in: BrowserContext, calls: dict[str, str], path: str
) -> None:
    state = None if path == "/login" else signed_in.storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    troubles = watch(page, installation)
    page.goto(address_of(installation, path, calls))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if path != "/login":
        expect(page.get_by_role("link", name="Calls").first).to_be_visible()
    context.close()
    assert troubles == []


@pytest.mark.parametrize("path", [*PAGES, *VIEWS, "/login"])
def test_axe_finds_nothing_serious(
    browser: Browser,
    installation: Installation,
    signed_in: BrowserContext,
    calls: dict[str, str],
    path: str,
) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing: make setup fetches it")
    state = None if path == "/login" else signed_in.storage_state()
    context = browser.new_context(color_scheme="light", storage_state=state)
    page = context.new_page()
    page.goto(address_of(installation, path, calls))
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    page.emulate_media(color_scheme="dark")  # which changes colours and nothing else
    found += page.evaluate("axe.run({runOnly: ['color-contrast', 'link-in-text-block']})")["violations"]
    serious = [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]][:3])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


@pytest.mark.parametrize("path", [*PAGES, *VIEWS, "/login"])
def test_pages_fit_a_phone(
    browser: Browser, installation: Installation, signed_in: BrowserContext, calls: dict[str, str], path: str
) -> None:
    state = None if path == "/login" else signed_in.storage_state()
    context = browser.new_context(viewport={"width": 390, "height": 844}, storage_state=state)
    page = context.new_page()
    page.goto(address_of(installation, path, calls))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_pages_are_small(installation: Installation, signed_in: BrowserContext, calls: dict[str, str]) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    for path in (*PAGES, *VIEWS):
        page = httpx.get(address_of(installation, path, calls), cookies=cookies)
        assert len(page.content) < BYTES_MAX, path


def test_the_policy_allows_nothing_but_our_own_files(installation: Installation, signed_in: BrowserContext) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    for path in PAGES:
        headers = httpx.get(installation.console_url + path, cookies=cookies).headers
        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["cache-control"] == "no-store", path


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
