"""Cases from recorded calls: previewed without personal data, noted as read, added to a suite once."""

from typing import Any

from tests.integration.control.staffed import MARKS, Staffed

from watchkeeper.evals.redaction import UNSEEN


async def post(app: Staffed, path: str, **body: Any) -> Any:
    return (await app.ask_locally(f"/api/v1/cases/{path}", method="POST", json=body)).json()


async def test_a_preview_shows_the_case_and_what_the_redaction_does_not_find_and_is_noted(app: Staffed) -> None:
    call = app.calls["support"][0]
    found = await post(app, "preview", calls=[call.id], reference="answer", tags=["kept"])
    [made] = found["cases"]
    assert made["case"]["id"] == f"call-{call.id}" and made["case"]["call"] == call.id
    assert made["case"]["messages"] == [{"role": "user", "content": f"{MARKS['support']}?"}]
    assert made["case"]["reference"] == f"{MARKS['support']}!" and made["case"]["tags"] == ["from-call", "kept"]
    assert found["unseen"] == UNSEEN
    assert [note.summary for note in await app.changes("access")] == [f"read call {call.id}"]
    assert (await app.control.suites.latest()) == []


async def test_cases_of_a_query_are_added_to_a_suite_once(app: Staffed) -> None:
    found = await post(app, "preview", query={"feature": "support"}, limit=10)
    cases = [one["case"] for one in found["cases"]]
    assert len(cases) == 2
    first = await post(app, "add", feature="support", suite="from-calls", cases=cases)
    again = await post(app, "add", feature="support", suite="from-calls", cases=cases)
    assert (first["added"], first["cases"], again["added"], again["id"]) == (2, 2, 0, first["id"])
    _, suite = await app.control.suites.get("support/from-calls")
    assert [case.call for case in suite.cases] == [case["call"] for case in cases]


async def test_a_reference_can_be_kept_for_answers_that_people_found_good(app: Staffed) -> None:
    good, bad = app.calls["support"]
    ana = await app.token("ana", "read", "read_bodies", "write_releases")
    labels = "/api/v1/labels/queues"
    queue = (
        await app.ask_locally(labels, method="POST", json={"calls": {"feature": "support"}, "second_share": 0})
    ).json()
    answers: dict[int, str] = {}
    while (item := (await app.ask(f"{labels}/{queue['id']}/next", ana, method="POST")).json()["item"]) is not None:
        key = "f" if answers else "p"
        word = {"item": item["id"], "key": key}
        answers[item["number"]] = key
        await app.ask(f"{labels}/{queue['id']}/labels", ana, method="POST", json=word)
    found = await post(app, "preview", calls=[good.id, bad.id], reference="labelled")
    assert sorted("reference" in one["case"] for one in found["cases"]) == [False, True]


async def test_what_may_not_be_read_is_no_case_and_what_is_no_case_is_not_added(app: Staffed) -> None:
    other = await app.token("other", "read", "read_bodies", "write_releases", features=["payroll"])
    call = app.calls["support"][0].id
    for path, body in (
        ("preview", {"calls": [call]}),
        ("preview", {"query": {"feature": "support"}}),
        ("add", {"feature": "support", "suite": "x", "cases": [{"id": "1"}]}),
    ):
        refused = await app.ask(f"/api/v1/cases/{path}", other, method="POST", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert (await post(app, "preview"))["error"]["code"] == "cases_refused"
    refused = await post(app, "add", feature="support", suite="x", cases=[{"no": "case"}])
    assert refused["error"]["code"] == "cases_refused"
    assert (await post(app, "preview", calls=["01KDV8XG0000000000000000ZZ"]))["error"]["code"] == "call_not_found"
