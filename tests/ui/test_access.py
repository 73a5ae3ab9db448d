"""Access in a real browser: a provider's button leads in, roles are given with the mouse, a refused page says why."""

from collections.abc import Iterator

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import config_for, watch
from tests.ui.test_entry import PASSWORD, sign_in

from watchkeeper.testing import Upstream
from watchkeeper.testing.harness import Installation

RULE = "{claim: groups, equals: ops, role: operator}"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    person = User(sub="7", claims={"email": "bea@example.com", "groups": ["ops"]})
    with run_server_in_thread(user_claims=[person], require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory, ui_upstream: Upstream, provider: str) -> Iterator[Installation]:
    """An installation with a provider to sign in with."""
    oidc = f"{{issuer: '{provider}', client_id: watchkeeper, client_secret: s, label: Acme, roles: [{RULE}]}}"
    config = f"{config_for(ui_upstream)}\nsign_in: {{oidc: {oidc}}}\n"
    with Installation(tmp_path_factory.mktemp("federated"), config) as started:
        yield started


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def test_the_providers_button_leads_in_and_back_to_the_page_that_was_wanted(
    visitor: BrowserContext, federated: Installation
) -> None:
    page = visitor.new_page()
    page.goto(federated.console_url + "/keys")
    page.get_by_role("link", name="Sign in with Acme").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Authorize Client")
    page.get_by_role("button", name="7", exact=True).click()
    expect(page).to_have_url(federated.console_url + "/keys")
    expect(page.get_by_role("link", name="bea@example.com")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in visitor.cookies(federated.console_url)}
    assert set(cookies) == {"wk_session"}
    page.goto(federated.console_url + "/account")
    expect(page.locator(".door")).to_contain_text("You are operator of every feature.")
    page.goto(federated.console_url + "/access")
    expect(page.get_by_role("main")).to_contain_text("Users and tokens are shown to admins and auditors.")


def test_whom_the_provider_turns_away_is_told_so_on_the_sign_in_page(
    visitor: BrowserContext, federated: Installation
) -> None:
    page = visitor.new_page()
    page.goto(federated.console_url + "/login")
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody was signed in")
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_placeholder("sub").fill("stranger@example.com")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("alert")).to_contain_text("you have no role here")


def test_an_admin_gives_a_role_and_whoever_lacks_one_is_told_what_is_missing(
    page: Page, visitor: BrowserContext, installation: Installation
) -> None:
    installation.cli("users", "add", "rita", "--role", "viewer", "--feature", "support", "--password", PASSWORD)
    other = visitor.new_page()
    other.goto(installation.console_url + "/budgets")
    sign_in(other, "rita", PASSWORD)
    expect(other.get_by_role("heading", level=1)).to_have_text("Refused")
    expect(other.get_by_role("main")).to_contain_text("watchkeeper users grant rita viewer")
    assert other.get_by_role("link", name="Budgets").count() == 0
    page.goto(installation.console_url + "/access?find=rita")
    page.get_by_label("User", exact=True).fill("rita")
    page.get_by_role("combobox", name="Role").select_option("cost_owner")
    page.get_by_role("button", name="Give the role").click()
    expect(page.get_by_role("region", name="Users and their roles")).to_contain_text("cost_owner of every feature")
    other.reload()
    expect(other.get_by_role("heading", level=1)).to_contain_text("Budgets")
    page.get_by_role("button", name="Withdraw cost_owner of every feature from rita").click()
    expect(page.get_by_role("region", name="Users and their roles")).not_to_contain_text("cost_owner")
    troubles = watch(page, installation)
    page.reload()
    assert troubles == []
