"""Releases in the browser: who is live where, writing one without YAML, reviews, promotion and taking it back."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.ui.conftest import HOSTILE, command, push, recipe, watch
from tests.ui.test_entry import PASSWORD, sign_in

from watchkeeper.testing import Reply, Upstream
from watchkeeper.testing.harness import Installation


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
    assert [one for one in troubles if "409" not in one and "422" not in one] == []


@pytest.fixture
def written(request: pytest.FixtureRequest, installation: Installation, calls: dict[str, str]) -> str:
    """The latest release of a feature of this test's own."""
    name = f"written-{abs(hash(request.node.name)) % 10**8}"
    wanted = recipe("You answer for {{ company }}.\nBe brief.\nNever guess.") | {"feature": name}
    return push(installation, wanted, parent="", message="the first one")


def test_features_say_what_is_live_where_and_lead_to_it(
    either: Page, installation: Installation, calls: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/features")
    row = either.get_by_role("region", name="Features").get_by_role("row").filter(has_text="support")
    expect(row).to_contain_text("ana@example.com")
    expect(row).to_contain_text(calls["first release"][:12])
    expect(row).to_contain_text("canary")
    row.get_by_role("link", name="support", exact=True).click()
    cards = either.locator(".environments > li")
    expect(cards.filter(has_text="production")).to_contain_text(calls["first release"][:12])
    expect(cards.filter(has_text="staging")).to_contain_text(calls["release"][:12])
    expect(either.locator(".timeline")).to_contain_text("it begins")
    expect(either.locator(".chart .marker").first).to_be_attached()


def test_a_call_says_which_release_served_it_and_the_list_can_be_narrowed_to_it(
    either: Page, installation: Installation, calls: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/calls/{calls['fitting']}")
    part = either.locator("section", has=either.get_by_role("heading", name="Release", exact=True)).first
    expect(part).to_contain_text("The answer is what the release asks for.")
    part.get_by_role("link", name=calls["first release"]).click()
    expect(either.get_by_role("heading", name="Recipe")).to_be_visible()
    either.get_by_role("link", name="Calls", exact=True).last.click()
    expect(either).to_have_url(re.compile("release=wk1-"))
    expect(either.locator(f"[data-row='{calls['fitting']}']")).to_be_visible()
    either.goto(f"{installation.console_url}/calls?window=all&output=failed")
    expect(either.locator(f"[data-row='{calls['fitting']}']")).to_have_count(0)


def test_a_release_shows_what_it_changes_word_by_word(
    page: Page, installation: Installation, calls: dict[str, str]
) -> None:
    page.goto(f"{installation.console_url}/releases/{calls['release']}")
    changed = page.locator(".recipe-diff").first
    expect(changed).to_contain_text("message 1, system")
    expect(changed.locator(".plus mark").first).to_contain_text("kind")
    expect(changed).to_contain_text("<script>")
    assert page.title() != "owned"


def test_a_prompt_is_written_previewed_with_a_real_call_saved_and_reviewed(
    either: Page, installation: Installation, calls: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/releases/{calls['first release']}/edit")
    expect(either.locator("main")).to_contain_text("Saving puts this text in its place")
    either.get_by_label("Text of message 1").fill("You answer for {{ compny }}.")
    either.locator("#preview").get_by_role("button", name="Preview", exact=True).click()
    expect(either.locator(".why")).to_contain_text("compny")
    either.get_by_label("Text of message 1").fill("You answer for {{ company }}, in {{ tone }}.")
    either.get_by_role("button", name="Add a variable").click()
    either.get_by_label("Name").nth(2).fill("tone")
    either.get_by_label("optional", exact=True).last.check()
    either.get_by_label("Default, when optional").last.fill("plain words")
    either.get_by_label("Variables of a recent call").select_option(value=calls["fitting"])
    either.get_by_role("button", name="Take them").click()
    rendered = either.get_by_role("region", name="The prompt as it is sent")
    expect(rendered).to_contain_text("You answer for Acme, in plain words.")
    expect(rendered).to_contain_text("Where is my refund?")
    either.get_by_role("button", name="Save as a new release").click()
    expect(either.locator(".why")).to_contain_text("is missing")
    either.get_by_label("What was changed, and why").fill("a tone of one's own <b>")
    either.get_by_label("Ask for review for").select_option("production")
    either.get_by_role("button", name="Save as a new release").click()
    expect(either).to_have_url(re.compile(r"/releases/wk1-\w{26}$"))
    expect(either.locator("main")).to_contain_text("a tone of one's own <b>")
    review = either.locator(".review").first
    expect(review).to_contain_text("production")
    review.get_by_label("Comment").fill("reads well")
    review.get_by_role("button", name="Approve").click()
    expect(either.locator(".votes").first).to_contain_text("reads well")


def test_two_who_write_at_once_see_each_other_and_lose_nothing(
    either: Page, installation: Installation, written: str
) -> None:
    either.goto(f"{installation.console_url}/releases/{written}/edit")
    feature = command_get(installation, f"releases/{written}")["feature"]
    theirs = recipe("You answer for {{ company }}.\nBe brief.\nNever guess.") | {
        "feature": feature,
        "parameters": {"temperature": 0.7},
    }
    head = push(installation, theirs, parent=written, message="warmer")
    either.get_by_label("Text of message 1").fill("You answer for {{ company }}.\nBe kind.\nNever guess.")
    either.get_by_label("What was changed, and why").fill("kinder")
    either.get_by_role("button", name="Save as a new release").click()
    conflict = either.locator(".conflict")
    expect(conflict).to_contain_text("warmer")
    expect(conflict).to_contain_text("parameter temperature")
    expect(conflict).to_contain_text("do not touch the same place")
    expect(either.get_by_label("Text of message 1")).to_have_value(re.compile("Be kind"))
    assert command_get(installation, f"releases/{feature}")["id"] == head
    either.get_by_role("button", name="Bring both together").click()
    expect(either.get_by_label("Text of message 1")).to_have_value(re.compile("Be kind"))
    expect(either.get_by_label("Value").first).to_have_value("0.7")
    either.get_by_role("button", name="Save as a new release").click()
    expect(either).to_have_url(re.compile(r"/releases/wk1-\w{26}$"))
    saved = command_get(installation, f"releases/{feature}")
    assert saved["parent"] == head
    assert saved["recipe"]["parameters"] == {"temperature": 0.7}
    assert "Be kind." in saved["recipe"]["messages"][0]["content"]


def test_a_place_that_both_have_changed_is_named_and_mine_stays_in_the_form(
    either: Page, installation: Installation, written: str
) -> None:
    either.goto(f"{installation.console_url}/releases/{written}/edit")
    feature = command_get(installation, f"releases/{written}")["feature"]
    push(installation, recipe("Theirs, {{ company }}.") | {"feature": feature}, parent=written, message="theirs")
    either.get_by_label("Text of message 1").fill("Mine, {{ company }}.")
    either.get_by_label("What was changed, and why").fill("mine")
    either.get_by_role("button", name="Save as a new release").click()
    expect(either.locator(".conflict")).to_contain_text("Both have changed: message 1, system")
    either.get_by_role("button", name="Bring both together").click()
    expect(either.locator("main")).to_contain_text("Both have changed message 1, system")
    expect(either.get_by_label("Text of message 1")).to_have_value("Mine, {{ company }}.")


def test_promoting_and_rolling_back_ask_once_and_take_effect(
    either: Page, installation: Installation, written: str
) -> None:
    feature = command_get(installation, f"releases/{written}")["feature"]
    second = push(
        installation, recipe("Second, {{ company }}.") | {"feature": feature}, parent=written, message="second"
    )
    for release in (written, second):
        either.goto(f"{installation.console_url}/releases/{release}")
        deed = either.locator(".deed").filter(has_text="staging")
        deed.locator("summary", has_text="Promote").click()
        deed.locator("details[open]").get_by_label("Reason").fill(f"because {HOSTILE[:20]}")
        deed.get_by_role("button", name="Promote to staging").click()
        expect(either.locator(".environments > li").filter(has_text="staging")).to_contain_text(release[:12])
    deed = either.locator(".deed").filter(has_text="staging")
    deed.locator("summary", has_text="Roll back").click()
    deed.locator("details[open]").get_by_label("Reason").fill("too cold")
    deed.get_by_role("button", name="Roll staging back").click()
    expect(either).to_have_url(re.compile(f"/features/{feature}$"))
    expect(either.locator(".environments > li").filter(has_text="staging")).to_contain_text(written[:12])
    expect(either.locator(".timeline")).to_contain_text("too cold")


def test_a_canary_is_started_where_another_release_stands(
    either: Page, installation: Installation, written: str
) -> None:
    feature = command_get(installation, f"releases/{written}")["feature"]
    second = push(installation, recipe("Other, {{ company }}.") | {"feature": feature}, parent=written, message="other")
    command(installation, "environments/production/promote", feature=feature, release=written, message="")
    either.goto(f"{installation.console_url}/releases/{second}")
    expect(either.locator(".deed").filter(has_text="development")).not_to_contain_text("canary")
    deed = either.locator(".deed").filter(has_text="production")
    deed.locator("summary", has_text="Try as a canary").click()
    deed.get_by_role("button", name="Start the canary").click()
    expect(either).to_have_url(re.compile("/rollouts/rollout-"))
    either.get_by_role("link", name=second[:12]).first.click()
    expect(either.get_by_role("complementary")).to_contain_text("Canary, production")


def test_a_canary_is_paused_resumed_and_stopped(either: Page, installation: Installation, written: str) -> None:
    feature = command_get(installation, f"releases/{written}")["feature"]
    second = push(
        installation, recipe("Second, {{ company }}.") | {"feature": feature}, parent=written, message="second"
    )
    command(installation, "environments/staging/promote", feature=feature, release=written, message="")
    started = command(installation, "rollouts", feature=feature, environment="staging", arms=[{"release": second}])
    either.goto(f"{installation.console_url}/rollouts")
    either.get_by_role("region", name="Rollouts").get_by_role("row").filter(has_text=feature).get_by_role(
        "link"
    ).first.click()
    expect(either).to_have_url(re.compile(f"/rollouts/{started['id']}$"))
    expect(either.get_by_label("Steps")).to_contain_text("5 %")
    for verb, state in (("Pause", "paused"), ("Resume", "running"), ("Stop", "stopped")):
        either.locator(".verbs summary", has_text=verb).click()
        either.get_by_role("button", name=f"{verb} it").click()
        expect(either.locator(".head .status")).to_have_text(state)
    expect(either.locator(".verbs")).to_have_count(0)
    assert command_get(installation, f"rollouts/{started['id']}")["state"] == "stopped"


def test_a_call_is_tried_under_a_release_and_another_model_side_by_side(
    either: Page, installation: Installation, ui_upstream: Upstream, calls: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/calls/{calls['fitting']}")
    either.get_by_role("link", name="Try it otherwise").click()
    expect(either.locator("main")).to_contain_text("each answer is a call of its own")
    either.get_by_role("button", name="Ask").click()
    expect(either.locator("main")).to_contain_text("Choose a release or a model")
    ui_upstream.plays(Reply('{"answer": "Tomorrow, dear."}'))
    either.locator("select[name='try.0']").select_option(value=calls["release"])
    either.get_by_role("button", name="Ask").click()
    columns = either.locator(".answer-column")
    expect(columns).to_have_count(2, timeout=20_000)
    expect(columns.first).to_contain_text("On its way.")
    expect(columns.last.locator(".plus mark").first).to_contain_text("Tomorrow")
    columns.last.get_by_role("link", name="Open the call").click()
    expect(either.locator("main")).to_contain_text("replay of a call")


def test_a_draft_is_tried_before_it_is_saved(
    either: Page, installation: Installation, ui_upstream: Upstream, written: str
) -> None:
    either.goto(f"{installation.console_url}/releases/{written}/edit")
    either.get_by_label("Text of message 1").fill("Say hello to {{ company }}.")
    either.locator("input[name='x.question']").fill("Hello?")
    ui_upstream.plays(Reply('{"answer": "Hello, Acme."}'))
    either.get_by_role("button", name="Preview, and ask the model").click()
    expect(either.locator(".answer-column")).to_contain_text("Hello, Acme.", timeout=20_000)
    feature = command_get(installation, f"releases/{written}")["feature"]
    assert command_get(installation, f"releases/{feature}")["id"] == written


def test_who_may_only_look_is_offered_nothing_and_refused_what_he_sends(
    browser: Browser, installation: Installation, calls: dict[str, str]
) -> None:
    installation.cli("users", "add", "vera", "--role", "viewer", "--feature", "support", "--password", PASSWORD)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{installation.console_url}/releases/{calls['release']}")
    sign_in(page, "vera", PASSWORD)
    expect(page.get_by_role("heading", name="Recipe")).to_be_visible()
    for offered in (".deed", ".review form", ".verbs"):
        expect(page.locator(offered)).to_have_count(0)
    expect(page.get_by_role("link", name="Edit", exact=True)).to_have_count(0)
    for path in (f"/releases/{calls['release']}/edit", f"/playground?call={calls['fitting']}"):
        page.goto(installation.console_url + path)
        expect(page.get_by_role("heading", level=1)).to_have_text("Refused")
    reply = context.request.post(
        f"{installation.console_url}/releases/{calls['release']}/promote", form={"environment": "production"}
    )
    assert reply.status == 403
    page.goto(f"{installation.console_url}/features")
    expect(page.get_by_role("region", name="Features").get_by_role("row")).to_have_count(2)
    context.close()


def test_variables_are_typed_for_a_release_and_what_is_wrong_is_said(
    either: Page, installation: Installation, ui_upstream: Upstream, calls: dict[str, str]
) -> None:
    either.goto(f"{installation.console_url}/releases/{calls['release']}")
    either.get_by_role("link", name="Try it").click()
    either.get_by_role("button", name="Ask").click()
    expect(either.locator("main")).to_contain_text("question")
    expect(either.locator(".problem").first).to_be_visible()
    ui_upstream.plays(Reply('{"answer": "Yes."}'))
    either.get_by_label("question").fill("Is it <b>open</b>?")
    either.get_by_role("button", name="Ask").click()
    expect(either.locator(".answer-column")).to_contain_text("Yes.", timeout=20_000)
    expect(either.get_by_label("question")).to_have_value("Is it <b>open</b>?")


def command_get(installation: Installation, path: str) -> dict[str, Any]:
    """Ask the control API, as the command line does."""
    found = installation.ask(f"/api/v1/{path}")
    assert found is not None, path
    return found
