"""The pages about labels: blind while one labels, forms without JavaScript, nobody sees what they may not."""

import re

from tests.integration.control.staffed import MARKS, Staffed
from tests.integration.labels.conftest import JUDGE, JudgedRun

from watchkeeper.access.roles import Grant

SECRETS = ("candidate", "baseline", JUDGE, "wk1-release", "markreason", "case-")
"""What an item's page must not hold: arm, judge, release, the judge's reason, the case."""


async def a_queue(app: Staffed, run: JudgedRun, sample: int = 6) -> int:
    wish = {"run": run.id, "sample": sample, "second_share": 0.0, "reasons": ["rude"]}
    return int((await app.ask_locally("/api/v1/labels/queues", method="POST", json=wish)).json()["id"])


async def test_an_items_page_holds_neither_arm_nor_mark(app: Staffed, run: JudgedRun) -> None:
    queue, ana = await a_queue(app, run), await app.user("ana", Grant("author", "support"))
    html = (await app.ask(f"/labels/{queue}", ana)).text
    assert "Is it kind?" in html and re.search(r"Question \d+\?", html) and re.search(r"(Kind|Rude) answer \d+", html)
    for secret in SECRETS:
        assert secret not in html
    other = (await app.ask(f"/labels/{queue}", ana)).text
    assert re.findall(r"answer \d+\.", html) == re.findall(r"answer \d+\.", other)


async def test_a_form_labels_and_leads_to_the_next_and_undo_leads_back(app: Staffed, run: JudgedRun) -> None:
    queue, ana = await a_queue(app, run), await app.user("ana", Grant("author", "support"))
    seen = []
    for _ in range(6):
        html = (await app.ask(f"/labels/{queue}", ana)).text
        item = re.findall(r'name="item" value="(\d+)"', html)[0]
        done = await app.send_form(f"/labels/{queue}", ana, item=item, key="p", reason="rude", comment="<b>so</b>")
        assert (done.status_code, done.headers["location"]) == (303, f"/labels/{queue}")
        seen.append(item)
    assert len(set(seen)) == 6
    end = (await app.ask(f"/labels/{queue}", ana)).text
    assert "Nothing is left for you" in end and "6 of 6" in end
    twice = await app.send_form(f"/labels/{queue}", ana, item=seen[0], key="f")
    assert twice.status_code == 422 and "already" in twice.text
    odd = await app.send_form(f"/labels/{queue}", ana, item=seen[0], key="x")
    assert odd.status_code == 422 and "nothing was kept" in odd.text
    await app.send_form(f"/labels/{queue}/undo", ana)
    html = (await app.ask(f"/labels/{queue}", ana)).text
    assert re.findall(r'name="item" value="(\d+)"', html) == [seen[-1]]
    word = (await app.control.labels.items(queue))[0].labels[0]
    assert (word.by, word.value, word.reason, word.comment) == ("ana", 1.0, "rude", "<b>so</b>")


async def test_a_form_of_elsewhere_labels_nothing(app: Staffed, run: JudgedRun) -> None:
    queue, ana = await a_queue(app, run), await app.user("ana", Grant("author", "support"))
    for path in (f"/labels/{queue}", f"/labels/{queue}/undo", f"/labels/{queue}/close", "/labels", "/cases"):
        refused = await app.ask(path, ana, method="POST", data={"item": "1", "key": "p", "call": "x", "suite": "y"})
        assert refused.status_code == 403
    assert all(not item.labels for item in await app.control.labels.items(queue))


async def test_a_viewer_sees_how_far_it_is_and_no_answer_and_others_nothing(app: Staffed, run: JudgedRun) -> None:
    queue = await a_queue(app, run)
    vera = await app.user("vera", Grant("viewer", "support"))
    html = (await app.ask(f"/labels/{queue}", vera)).text
    assert "may label here" in html and "answer 1" not in html and 'name="key"' not in html
    assert (await app.send_form(f"/labels/{queue}", vera, item="1", key="p")).status_code == 403
    pay = await app.user("pay", Grant("author", "payroll"))
    assert (await app.ask(f"/labels/{queue}", pay)).status_code == 403
    listed = (await app.ask("/labels", pay)).text
    assert "tone of support" not in listed and JUDGE not in listed


async def test_a_sample_is_drawn_on_the_page_and_its_judge_has_a_card(app: Staffed, run: JudgedRun) -> None:
    ana = await app.user("ana", Grant("author", "support"))
    assert run.id in (await app.ask("/labels", ana)).text
    made = await app.send_form("/labels", ana, run=run.id, scorer="", sample="12")
    assert made.status_code == 303 and made.headers["location"].startswith("/labels/")
    html = (await app.ask("/labels", ana)).text
    assert "tone of support/answers" in html and JUDGE in html and "unlabelled" in html
    again = await app.send_form("/labels", ana, run=run.id, scorer="", sample="12")
    assert again.status_code == 409 and "counts twice" in again.text
    for sample in ("0", "many", "9999999"):
        assert (await app.send_form("/labels", ana, run=run.id, sample=sample)).status_code == 422
    assert (await app.send_form("/labels", ana, run="", sample="5")).status_code in (422, 400)
    closed = await app.send_form(f"{made.headers['location']}/close", ana)
    assert closed.status_code == 303
    assert "The queue is closed" in (await app.ask(made.headers["location"], ana)).text


async def test_a_call_is_added_to_a_suite_after_a_look(app: Staffed) -> None:
    ana, vera = await app.user("ana", Grant("author", "support")), await app.user("vera", Grant("viewer"))
    call = app.calls["support"][0].id
    assert f"/cases?call={call}" in (await app.ask(f"/calls/{call}", ana)).text
    assert f"/cases?call={call}" not in (await app.ask(f"/calls/{call}", vera)).text
    html = (await app.ask(f"/cases?call={call}&reference=answer", ana)).text
    assert MARKS["support"] in html and "does not find names" in html
    assert [note.detail["call"] for note in await app.changes("access")] == [call]
    done = await app.send_form("/cases", ana, call=call, suite="live", reference="answer")
    assert done.status_code == 303
    assert "The latest version of support/live has this case." in (await app.ask(done.headers["location"], ana)).text
    _, suite = await app.control.suites.get("support/live")
    assert [case.reference for case in suite.cases] == [f"{MARKS['support']}!"]
    assert (await app.send_form("/cases", ana, call=call, suite="a/b")).status_code == 422
    assert (await app.ask(f"/cases?call={call}", vera)).status_code == 403
    assert (await app.ask("/cases?call=nothing", ana)).status_code == 404


async def test_every_component_is_among_the_patterns_and_hostile_texts_stay_texts(app: Staffed) -> None:
    html = (await app.ask("/patterns/labels", await app.user("vera", Grant("viewer")))).text
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html
    for kind in ("eligible", "advisory", "unlabelled", "&lt;EMAIL_1&gt;"):
        assert kind in html
