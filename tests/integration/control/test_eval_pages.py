"""Pages about evaluation: what they show to whom, and a link that shows one of them to whoever holds it."""

import html
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.control.evaluated import ANSWER, HOSTILE, QUESTION, REASON, a_suite, outcome, ran
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.access.roles import Grant
from watchkeeper.store.runs import RunRow

SECRETS = (QUESTION, ANSWER, REASON)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("evals"))


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        yield found


@pytest.fixture
async def run(house: Staffed) -> RunRow:
    outcomes = [outcome("candidate", "a", "failed", text=f"{ANSWER} {HOSTILE}"), outcome("candidate", "b", "passed")]
    outcomes += [outcome("candidate", "c", "unmeasured"), outcome("candidate", "d", "passed")]
    outcomes += [outcome("baseline", name, "passed") for name in "abcd"]
    return await ran(house.control, a_suite(), outcomes)


async def test_a_run_shows_what_fails_first_and_a_case_both_answers(house: Staffed, run: RunRow) -> None:
    ana = await house.user("ana", Grant("author", "support"))
    page = (await house.ask(f"/evals/runs/{run.id}", ana)).text
    order = [page.index(f'data-row="{name}"') for name in "acbd"]
    assert order == sorted(order)
    assert run.decision is not None and html.escape(run.decision.reasons[0]).replace("&#x27;", "&#39;") in page
    assert "<script>document" not in page and "&lt;script&gt;" in page
    case = (await house.ask(f"/evals/runs/{run.id}/cases/a", ana)).text
    assert QUESTION in case and ANSWER in case and REASON in case and "<script>document" not in case
    assert "/calls/01candidatea0" in case and "/calls/01baselinea0" in case and "/calls/01JUDGE" in case
    read = {change.detail["call"] for change in await house.changes("access")}
    assert read == {"01candidatea0", "01baselinea0"}
    narrowed = (await house.ask(f"/evals/runs/{run.id}?standing=failed&q=nothing-has-this", ana)).text
    assert "No case fits" in narrowed
    assert (await house.ask(f"/evals/runs/{run.id}/cases/nobody", ana)).status_code == 404


async def test_who_may_not_read_bodies_sees_figures_and_what_is_missing(house: Staffed, run: RunRow) -> None:
    cleo = await house.user("cleo", Grant("viewer", "support"))
    paths = (f"/evals/runs/{run.id}", f"/evals/runs/{run.id}/cases/a", f"/evals/runs/{run.id}/cases/c",
             "/evals/suites/support/answers")  # fmt: skip
    for path in paths:
        reply = await house.ask(path, cleo)
        assert reply.status_code == 200, path
        assert "read_bodies" in reply.text, path
        assert [secret for secret in SECRETS if secret in reply.text] == [], path
    assert "No case fits" in (await house.ask(f"/evals/runs/{run.id}?q={REASON}", cleo)).text
    assert await house.changes("access") == []
    assert (await house.ask(f"/evals/runs/{run.id}/report?ending=.json", cleo)).status_code == 403


async def test_another_features_people_see_nothing_of_it(house: Staffed, run: RunRow) -> None:
    max_ = await house.user("max", Grant("author", "payroll"))
    for path in (
        f"/evals/runs/{run.id}", f"/evals/runs/{run.id}/cases/a", f"/evals/runs/{run.id}/report",
        f"/evals/compare?candidate={run.id}&baseline={run.id}", "/evals/suites/support/answers",
        "/features/support/quality",
    ):  # fmt: skip
        assert (await house.ask(path, max_)).status_code == 403, path
    assert "/evals/suites/support" not in (await house.ask("/evals", max_)).text


async def test_reports_are_streamed_in_every_format(house: Staffed, run: RunRow) -> None:
    ana = await house.user("ana", Grant("author", "support"))
    for ending in (".html", ".junit.xml", ".md", ".csv", ".json"):
        reply = await house.ask(f"/evals/runs/{run.id}/report?ending={ending}", ana)
        assert reply.status_code == 200 and REASON in reply.text, ending
        assert reply.headers["content-disposition"] == f'attachment; filename="{run.id}{ending}"'
    assert (await house.ask(f"/evals/runs/{run.id}/report?ending=.exe", ana)).status_code == 404


async def test_a_stopped_run_says_how_it_goes_on_and_a_running_one_asks_again(house: Staffed) -> None:
    ana = await house.user("ana", Grant("author"))
    first = [outcome("candidate", "a", "failed")]
    stopped = await ran(house.control, a_suite(), first, status="stopped", note="The money cap was reached.")
    page = (await house.ask(f"/evals/runs/{stopped.id}", ana)).text
    assert f"<code>watchkeeper eval resume {stopped.id}</code>" in page and "The money cap was reached." in page
    running = await ran(house.control, a_suite(), first, status="running")
    for path in (f"/evals/runs/{running.id}", "/evals"):
        page = (await house.ask(path, ana)).text
        assert "1 of 4 answers, 1 failed" in page and 'hx-trigger="every 4s"' in page
    assert 'data-row="a"' in (await house.ask(f"/evals/runs/{running.id}", ana)).text


