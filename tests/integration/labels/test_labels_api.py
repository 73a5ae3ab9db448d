"""Labels over the API: drawn from a run or from calls, given blind, put together into cards of judges."""

from typing import Any

import pytest
from tests.integration.control.staffed import MARKS, Staffed
from tests.integration.labels.conftest import CASES, JUDGE, JudgedRun

from watchkeeper.access.roles import Grant
from watchkeeper.api.evaluating import end

LABELS = "/api/v1/labels"


async def post(app: Staffed, path: str, *, by: dict[str, str] | None = None, **body: Any) -> Any:
    path = f"{LABELS}{path}"
    reply = await (
        app.ask_locally(path, method="POST", json=body) if by is None else app.ask(path, by, method="POST", json=body)
    )
    return reply.json() | {"status": reply.status_code}


async def get(app: Staffed, path: str) -> Any:
    return (await app.ask_locally(f"{LABELS}{path}")).json()


async def people(app: Staffed) -> list[dict[str, str]]:
    return [await app.token(name, "read", "read_bodies", "write_releases") for name in ("ana", "ben", "cleo")]


async def label_all(app: Staffed, queue: int, by: dict[str, str], *, wrong: bool = False) -> list[dict[str, Any]]:
    """Label until nothing is left: what is kind passes."""
    seen = []
    while (item := (await post(app, f"/queues/{queue}/next", by=by))["item"]) is not None:
        passes = item["answer"].startswith("Kind") != wrong
        done = await post(app, f"/queues/{queue}/labels", by=by, item=item["id"], key="p" if passes else "f")
        assert done["status"] == 201, done
        seen.append(item)
    return seen


async def test_a_run_is_labelled_and_its_judge_gets_a_card(app: Staffed, run: JudgedRun) -> None:
    ana, ben, _ = await people(app)
    made = await post(app, "/queues", run=run.id, sample=40, second_share=1.0, reasons=["rude"])
    assert (made["status"], made["scorer"], made["items"], made["population"]) == (201, "tone", 40, 2 * CASES)
    assert made["rubric"] == "Is it kind?" and [one["key"] for one in made["choices"]] == ["p", "f"]
    seen = await label_all(app, made["id"], ana)
    assert len(seen) == 40 and len(await label_all(app, made["id"], ben)) == 40
    held = await get(app, f"/queues/{made['id']}")
    assert (held["settled"], held["disputed"]) == (40, 0)
    [card] = (await get(app, "/judges"))["judges"]
    assert (card["judge"], card["labels"], card["fitness"]) == (JUDGE, 40, "advisory")
    assert 0.5 < card["kappa"]["value"] <= 1 and "It has 40 labels, and needs 100." in card["reasons"]
    agreement = await get(app, f"/queues/{made['id']}/agreement")
    assert agreement["alpha"] == 1.0 and agreement["shared"] == 40
    labels = (await get(app, f"/runs/{run.id}"))["labels"]
    assert len(labels) == 40 and all(0 < one["probability"] <= 1 for one in labels)
    assert {one["by"] for one in labels} == {"token:ana, token:ben"}


async def test_what_a_person_gets_holds_neither_arm_nor_mark_nor_release(app: Staffed, run: JudgedRun) -> None:
    [ana, *_] = await people(app)
    queue = (await post(app, "/queues", run=run.id, sample=5))["id"]
    found = await post(app, f"/queues/{queue}/next", by=ana)
    item = found["item"]
    assert set(item) == {"id", "number", "question", "answer", "reference", "contexts", "is_gone", "leased_until"}
    assert item["question"].startswith("Question") and item["answer"].endswith("look_up({})")
    for secret in ("candidate", "baseline", JUDGE, "wk1-release", "markreason", "case-"):
        assert secret not in str(found)
    assert (await get(app, f"/queues/{queue}/items"))["items"] == []


