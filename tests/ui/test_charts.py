"""The overview's charts: read by pointing, looked at closer by dragging, and as figures without JavaScript."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import watch

from watchkeeper.console.pages.panels import QUESTIONS
from watchkeeper.testing.harness import Installation


def test_every_panel_of_the_overview_opens_large(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(installation.console_url + "/?window=1h")
    titles = [question.title for question in QUESTIONS.values()]
    expect(page.locator(".panels svg.chart")).to_have_count(len(titles))
    for title in titles:
        expect(page.get_by_role("link", name=f"{title}, large")).to_have_attribute("href", re.compile("^/charts/"))
    page.get_by_role("link", name="Cost, large").click()
    expect(page).to_have_url(f"{installation.console_url}/charts/cost?window=1h")
    expect(page.locator("#zoom canvas")).to_be_visible()
    page.get_by_label("Where you are").get_by_role("link", name="Overview").click()
    expect(page).to_have_url(f"{installation.console_url}/?window=1h")


def test_pointing_at_one_chart_reads_all_of_them(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(installation.console_url + "/?window=1h")
    whole = page.locator(".panel .value").first.inner_text()
    page.locator(".panels svg.chart").first.hover()
    crosses = page.locator("svg.chart .cross")
    expect(crosses).to_have_count(len(QUESTIONS))
    expect(page.locator("svg.chart .moment")).to_have_count(len(QUESTIONS))
    expect(page.locator("svg.chart .moment").first).to_have_text(re.compile(r"\w+ \d\d:\d\d"))
    expect(page.locator(".panel .value").first).to_have_text(whole)
    page.locator("h1").hover()
    expect(crosses).to_have_count(0)


def test_dragging_over_a_large_chart_looks_closer(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/charts/calls")
    box = page.locator("#zoom .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 50, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"/charts/calls\?since=.*&until="))
    expect(page.locator("#zoom canvas")).to_be_visible()
    page.get_by_role("link", name="1h").click()
    expect(page).to_have_url(f"{installation.console_url}/charts/calls?window=1h")


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_chart_is_drawn_and_told_in_figures_without_javascript(
    browser: Browser, installation: Installation, signed_in: BrowserContext, calls: dict[str, str], name: str
) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in.storage_state())
    page = context.new_page()
    troubles = watch(page, installation)
    page.goto(f"{installation.console_url}/charts/{name}?window=1h")
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTIONS[name].title)
    expect(page.locator("#zoom svg.chart")).to_be_visible()
    rows = page.get_by_role("region", name="Figures").locator("tbody tr")
    expect(rows).to_have_count(60)
    rows.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/calls\?.*since="))
    context.close()
    assert troubles == []


def test_the_figures_of_a_chart_add_up_to_the_calls(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/charts/calls?window=1h")
    whole = page.locator(".legend li", has_text="ok").locator("b").inner_text()
    column = page.get_by_role("region", name="Figures").locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert sum(int(figure.replace(",", "")) for figure in column) == int(whole)


def test_a_chart_that_does_not_exist_says_which_there_are(
    installation: Installation, signed_in: BrowserContext
) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    reply = httpx.get(installation.console_url + "/charts/weather", cookies=cookies)
    assert reply.status_code == 404
    assert "latency" in reply.text
