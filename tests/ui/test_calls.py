"""The list of calls, one call, and what was said in it."""

import re

import httpx
from playwright.sync_api import BrowserContext, Page, expect
from tests.ui.conftest import ELSEWHERE, HOSTILE, ask

from watchkeeper.testing.harness import Installation


def test_a_search_finds_the_call_and_its_address_is_the_search(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/calls?window=all")
    page.keyboard.press("/")
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=refund"))
    expect(page.locator("#count")).to_have_text("1")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{installation.console_url}/calls/{calls['plain']}")


def test_a_search_without_a_match_offers_a_way_out(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/calls?q=nobody-says-this")
    expect(page.get_by_role("heading", name="No call matches")).to_be_visible()
    page.get_by_role("link", name="Clear the filters").click()
    expect(page.locator(f"#rows a[href='/calls/{calls['plain']}']")).to_be_visible()


def test_facets_narrow_the_list_and_a_chip_widens_it_again(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/calls?window=all")
    page.get_by_label("Filters").get_by_role("link", name=re.compile("^error")).first.click()
    expect(page.locator(f"#rows a[href='/calls/{calls['failed']}']")).to_be_visible()
    expect(page.locator(f"#rows a[href='/calls/{calls['plain']}']")).to_have_count(0)
    page.get_by_role("link", name="Drop status error").click()
    expect(page.locator(f"#rows a[href='/calls/{calls['plain']}']")).to_be_visible()


def test_the_live_tail_shows_a_call_that_arrives_once_and_can_be_paused(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(installation.console_url + "/calls?window=1h")
    page.get_by_role("link", name="Live").click()
    expect(page.locator("#tail")).to_contain_text("Following")
    arrived = ask(installation, "Live, please.")
    row = page.locator(f"#rows a[href='/calls/{arrived}']")
    expect(row).to_be_visible(timeout=15_000)
    expect(page.locator("#rows tr").first).to_contain_text("Live, please.")
    with page.expect_response(re.compile("/calls/tail")):
        pass
    expect(row).to_have_count(1)
    page.get_by_role("link", name="Pause").click()
    expect(page.locator("#tail")).to_have_count(0)


def test_the_live_tail_keeps_to_the_filters(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(installation.console_url + "/calls?window=1h&tenant=acme&live=1")
    other = ask(installation, "Of somebody else.")
    ours = ask(installation, "Of ours.", x_wk_tenant="acme")
    expect(page.locator(f"#rows a[href='/calls/{ours}']")).to_be_visible(timeout=15_000)
    expect(page.locator(f"#rows a[href='/calls/{other}']")).to_have_count(0)


def test_a_call_page_shows_question_answer_attempt_and_money(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/calls/{calls['stream']}")
    main = page.locator("main")
    for text in (
        "Tell me a story.",
        "Once upon a time.",
        "scripted/gpt-4o-mini",
        "input uncached",
        "openai/gpt-4o-mini",
        "measured",
        "s-1",
    ):
        expect(main).to_contain_text(text)
    page.get_by_role("link", name="Timing").click()
    expect(page.get_by_role("heading", name="Stream")).to_be_visible()
    assert page.url.endswith("?view=timing")
    page.get_by_role("link", name="Raw bytes").click()
    expect(page.get_by_role("region", name="Request, as received: body")).to_contain_text("Tell me a story.")
    assert installation.key not in page.content()
    page.get_by_role("link", name="Replay").click()
    expect(main).to_contain_text("curl http://127.0.0.1")
    assert installation.key not in page.content()


def test_a_call_page_says_how_the_call_was_routed_and_what_each_attempt_cost(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/calls/{calls['routed']}")
    attempts = page.locator(".attempts li")
    expect(attempts.nth(0)).to_contain_text("I am not well.")
    expect(attempts.nth(1)).to_contain_text("retry of the same target")
    expect(attempts.nth(1)).to_contain_text("Waited before")
    expect(attempts.nth(2)).to_contain_text("fallback to another target")
    expect(attempts.nth(2)).to_contain_text("Cost $0.0")
    routed = page.locator("section", has=page.get_by_role("heading", name="How it was routed"))
    expect(routed).to_contain_text("the targets in the order in which the route names them")
    expect(routed.get_by_role("list", name="Targets that were considered")).to_contain_text("tried at attempt 1 and 2")
    expect(routed.get_by_role("list", name="What was decided")).to_contain_text("the next target was tried")
    page.get_by_role("link", name="Timing").click()
    table = page.get_by_role("region", name="Attempts in figures")
    expect(table).to_contain_text("First token")
    expect(table.locator("tbody tr").nth(1)).to_contain_text("retry")
    page.goto(f"{installation.console_url}/calls/{calls['plain']}")
    expect(page.locator("main")).to_contain_text("The route had one target, and it was asked")


def test_where_an_answer_came_from_is_on_the_page_and_in_the_list(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/calls/{calls['cached']}")
    expect(page.get_by_label("What is unusual about this call")).to_contain_text("cache hit")
    expect(page.get_by_label("What is unusual about this call")).to_contain_text("saved")
    page.get_by_role("link", name="cache hit").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows tr")).to_contain_text("cache")
    page.goto(f"{installation.console_url}/calls/{calls['stated']}")
    expect(page.get_by_label("What is unusual about this call")).to_contain_text("set answer")
    expect(page.locator("main")).to_contain_text("The client got the text that the route states")
    page.goto(f"{installation.console_url}/calls/{calls['plain']}")
    expect(page.get_by_label("What is unusual about this call")).to_have_count(0)


def test_a_call_in_anthropics_api_shows_what_was_said(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/calls/{calls['blocks']}")
    turns = page.locator(".turn")
    expect(turns).to_have_count(3)
    expect(turns.nth(0)).to_contain_text("Answer briefly.")
    expect(turns.nth(1)).to_contain_text("Where is my parcel?")
    expect(turns.nth(2)).to_contain_text("finish: stop")


def test_the_keyboard_goes_through_a_session(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    page.goto(f"{installation.console_url}/calls/{calls['stream']}")
    page.keyboard.press("[")
    expect(page).to_have_url(f"{installation.console_url}/calls/{calls['plain']}")
    page.keyboard.press("]")
    expect(page).to_have_url(f"{installation.console_url}/calls/{calls['stream']}")


def test_a_picture_of_the_request_is_drawn_and_one_from_elsewhere_is_never_fetched(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{installation.console_url}/calls/{calls['pictures']}", wait_until="networkidle")
    pictures = page.locator("main img")
    expect(pictures).to_have_count(1)
    assert pictures.evaluate("picture => picture.naturalWidth") == 2
    expect(page.locator("main")).to_contain_text("it is not loaded here")
    expect(page.get_by_role("link", name=ELSEWHERE)).to_have_attribute("rel", re.compile("noreferrer"))
    expect(page.locator("main")).to_contain_text("of a kind that is not drawn")
    assert [url for url in asked if not url.startswith(installation.console_url)] == []


def test_a_picture_is_given_out_as_a_picture_and_nothing_else(
    installation: Installation, signed_in: BrowserContext, calls: dict[str, str]
) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in.cookies()}
    base = f"{installation.console_url}/calls/{calls['pictures']}/images"
    drawn = httpx.get(f"{base}/0.1", cookies=cookies)
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")
    assert drawn.headers["content-security-policy"] == "sandbox"
    for place in ("0.0", "0.2", "0.3", "0.9", "9.0", "x", "0"):
        assert httpx.get(f"{base}/{place}", cookies=cookies).status_code == 404, place


def test_hostile_text_is_shown_and_not_obeyed(page: Page, installation: Installation, calls: dict[str, str]) -> None:
    views = [f"/calls/{calls['hostile']}{query}" for query in ("", "?view=timing", "?view=raw", "?view=replay")]
    for path in (*views, "/calls?window=all", "/?window=1h", "/patterns"):
        page.goto(installation.console_url + path)
        assert "owned" not in page.title()
        assert page.locator("main script, main b:text-is('bold'), main i").count() == 0, path
    page.goto(f"{installation.console_url}/calls/{calls['hostile']}")
    expect(page.locator("main")).to_contain_text(HOSTILE[:40])


def test_a_key_is_made_shown_once_replaced_and_revoked(page: Page, installation: Installation) -> None:
    page.goto(installation.console_url + "/keys")
    page.get_by_label("Feature").fill("support")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator(".made pre").inner_text()
    assert key.startswith("sk-wk-")
    page.goto(installation.console_url + "/keys")
    assert key not in page.content()
    row = page.locator("tr", has_text=key.split("-")[2])
    row.get_by_role("button", name="Rotate").click()
    replaced = page.locator(".made pre").inner_text()
    assert replaced.startswith("sk-wk-") and replaced != key
    expect(row).to_contain_text("ending")
    fresh = page.locator("tr", has_text=replaced.split("-")[2])
    fresh.locator("summary", has_text="Revoke").click()
    fresh.get_by_role("button", name="Revoke this key").click()
    expect(fresh).to_contain_text("revoked")