async def test_two_runs_are_compared_case_by_case(house: Staffed, run: RunRow) -> None:
    ana = await house.user("ana", Grant("author"))
    other = await ran(house.control, a_suite(), [outcome("candidate", name, "passed") for name in "abcd"])
    page = (await house.ask(f"/evals/compare?candidate={run.id}&baseline={other.id}", ana)).text
    assert 'data-row="a"' in page and 'data-row="b"' not in page and "cases passed" in page
    beside = (await house.ask(f"/evals/runs/{run.id}/cases/a?baseline={other.id}", ana)).text
    assert other.head.arms[0].title in beside or "wk1-aaaaaaaa" in beside


async def test_evals_say_what_blocks_and_begin_with_a_command(house: Staffed) -> None:
    ana = await house.user("ana", Grant("author"))
    assert "watchkeeper eval run" in (await house.ask("/evals", ana)).text
    await ran(house.control, a_suite(), [outcome("candidate", "a", "passed")])
    page = (await house.ask("/evals?feature=support", ana)).text
    assert "/evals/suites/support/answers" in page and "/features/support/quality" in page
    assert "No suite of payroll" in (await house.ask("/evals?feature=payroll", ana)).text


def _link(page: str) -> str:
    found = re.search(r"http://watchkeeper(/share/[\w-]{43})", page)
    assert found is not None
    return found[1]


async def test_a_link_shows_one_page_of_figures_and_leads_nowhere(house: Staffed, run: RunRow) -> None:
    ana = await house.user("ana", Grant("author", "support"))
    made = await house.send_form("/features/support/shares", ana, whom="the team", days="30")
    assert made.status_code == 303
    page = (await house.ask(made.headers["location"], ana)).text
    path = _link(page)
    assert path not in (await house.ask(made.headers["location"], ana)).text  # shown once
    reply = await house.ask(path, {})
    assert reply.status_code == 200 and "Quality of support" in reply.text and "answers" in reply.text
    assert "<a " not in reply.text and "<form" not in reply.text and "<script" not in reply.text
    assert [secret for secret in SECRETS if secret in reply.text] == [] and run.id not in reply.text
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (
        "noindex" in reply.headers["x-robots-tag"] and "default-src 'self'" in reply.headers["content-security-policy"]
    )
    await house.ask(path, {})
    said = [change.summary for change in await house.changes("share")]
    assert len(said) == 2 and "shared the quality page of support" in said[0] and "was opened" in said[1]
    row = (await house.control.share_links.listed())[0]
    assert path.rpartition("/")[2] not in repr(row) and row.name == "the team"
    assert row.id in (await house.ask("/access", ana)).text
    assert row.id in (await house.ask("/features/support/quality", ana)).text


async def test_a_wrong_an_ended_and_a_withdrawn_link_are_the_same_nothing(house: Staffed, run: RunRow) -> None:
    ana = await house.user("ana", Grant("operator", "support"))
    made = (await house.ask_locally("/api/v1/shares", method="POST", json={"feature": "support", "days": 1})).json()
    also = (await house.ask_locally("/api/v1/shares", method="POST", json={"feature": "support", "days": 9})).json()
    assert (await house.send_form(f"/shares/{made['id']}/revoke", ana)).status_code == 303
    wrong = "/share/" + "w" * 43

    async def seen(path: str) -> tuple[int, str]:
        reply = await house.ask(path, {})
        return reply.status_code, reply.text.replace(path, "PATH")

    assert await seen(made["path"]) == await seen(wrong)
    house.services.clock.advance(timedelta(days=10).total_seconds())  # type: ignore[attr-defined]  # the tests' own
    assert await seen(also["path"]) == await seen(wrong)
    assert [(await seen(wrong))[0] for _ in range(5)] == [404, 404, 404, 429, 429]


async def test_links_are_made_and_taken_back_by_who_may(house: Staffed, run: RunRow) -> None:
    cleo = await house.user("cleo", Grant("viewer", "support"))
    max_ = await house.user("max", Grant("author", "payroll"))
    for who in (cleo, max_):
        assert (await house.send_form("/features/support/shares", who, whom="", days="3")).status_code == 403
    token = await house.token("ci", "write_releases", features=("support",))
    wish = {"feature": "support", "name": HOSTILE, "days": 400}
    assert (await house.ask("/api/v1/shares", token, method="POST", json=wish)).status_code == 422
    made = await house.ask("/api/v1/shares", token, method="POST", json=wish | {"days": 3})
    assert made.status_code == 200
    assert (await house.send_form(f"/shares/{made.json()['id']}/revoke", max_)).status_code == 403
    page = (await house.ask("/features/support/quality", cleo)).text
    assert "Make a link" not in page and "Take back" not in page and "&lt;script&gt;" in page
    assert "shr-" not in (await house.ask("/access", max_)).text
    for _ in range(19):
        assert (await house.ask("/api/v1/shares", token, method="POST", json=wish | {"days": 3})).status_code == 200
    assert (await house.ask("/api/v1/shares", token, method="POST", json=wish | {"days": 3})).status_code == 409
