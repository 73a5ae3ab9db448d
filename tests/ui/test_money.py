"""Cost, budgets and the weekly review: everything leads to its calls, and edits can be taken back."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import ask, watch

from watchkeeper.testing import wait_until
from watchkeeper.testing.harness import Installation

TENANTS = "tenant=*:calendar-month"


@pytest.fixture(scope="module")
def spent(installation: Installation, calls: dict[str, str]) -> dict[str, str]:
    """Calls that cost something, one without a price, and one that a budget in mode `shadow` would have refused."""
    priced = ask(installation, "Hello.", x_wk_feature="support", x_wk_tenant="acme", x_wk_value="1")
    unpriced = ask(installation, "Hello, house.", model="scripted/house-7b", x_wk_feature="support")
    shadowed = ask(installation, "Hello, shadow.", x_wk_feature="tried")
    return {"priced": priced, "unpriced": unpriced, "shadowed": shadowed}


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def either(
    request: pytest.FixtureRequest, browser: Browser, signed_in: BrowserContext, installation: Installation
) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param, storage_state=signed_in.storage_state())
    page = context.new_page()
    troubles = watch(page, installation)
    yield page
    context.close()
    # The browser itself notes that a form was refused.
    assert [one for one in troubles if "422" not in one] == []


def test_every_bar_and_row_leads_to_its_calls(either: Page, installation: Installation, spent: dict[str, str]) -> None:
    either.goto(f"{installation.console_url}/cost?window=24h&feature=support")
    either.locator(".chart a").last.click(position={"x": 5, "y": 60})
    expect(either).to_have_url(re.compile(r"/calls\?feature=support&since=.*&until="))
    expect(either.locator(f"[data-row='{spent['priced']}']")).to_be_visible()
    either.go_back()
    either.get_by_role("region", name="Cost by feature").get_by_role("link", name="support", exact=True).click()
    expect(either.locator(f"[data-row='{spent['priced']}']")).to_be_visible()


def test_the_warning_about_unpriced_calls_leads_to_them(
    page: Page, installation: Installation, spent: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/cost")
    page.locator(".standings").get_by_role("link", name="Unpriced").click()
    expect(page.locator(f"[data-row='{spent['unpriced']}']")).to_be_visible()
    expect(page.locator(f"[data-row='{spent['priced']}']")).to_have_count(0)


def test_the_groups_without_a_name_lead_to_their_calls_too(
    page: Page, installation: Installation, spent: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/cost?by=tenant")
    page.get_by_role("link", name="(no tenant)").first.click()
    expect(page.locator(f"[data-row='{spent['unpriced']}']")).to_be_visible()
    expect(page.locator(f"[data-row='{spent['priced']}']")).to_have_count(0)


def test_the_dimension_and_the_zone_are_chosen_and_kept(
    either: Page, installation: Installation, spent: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/cost?window=24h")
    either.get_by_role("link", name="Model", exact=True).click()
    either.get_by_text("Days of UTC").click()
    either.get_by_label("Time zone").fill("Europe/Berlin")
    either.get_by_role("button", name="Use").click()
    expect(either.get_by_text("Days of Europe/Berlin")).to_be_visible()
    expect(either.get_by_role("region", name="Cost by model")).to_contain_text("gpt-4o-mini")
    expect(either).to_have_url(re.compile("window=24h"))


def test_the_export_is_the_table_of_what_is_looked_at(
    installation: Installation, signed_in: BrowserContext, page: Page, spent: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/cost?feature=support&window=24h")
    page.get_by_text("Export").click()
    href = page.get_by_role("link", name="CSV, one row a call").get_attribute("href")
    reply = signed_in.request.get(f"{installation.console_url}{href}")
    assert reply.status == 200
    assert spent["priced"] in reply.text()
    assert spent["shadowed"] not in reply.text()


def test_what_would_be_refused_is_counted_and_leads_to_its_calls(
    page: Page, installation: Installation, spent: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/budgets?window=24h")
    row = page.get_by_role("region", name="Refused, and what would be").get_by_role("row").filter(has_text="tiny")
    row.get_by_role("link", name="1").click()
    expect(page.locator(f"[data-row='{spent['shadowed']}']")).to_be_visible()


def test_an_edit_stands_in_the_place_of_the_file_until_it_is_taken_back(
    either: Page, installation: Installation, spent: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/budgets")
    either.get_by_role("link", name=f"Edit {TENANTS}").click()
    expect(either.locator("aside")).to_contain_text("20 USD")
    either.get_by_label("Limit in money").fill("30")
    either.get_by_label("Reason").fill("more <b>customers</b>")
    either.get_by_role("button", name="Save").click()
    expect(either.locator(".why")).to_have_text("must be an amount with its currency, such as `500 USD` or `0.50 USD`")
    either.get_by_label("Limit in money").fill("30 USD")
    either.get_by_role("button", name="Save").click()
    row = either.get_by_role("region", name="Definitions").get_by_role("row").filter(has_text=TENANTS)
    expect(row).to_contain_text("30 USD")
    expect(row).to_contain_text("file: 20 USD")
    expect(row).to_contain_text("edited")
    expect(row).to_contain_text("more <b>customers</b>")
    wait_until(lambda: _limit(installation) == "30", within_s=15)
    assert "30 USD" in installation.cli("budgets", "export").stdout
    row.get_by_role("button", name="Take back").click()
    expect(row).to_contain_text("the file")
    wait_until(lambda: _limit(installation) == "20", within_s=15)
    told = installation.cli("changes").stdout
    assert f"changed the budget {TENANTS}" in told
    assert f"took back the edit of {TENANTS}" in told


def test_a_budget_is_added_and_removed(either: Page, installation: Installation) -> None:
    either.goto(f"{installation.console_url}/budgets/new")
    either.get_by_label("Name").fill("mine")
    either.get_by_label("Scope").fill("feature=<i>x</i>")
    either.get_by_label("Limit in calls").fill("1,000")
    either.get_by_label("Reason").fill("a try")
    either.get_by_role("button", name="Add").click()
    row = either.get_by_role("region", name="Definitions").get_by_role("row").filter(has_text="mine")
    expect(row).to_contain_text("1,000 calls")
    expect(row).to_contain_text("added")
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


@pytest.mark.parametrize("path", ["/budgets/edit", "/budgets/new", "/budgets/take-back", "/budgets/top-up", "/review"])
def test_a_form_without_the_sessions_token_changes_nothing(
    installation: Installation, signed_in: BrowserContext, path: str
) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    form = {"identity": TENANTS, "limit": "1 USD", "reason": "x", "key": "k", "amount": "1", "week": "2026-W01"}
    reply = httpx.post(installation.console_url + path, cookies=cookies, data=form | {"owner": "none", "scope": "x=y"})
    assert reply.status_code == 403
    assert _limit(installation) == "20"


def test_a_top_up_makes_room_and_needs_a_reason(page: Page, installation: Installation, spent: dict[str, str]) -> None:
    page.goto(f"{installation.console_url}/budgets?find=acme")
    page.get_by_role("link", name="Top up tenant acme").click()
    page.get_by_label("More in this window").fill("2.50")
    page.get_by_label("Reason").fill("the customer paid")
    page.get_by_role("button", name="Allow more").click()
    expect(page.get_by_role("region", name="Accounts by share of their limit")).to_contain_text("$22.5")


def test_a_review_is_signed_once_and_printed_on_one_page(
    either: Page, installation: Installation, request: pytest.FixtureRequest, spent: dict[str, str]
) -> None:
    week = "2026-W02" if "without" in request.node.name else "2026-W03"
    either.goto(f"{installation.console_url}/review?week={week}")
    either.get_by_role("link", name="finance@example.com").click()
    either.get_by_label("Note").fill("as <i>expected</i>")
    either.get_by_role("button", name="Sign", exact=True).click()
    expect(either.locator(".done")).to_contain_text("Signed by local")
    expect(either.locator(".done")).to_contain_text("as <i>expected</i>")
    expect(either.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    printed = either.pdf(prefer_css_page_size=True)
    assert re.findall(rb"/MediaBox\s*\[0 0 59[45]\.\d+ 84[12]\.\d+\]", printed)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


def test_a_week_that_is_not_over_cannot_be_signed(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.console_url}/review")
    page.get_by_role("link", name="Week after").click()
    page.get_by_role("link", name="finance@example.com").click()
    expect(page.get_by_text("The week is signed when it is over.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)


def _limit(installation: Installation) -> str:
    found = installation.ask("/api/v1/budgets") or {"budgets": []}
    return next((one["limit"] for one in found["budgets"] if one["id"] == TENANTS), "")
