"""The way in: a link that works once, a name and a password, the first call."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import ask, config_for, watch

from watchkeeper.testing import Upstream
from watchkeeper.testing.harness import Installation

PASSWORD = "correct horse battery"


@pytest.fixture
def fresh(tmp_path: Path, ui_upstream: Upstream) -> Iterator[Installation]:
    """An installation without a call and without a user."""
    with Installation(tmp_path, config_for(ui_upstream)) as started:
        yield started


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who is not signed in."""
    context = browser.new_context()
    yield context
    context.close()


def test_nobody_gets_in_without_signing_in(installation: Installation) -> None:
    for path in ("/", "/calls", "/calls/tail", "/charts/cost", "/keys", "/health", "/start", "/account", "/patterns"):
        reply = httpx.get(installation.console_url + path)
        assert (reply.status_code, reply.headers["location"].partition("?")[0]) == (303, "/login"), path
    for path in ("/api/v1/calls", "/api/v1/keys"):
        assert httpx.get(installation.console_url + path).status_code == 401


def test_a_newcomer_gets_in_by_the_printed_link_and_sees_the_first_call_arrive(
    visitor: BrowserContext, fresh: Installation
) -> None:
    for _ in range(3):
        assert "This link signs you in once" in httpx.get(fresh.sign_in_url).text, "only looking must not use it up"
    page = visitor.new_page()
    troubles = watch(page, fresh)
    page.goto(fresh.sign_in_url)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a name and a password")
    cookies = {cookie["name"]: cookie for cookie in visitor.cookies()}
    assert cookies["wk_session"]["httpOnly"]
    assert cookies["wk_session"]["sameSite"] == "Lax"
    page.get_by_role("link", name="Not now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First call")
    expect(page.locator("#arrival")).to_contain_text("Waiting for the first call")
    call_id = ask(fresh, "The first one.")
    expect(page.locator("#arrival.arrived")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Open the call").click()
    expect(page).to_have_url(f"{fresh.console_url}/calls/{call_id}")
    expect(page.locator("main")).to_contain_text("The first one.")
    assert "has been used or is too old" in httpx.get(fresh.sign_in_url).text
    assert troubles == []


def test_a_newcomer_chooses_a_name_and_a_password_and_comes_back_with_them(
    visitor: BrowserContext, fresh: Installation
) -> None:
    page = visitor.new_page()
    page.goto(fresh.console_url + fresh.cli("users", "link").stdout.strip())
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name").fill("two words")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make this user").click()
    expect(page.get_by_role("alert")).to_contain_text("A name is made of letters")
    page.get_by_label("Name").fill("nia")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make this user").click()
    page.get_by_role("button", name="Sign out nia").click()
    sign_in(page, "nia", PASSWORD)
    expect(page.get_by_role("link", name="nia")).to_be_visible()
    assert [user["name"] for user in fresh.cli_json("users", "list")["users"]] == ["nia"]


def test_a_user_signs_in_with_a_password_and_out_again(visitor: BrowserContext, installation: Installation) -> None:
    made = installation.cli("users", "add", "ana", "--password", PASSWORD)
    assert made.returncode == 0, made.stderr
    page = visitor.new_page()
    page.goto(installation.console_url + "/calls?window=all")
    sign_in(page, "ana", "wrong horse battery")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    sign_in(page, "ana", PASSWORD)
    expect(page).to_have_url(installation.console_url + "/calls?window=all")
    page.get_by_role("button", name="Sign out ana").click()
    page.goto(installation.console_url + "/calls")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_link_leads_straight_in_where_there_are_users(visitor: BrowserContext, installation: Installation) -> None:
    installation.cli("users", "add", "max", "--password", PASSWORD)
    page = visitor.new_page()
    page.goto(installation.console_url + installation.cli("users", "link").stdout.strip())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Overview|First call"))


def test_a_new_password_needs_the_present_one_and_ends_the_sessions_elsewhere(
    visitor: BrowserContext, browser: Browser, installation: Installation
) -> None:
    installation.cli("users", "add", "bea", "--password", PASSWORD)
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    other.goto(installation.console_url + "/keys")
    sign_in(other, "bea", PASSWORD)
    expect(other.get_by_role("link", name="bea")).to_be_visible()
    page = visitor.new_page()
    page.goto(installation.console_url + "/account")
    sign_in(page, "bea", PASSWORD)
    for present, answer in (
        ("not the one", "The present password is wrong."),
        (PASSWORD, "The new password is in force."),
    ):
        page.get_by_label("Present password").fill(present)
        page.get_by_label("New password").fill("staple battery horse")
        page.get_by_role("button", name="Change the password").click()
        expect(page.locator(".door")).to_contain_text(answer)
    other.reload()
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    elsewhere.close()
    page.get_by_role("button", name="Sign out bea").click()
    sign_in(page, "bea", "staple battery horse")
    expect(page.get_by_role("link", name="bea")).to_be_visible()


@pytest.mark.parametrize("back", ["//example.org", "https://example.org", "/\\example.org", "javascript:alert(1)"])
def test_a_link_cannot_send_anybody_elsewhere_after_signing_in(installation: Installation, back: str) -> None:
    installation.cli("users", "add", "max", "--password", PASSWORD)
    token = installation.cli("users", "link").stdout.strip().partition("token=")[2]
    reply = httpx.post(installation.console_url + "/login", data={"token": token, "back": back})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")


def test_a_form_from_elsewhere_changes_nothing(installation: Installation, signed_in: BrowserContext) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    for path, form in (("/keys", {"feature": "stolen"}), ("/account", {"name": "thief", "password": PASSWORD})):
        reply = httpx.post(installation.console_url + path, data=form, cookies=cookies)
        assert reply.status_code == 403
        assert "nothing was changed" in reply.text
    assert "stolen" not in installation.cli("keys", "list").stdout
    assert "thief" not in installation.cli("users", "list").stdout


def sign_in(page: Page, name: str, password: str) -> None:
    """Fill in the form that is shown."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
