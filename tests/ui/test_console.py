"""The console as people use it: with a mouse, with the keyboard, without JavaScript, with a screen reader."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import AXE, HOSTILE, ask

from watchkeeper.testing.harness import Installation

PAGES = ("/", "/calls?window=all", "/keys", "/health", "/start", "/nowhere")


def _address(installation: Installation) -> str:
    return installation.sign_in_url.partition("/login")[0]


def test_nobody_gets_in_without_signing_in(installation: Installation) -> None:
    for path in ("/", "/calls", "/keys", "/health", "/start"):
        reply = httpx.get(_address(installation) + path)
        assert (reply.status_code, reply.headers["location"].partition("?")[0]) == (303, "/login"), path
    for path in ("/api/v1/calls", "/api/v1/keys"):
        assert httpx.get(_address(installation) + path).status_code == 401


def test_a_link_that_is_only_looked_at_still_signs_in_once(browser: Browser, installation: Installation) -> None:
    path = installation.cli("users", "link").stdout.strip()
    address = _address(installation) + path
    for _ in range(3):
        assert "This link signs you in once" in httpx.get(address).text
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Overview|Your first call"))
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    assert cookies["wk_session"]["httpOnly"]
    assert cookies["wk_session"]["sameSite"] == "Lax"
    context.close()
    assert "has been used or is too old" in httpx.get(address).text


def test_a_user_signs_in_with_a_password_and_out_again(browser: Browser, installation: Installation) -> None:
    made = installation.cli("users", "add", "ana", "--password", "correct horse battery")
    assert made.returncode == 0, made.stderr
    context = browser.new_context()
    page = context.new_page()
    page.goto(_address(installation) + "/calls?window=all")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("wrong horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(_address(installation) + "/calls?window=all")
    page.get_by_role("button", name="Sign out ana").click()
    page.goto(_address(installation) + "/calls")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    context.close()


@pytest.mark.parametrize("back", ["//example.org", "https://example.org", "/\\example.org", "javascript:alert(1)"])
def test_a_link_cannot_send_anybody_elsewhere_after_signing_in(installation: Installation, back: str) -> None:
    token = installation.cli("users", "link").stdout.strip().partition("token=")[2]
    reply = httpx.post(_address(installation) + "/login", data={"token": token, "back": back})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")


def test_the_first_run_page_ticks_when_the_first_call_arrives(
    browser: Browser, page: Page, installation: Installation
) -> None:
    page.goto(_address(installation) + "/start")
    ask(installation, "The first one.")
    tick = page.locator("#arrived .tick")
    expect(tick).to_be_visible(timeout=15_000)
    tick.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text(".")


def test_a_search_finds_the_call_and_its_address_is_the_search(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(_address(installation) + "/calls?window=all")
    page.keyboard.press("/")
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert "q=refund" in page.url
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{_address(installation)}/calls/{calls['plain']}")


def test_facets_narrow_the_list(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(_address(installation) + "/calls?window=all")
    page.get_by_label("Filters").get_by_role("link", name=re.compile("^error")).first.click()
    expect(page.locator(f"#rows a[href='/calls/{calls['failed']}']")).to_be_visible()
    expect(page.locator(f"#rows a[href='/calls/{calls['plain']}']")).to_have_count(0)


def test_the_live_tail_shows_a_call_that_arrives(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(_address(installation) + "/calls?window=1h")
    page.get_by_role("button", name="Live").click()
    page.wait_for_timeout(500)
    arrived = ask(installation, "Live, please.")
    expect(page.locator(f"#rows a[href='/calls/{arrived}']")).to_be_visible(timeout=15_000)


def test_a_call_page_shows_question_answer_attempt_and_money(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{_address(installation)}/calls/{calls['stream']}")
    main = page.locator("main")
    for text in ("Tell me a story.", "scripted/gpt-4o-mini", "input uncached", "openai/gpt-4o-mini", "measured", "s-1"):
        expect(main).to_contain_text(text)
    expect(page.get_by_role("heading", name="Stream")).to_be_visible()
    page.get_by_text("Again, as curl").click()
    expect(main).to_contain_text("curl http://127.0.0.1")
    assert installation.key not in page.content()


def test_hostile_text_is_shown_and_not_obeyed(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    for path in (f"/calls/{calls['hostile']}", "/calls?window=all", "/?window=1h"):
        page.goto(_address(installation) + path)
        assert "owned" not in page.title()
        assert page.locator("main script, main b:text-is('bold'), main i").count() == 0
    page.goto(f"{_address(installation)}/calls/{calls['hostile']}")
    expect(page.locator("main")).to_contain_text(HOSTILE[:40])


def test_a_key_is_made_shown_once_and_revoked(page: Page, installation: Installation) -> None:
    page.goto(_address(installation) + "/keys")
    page.get_by_label("Feature").fill("support")
    page.get_by_role("button", name="Make").click()
    key = page.locator(".made pre").inner_text()
    assert key.startswith("sk-wk-")
    page.goto(_address(installation) + "/keys")
    assert key not in page.content()
    row = page.locator("tr", has_text=key.split("-")[2])
    row.get_by_role("button", name="Revoke").click()
    expect(page.locator("tr", has_text=key.split("-")[2])).to_contain_text("revoked")


def test_a_form_from_elsewhere_changes_nothing(installation: Installation, signed_in: BrowserContext) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    reply = httpx.post(_address(installation) + "/keys", data={"feature": "stolen"}, cookies=cookies)
    assert reply.status_code == 403
    assert "nothing was changed" in reply.text
    assert "stolen" not in installation.cli("keys", "list").stdout


@pytest.mark.parametrize("path", PAGES)
def test_pages_work_without_javascript(
    browser: Browser, installation: Installation, signed_in: BrowserContext, calls: dict[str, str], path: str
) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in.storage_state())
    page = context.new_page()
    page.goto(_address(installation) + path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="Calls").first).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "call", "/login"])
def test_axe_finds_nothing_serious(
    browser: Browser,
    installation: Installation,
    signed_in: BrowserContext,
    calls: dict[str, str],
    path: str,
    scheme: str,
) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing: make setup fetches it")
    state = None if path == "/login" else signed_in.storage_state()
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light", storage_state=state)
    page = context.new_page()
    page.goto(_address(installation) + (f"/calls/{calls['stream']}" if path == "call" else path))
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    serious = [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_pages_are_small(installation: Installation, signed_in: BrowserContext, calls: dict[str, str]) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    for path in (*PAGES, f"/calls/{calls['stream']}"):
        assert len(httpx.get(_address(installation) + path, cookies=cookies).content) < 100_000, path
