"""A drill in the console: every page says that it is one, and it is stopped where it is listed."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import PAGES, watch

from watchkeeper.testing import wait_until
from watchkeeper.testing.harness import Installation

BANNER = "A drill is under way: rate limit in 5 % of the calls to gpt-4o-mini, started by local."


@pytest.fixture
def drill(installation: Installation) -> Iterator[str]:
    """The id of a fault that is being injected, into calls that nobody makes."""
    fault = installation.cli_json(
        "fault", "start", "rate_limit", "gpt-4o-mini", "--for", "1h", "--share", "5%", "--tenant", "<i>nobody</i>"
    )
    yield str(fault["id"])
    installation.cli("fault", "stop", fault["id"])


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_that_a_drill_is_under_way(
    signed_in: BrowserContext, installation: Installation, drill: str, path: str
) -> None:
    reply = signed_in.request.get(installation.console_url + path)
    assert BANNER in reply.text()
    assert "It ends by itself in " in reply.text()


def test_nobody_outside_learns_of_a_drill(installation: Installation, drill: str) -> None:
    assert "drill" not in httpx.get(f"{installation.console_url}/login").text


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_fault_is_stopped_on_the_health_page(
    browser: Browser, signed_in: BrowserContext, installation: Installation, drill: str, with_scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=with_scripts, storage_state=signed_in.storage_state())
    page = context.new_page()
    troubles = watch(page, installation)
    page.goto(installation.console_url)
    page.get_by_role("link", name="See and stop").click()
    row = page.locator("#faults").get_by_role("row").filter(has_text=drill)
    expect(row).to_contain_text("rate limit")
    expect(row).to_contain_text("tenant <i>nobody</i>")
    row.get_by_role("button", name=f"Stop {drill}").click()
    expect(page.locator("#faults")).to_contain_text("None.")
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.get_by_role("table").filter(has_text=f"drill: stopped {drill}")).to_be_visible()
    context.close()
    assert troubles == []
    wait_until(lambda: _state(installation, drill) == "ended")


def test_stopping_what_has_ended_is_no_error(page: Page, installation: Installation, drill: str) -> None:
    page.goto(f"{installation.console_url}/health")
    installation.cli("fault", "stop", drill)
    page.get_by_role("button", name=f"Stop {drill}").click()
    expect(page.locator("#faults")).to_contain_text("None.")


def test_a_form_from_elsewhere_stops_nothing(signed_in: BrowserContext, installation: Installation, drill: str) -> None:
    forms: tuple[dict[str, str | float | bool], ...] = ({}, {"csrf": "guessed"})
    for form in forms:
        reply = signed_in.request.post(f"{installation.console_url}/faults/{drill}/stop", form=form)
        assert reply.status == 403
    assert _state(installation, drill) == "active"


def _state(installation: Installation, fault_id: str) -> str:
    faults = (installation.ask("/api/v1/faults") or {})["faults"]
    return str(next(fault["state"] for fault in faults if fault["id"] == fault_id))
