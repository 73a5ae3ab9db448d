"""Labelling in a real browser: by keyboard alone, one item after the other, without JavaScript as well."""

import re

from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import ask, command

from watchkeeper.testing.harness import Installation


def a_queue(installation: Installation, title: str) -> str:
    """Make a queue of answers of a feature of its own; return the path of its page."""
    for number in range(3):
        ask(installation, f"Question {number}?", x_wk_feature=title)
    made = command(installation, "labels/queues", calls={"feature": title}, sample=3, title=title, second_share=0)
    return f"{installation.console_url}/labels/{made['id']}"


def test_answers_are_labelled_with_the_keyboard_alone(page: Page, installation: Installation) -> None:
    page.goto(a_queue(installation, "keyboard"))
    settled = page.locator(".head .note")
    expect(settled).to_contain_text("0 of 3")
    first = page.locator(".said").first.inner_text()
    page.keyboard.press("g")
    page.keyboard.press("x")
    expect(settled).to_contain_text("0 of 3")
    page.keyboard.press("c")
    page.keyboard.type("p is for pass")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(settled).to_contain_text("1 of 3")
    assert page.locator(".said").first.inner_text() != first
    page.keyboard.press("u")
    expect(settled).to_contain_text("0 of 3")
    expect(page.locator(".said").first).to_have_text(first)
    for number, key in enumerate("fpn", 1):
        page.keyboard.press(key)
        expect(settled).to_contain_text(f"{number} of 3")
    expect(page.get_by_role("heading", name="Nothing is left for you in this queue.")).to_be_visible()


def test_the_keys_are_told_on_the_page_of_help(page: Page, installation: Installation) -> None:
    page.goto(a_queue(installation, "help"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Take the last label back")


def test_answers_are_labelled_without_javascript(
    browser: Browser, installation: Installation, signed_in: BrowserContext
) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in.storage_state())
    page = context.new_page()
    page.goto(a_queue(installation, "plain"))
    page.get_by_role("button", name="Pass").click()
    expect(page.locator(".head .note")).to_contain_text("1 of 3")
    page.get_by_role("button", name="Take the last label back").click()
    expect(page.locator(".head .note")).to_contain_text("0 of 3")
    context.close()


def test_a_call_goes_into_a_suite_in_two_clicks(page: Page, installation: Installation) -> None:
    call = ask(installation, "I am ana@example.com, where is my refund?", x_wk_feature="support")
    page.goto(f"{installation.console_url}/calls/{call}")
    page.get_by_role("link", name="Add to a suite").click()
    expect(page.locator("pre.case")).to_contain_text("<EMAIL_1>")
    expect(page.locator("pre.case")).not_to_contain_text("ana@example.com")
    page.get_by_label(re.compile("Suite of")).fill("from-calls")
    page.get_by_role("button", name="Add to the suite").click()
    expect(page.get_by_role("status")).to_contain_text("support/from-calls has this case")