async def test_two_who_disagree_bring_a_third_and_undo_gives_the_item_back(app: Staffed, run: JudgedRun) -> None:
    ana, ben, cleo = await people(app)
    queue = (await post(app, "/queues", run=run.id, sample=1, second_share=1.0))["id"]
    [item] = await label_all(app, queue, ana)
    again = await post(app, f"/queues/{queue}/undo", by=ana)
    assert again["item"]["id"] == item["id"]
    await label_all(app, queue, ana)
    await label_all(app, queue, ben, wrong=True)
    assert (await get(app, f"/queues/{queue}"))["disputed"] == 1
    await label_all(app, queue, cleo)
    [settled] = (await get(app, f"/queues/{queue}/items"))["items"]
    assert settled["value"] == float(item["answer"].startswith("Kind"))
    assert [one["by"] for one in settled["labels"]] == ["token:ana", "token:ben", "token:cleo"]
    assert (settled["arm"], settled["judge"]) in {("candidate", JUDGE), ("baseline", JUDGE)}


async def test_gold_items_show_how_people_label_and_reach_no_card(app: Staffed, run: JudgedRun) -> None:
    [ana, *_] = await people(app)
    gold = [{"question": "Q?", "answer": "Kind or not?", "value": 0.0}]
    queue = (await post(app, "/queues", run=run.id, sample=4, second_share=0.0, gold=gold))["id"]
    assert len(await label_all(app, queue, ana)) == 5
    [labeller] = (await get(app, f"/queues/{queue}/agreement"))["labellers"]
    assert labeller == {"name": "token:ana", "labels": 4, "gold_right": 0, "gold": 1}
    assert len((await get(app, f"/runs/{run.id}"))["labels"]) == 4


async def test_calls_are_labelled_too_and_that_they_are_read_is_noted(app: Staffed) -> None:
    [ana, *_] = await people(app)
    made = await post(app, "/queues", calls={"feature": "support"}, sample=10, title="Are they kind?")
    assert (made["items"], made["population"], made["run"]) == (2, 2, "")
    item = (await post(app, f"/queues/{made['id']}/next", by=ana))["item"]
    assert MARKS["support"] in item["question"] and MARKS["support"] in item["answer"]
    assert "wk1" not in str(item) and all(call.id not in str(item) for call in app.calls["support"])
    [note] = await app.changes("access")
    assert note.actor == "token:ana" and note.feature == "support"


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ({"run": "run-nothere"}, "run_not_found", "no one run"),
        ({"calls": {"feature": "nobody"}}, "nothing_to_label", "no answer to draw from"),
        ({}, "nothing_to_label", "by their feature"),
        ({"calls": {}}, "nothing_to_label", "by their feature"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_with_the_reason(
    app: Staffed, wish: dict[str, Any], code: str, words: str
) -> None:
    refused = await post(app, "/queues", **wish)
    assert refused["error"]["code"] == code and words in refused["error"]["message"]
    assert (await get(app, "/queues"))["queues"] == []


async def test_a_scorer_that_the_run_does_not_have_is_refused(app: Staffed, run: JudgedRun) -> None:
    refused = await post(app, "/queues", run=run.id, scorer="taste")
    assert refused["error"]["code"] == "scorer_unclear" and "it has `tone`" in refused["error"]["message"]


async def test_who_may_not_read_what_was_answered_labels_nothing(app: Staffed, run: JudgedRun) -> None:
    queue = (await post(app, "/queues", run=run.id, sample=5))["id"]
    viewer = await app.user("vera", Grant("viewer"))
    other = await app.token("other", "read", "read_bodies", "write_releases", features=["payroll"])
    silent = await app.token("silent", "read", "write_releases")
    for by in (viewer, other, silent):
        refused = await post(app, f"/queues/{queue}/next", by=by)
        assert refused["error"]["code"] in ("not_allowed", "token_needed")
    assert (await post(app, "/queues", by=other, run=run.id))["error"]["code"] == "not_allowed"
    assert (await app.ask(f"{LABELS}/queues", other)).json() == {"queues": []}


async def test_the_gate_goes_by_labels_where_there_are_enough(app: Staffed, run: JudgedRun) -> None:
    [ana, *_] = await people(app)
    before = (await end(app.services, run.id, status="finished")).decision
    assert before is not None and before.comparisons[0].labels == 0
    queue = (await post(app, "/queues", run=run.id, sample=2 * CASES, second_share=0.0))["id"]
    assert len(await label_all(app, queue, ana)) == 2 * CASES
    after = (await end(app.services, run.id, status="finished")).decision
    assert after is not None
    [tone] = after.comparisons
    assert tone.labels == 2 * CASES and tone.candidate == pytest.approx(0.5) and tone.baseline == pytest.approx(1.0)
    assert (tone.verdict, after.result) == ("worse", "regression")
