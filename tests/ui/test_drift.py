"""Drift in the browser: what has moved, in words and figures, and accepting it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from tests.ui.conftest import HOSTILE

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import AlertDraft, Findings, Mark
from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.drift.readings import Group, Look, Reading, Reference, sentence
from watchkeeper.evals.drift.rounds import Moved, Round, Verdict
from watchkeeper.store.control import ControlStore
from watchkeeper.store.drift import FindingDraft
from watchkeeper.testing.harness import Installation
from watchkeeper.watch import drift as watching

MODEL = f"scripted/{HOSTILE[:40]}"
GROUP = Group("support", "production", "", "scripted/gpt-4o-mini")
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SHORTER = Reading(
    signal="output_letters", side="outputs", kind="number", before=400.0, after=236.0, effect=0.41, p=1e-9,
    units_before=2_000, units_after=150, breach="certain", cause="outputs",
)  # fmt: skip
STEADY = Reading(
    signal="refusals", side="outputs", kind="rate", before=0.02, after=0.02, effect=0.0, p=0.9, units_before=2_000,
    units_after=150,
)  # fmt: skip
LOOK = Look(
    group=GROUP, window="hour", since=NOW - timedelta(hours=1), until=NOW, calls=151,
    reference=Reference(since=NOW - timedelta(days=9), until=NOW - timedelta(days=2), by="watchkeeper"),
    readings=(SHORTER, STEADY),
)  # fmt: skip


@pytest.fixture(scope="module")
def moved(installation: Installation, calls: dict[str, str]) -> None:
    """A feature and a model that have moved, as the keeper would have written them down."""

    async def write() -> None:
        store = await ControlStore.open(f"sqlite:///{installation.data}/control.db", SystemClock())
        await store.drift.note_look(LOOK)
        said = sentence(SHORTER, LOOK)
        evidence = {"since": LOOK.since.isoformat()}
        await store.drift.note_findings(
            [FindingDraft(kind="raised", group=GROUP, signal="output_letters", cause="outputs", sentence=said,
                          evidence=evidence, by="watchkeeper")]
        )  # fmt: skip
        key = watching.key_of(GROUP)
        draft = AlertDraft(kind="drift", key=f"{key} outputs", severity="warning", title=said, text=said)
        mark = Mark(kind="drift", key=key, window_start=None, window_end=None, passed=frozenset({"output_letters"}))
        await store.alerts.apply(Findings(raised=(draft,), mark=mark), Notifications())
        changed = Verdict(
            status="changed", reason="31 % are the usual ones.", moved=(Moved("json", HOSTILE, "no", 1.0),)
        )
        await store.canaries.add(
            MODEL, Round(prompts="set", at=NOW, answers=()), changed, cost_nusd=10, by="watchkeeper"
        )
        await store.close()

    with ThreadPoolExecutor(1) as apart:  # the browser has a loop of its own in this thread
        apart.submit(asyncio.run, write()).result()


def test_what_has_moved_is_said_in_words_and_accepted(page: Page, installation: Installation, moved: None) -> None:
    page.goto(f"{installation.console_url}/drift")
    row = page.get_by_role("region", name="Features that are looked at").get_by_role("row").filter(has_text="support")
    expect(row).to_contain_text("Length of answers")
    row.get_by_role("link", name="support").click()
    expect(page.get_by_role("heading", name="support", exact=True)).to_be_visible()
    card = page.get_by_role("region", name="Signals of scripted/gpt-4o-mini")
    expect(card.get_by_role("row").filter(has_text="Length of answers")).to_contain_text("moved")
    expect(card.get_by_role("row").filter(has_text="Refusals")).to_contain_text("as before")
    expect(page.locator(".moves")).to_contain_text("answers became 41 % shorter (p < 0.0001), inputs did not change")
    page.get_by_text("Accept how it is now").click()
    page.get_by_label("Reason").fill("shorter is better <b>")
    page.get_by_role("button", name="Accept it").click()
    expect(page.locator(".head")).to_contain_text("nothing has moved")
    expect(page.locator(".looks").last).to_contain_text("shorter is better <b>")


def test_a_model_that_changed_shows_its_answers_and_can_be_accepted(
    page: Page, installation: Installation, moved: None
) -> None:
    page.goto(f"{installation.console_url}/drift")
    row = page.get_by_role("region", name="Models that are asked the same").get_by_role("row").filter(has_text=MODEL)
    expect(row).to_contain_text("changed")
    row.get_by_text("Answers that moved").click()
    expect(row.locator(".answers-moved")).to_contain_text("<script>")
    row.locator("summary", has_text="Accept").click()
    row.get_by_role("button", name="Accept its answers").click()
    expect(page).to_have_url(f"{installation.console_url}/drift")
    assert page.title() != "owned"


def test_a_feature_of_which_nothing_is_known_says_so(page: Page, installation: Installation, moved: None) -> None:
    shown = page.request.get(f"{installation.console_url}/drift/nobody")
    assert shown.status == 404
    assert "No calls of a feature" in shown.text()
