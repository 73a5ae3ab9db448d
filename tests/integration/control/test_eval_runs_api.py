"""Runs over the API: whose outcomes count as a check's result, and what a suite may not hold."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.released import Asked, asked

from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case, Scorer, Suite
from watchkeeper.testing import FakeClock

RUNS = "/evals/runs"
CASES = [{"id": name, "answer": "Paris", "reference": "Paris"} for name in "abc"]

SUITE = Suite(
    feature="support",
    name="answers",
    cases=tuple(Case(id=name, answer="Paris", reference="Paris") for name in "abc"),
    scorers=(Scorer(type="contains"),),
)


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Asked]:
    async with asked(f"sqlite:///{tmp_path}/control.db", clock) as found:
        await found.person("author", "read", "read_bodies", "write_releases")
        await found.person("ci", "read", "read_bodies", "write_releases", "approve")
        yield found


async def save(api: Asked, **more: Any) -> None:
    suite = {"feature": "support", "name": "answers", "cases": CASES, "scorers": [{"type": "contains"}]} | more
    await api.post("/evals/suites", suite=suite)


async def begin(api: Asked, by: str, *, gate: bool = True) -> str:
    return str((await api.post(RUNS, by, suite="support/answers", gate=gate))["id"])


async def send(api: Asked, run: str, by: str, *, ask: str = "") -> int:
    answer = {"text": "made up", "ask": ask}
    outcomes = [
        {"arm": "candidate", "case": name, "status": "passed", "score": 1.0, "answer": answer} for name in "abc"
    ]
    return (await api.reply("POST", f"{RUNS}/{run}/outcomes", by, json=outcomes)).status_code


async def test_an_author_adds_nothing_to_a_run_that_may_become_the_result_of_a_check(api: Asked) -> None:
    await save(api)
    run = await begin(api, "ci")
    assert await send(api, run, "author") == 403
    for path in ("end", "go-on"):
        refused = await api.refused(f"{RUNS}/{run}/{path}", "author")
        assert (refused["status"], refused["code"]) == (403, "not_your_run")
    assert await send(api, run, "ci") == 200


async def test_what_an_author_has_made_up_is_not_taken_again_in_a_check(api: Asked) -> None:
    await save(api)
    mine, theirs, other = await begin(api, "author"), await begin(api, "ci"), await begin(api, "author")
    assert await send(api, mine, "author", ask="h") == 200

    async def known(run: str, by: str) -> set[str]:
        return set((await api.post(f"{RUNS}/{run}/answers", by, asks=["h"]))["answers"])

    assert await known(other, "author") == {"h"} and await known(theirs, "ci") == set()
    assert await send(api, theirs, "ci", ask="h") == 200
    assert await known(await begin(api, "ci"), "ci") == {"h"}


async def test_answers_of_another_feature_are_not_given_out(api: Asked) -> None:
    await save(api)
    await save(api, feature="legal")
    assert await send(api, await begin(api, "ci"), "ci", ask="h") == 200
    run = str((await api.post(RUNS, "ci", suite="legal/answers"))["id"])
    assert (await api.post(f"{RUNS}/{run}/answers", "ci", asks=["h"]))["answers"] == {}


async def test_a_run_that_an_author_began_is_no_result_of_a_check_whoever_ends_it(api: Asked) -> None:
    release = await api.push("Be kind.")
    row, _ = await api.control.suites.save(SUITE, by="ana")
    for may_report, expected in ((False, []), (True, ["answers"])):
        arms = (ArmHead(name="candidate", release=release),)
        head = RunHead(
            id="", suite="answers", suite_id=row.id, feature="support", arms=arms, started_ms=0, is_gate=True,
            may_report=may_report,
        )  # fmt: skip
        run = (await api.control.runs.begin(head)).id
        assert await send(api, run, "ci") == 200
        await api.post(f"{RUNS}/{run}/end", "ci")
        assert [one.gate for one in await api.control.gates.of(release)] == expected


async def test_a_run_goes_on_with_another_sum(api: Asked) -> None:
    await save(api)
    run = await begin(api, "ci")
    await api.post(f"{RUNS}/{run}/end", "ci", status="stopped", note="the sum is spent")
    assert (await api.post(f"{RUNS}/{run}/go-on", "ci", cap_nusd=5))["head"]["cap_nusd"] == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"cases": []},
        {"cases": [CASES[0], CASES[0]]},
        {"cases": [CASES[0] | {"weight": 1e308}, CASES[1] | {"weight": 1e308}]},
        {"cases": [CASES[0] | {"weight": -1}]},
        {"repeats": 1_000_000},
        {"gate": {"margin": 5}},
        {"gate": {"min_pass": -1}},
        {"gate": {"latency": -1}},
        {"name": ""},
    ],
)
async def test_a_suite_that_could_not_be_counted_is_refused(api: Asked, wrong: dict[str, Any]) -> None:
    suite = {"feature": "support", "name": "answers", "cases": CASES} | wrong
    refused = await api.refused("/evals/suites", suite=suite)
    assert (refused["status"], refused["code"]) == (422, "suite_refused")
    assert refused["message"].endswith("Nothing was kept.")
    assert await api.control.suites.latest() == []
