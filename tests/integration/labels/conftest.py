"""The control database on both of its engines; the whole application with calls in it, and a run that was judged."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.control.conftest import clock, data, store, url, wk
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.evals.outcome import Answer, Mark, Outcome, ToolCall
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case, Gate, Scorer, Suite, suite_id

__all__ = ["app", "clock", "data", "recorded", "run", "store", "url", "wk"]

CASES = 32
JUDGE = "wk1-judge-of-tone"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("labels"))


@pytest.fixture
async def app(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        yield found


@dataclass(frozen=True)
class JudgedRun:
    id: str
    suite: Suite


@pytest.fixture
async def run(app: Staffed) -> JudgedRun:
    """A run of two arms: the candidate's even cases are bad, and the judge is wrong about every tenth answer."""
    cases = tuple(
        Case(id=f"case-{n}", messages=({"role": "user", "content": f"Question {n}?"},), reference=f"Reference {n}")
        for n in range(CASES)
    )
    scorer = Scorer(type="rubric", name="tone", value="Is it kind?", threshold=0.5)
    gate = Gate(primary=("tone",))
    suite = Suite(feature="support", name="answers", cases=cases, scorers=(scorer,), gate=gate)
    await app.control.suites.save(suite, by="lead")
    head = RunHead(
        id="",
        suite="answers",
        suite_id=suite_id(suite),
        feature="support",
        arms=(ArmHead(name="candidate"), ArmHead(name="baseline")),
        started_ms=0,
        cases=CASES,
    )
    begun = await app.control.runs.begin(head)
    outcomes = [_outcome(arm, number) for arm in ("candidate", "baseline") for number in range(CASES)]
    lost = Outcome(arm="candidate", case="case-x", status="unmeasured", answer=Answer(error="no answer"))
    await app.control.runs.add(begun.id, [*outcomes, lost])
    return JudgedRun(begun.id, suite)


def is_good(arm: str, number: int) -> bool:
    return arm == "baseline" or number % 2 == 1


def _outcome(arm: str, number: int) -> Outcome:
    passes = is_good(arm, number) != (number % 10 == 3)
    mark = Mark(
        scorer="tone", status="passed" if passes else "failed", score=0.9 if passes else 0.1, judge=JUDGE,
        reason=f"markreason {arm}",
    )  # fmt: skip
    text = f"{'Kind' if is_good(arm, number) else 'Rude'} answer {number}."
    answer = Answer(text=text, tool_calls=(ToolCall(name="look_up"),), release=f"wk1-release-of-{arm}")
    return Outcome(arm=arm, case=f"case-{number}", status=mark.status, score=mark.score, marks=(mark,), answer=answer)
