"""Suites with runs, as the keeper keeps them: made up, with a decision that the gate itself has come to."""

import msgspec

from watchkeeper.evals.gate import decide
from watchkeeper.evals.measured import Measured
from watchkeeper.evals.outcome import Answer, Mark, Outcome, Status, outcome_of
from watchkeeper.evals.run import ArmHead, RunHead, RunStatus
from watchkeeper.evals.suite import Case, Gate, Scorer, Suite
from watchkeeper.store.control import ControlStore
from watchkeeper.store.runs import RunRow

QUESTION, ANSWER, REASON = "questionmark?", "answermark!", "reasonmark"
"""What only who may read bodies sees."""
HOSTILE = "<script>document.title='owned'</script>"
RELEASES = ("wk1-" + "a" * 26, "wk1-" + "b" * 26)


def a_suite(names: tuple[str, ...] = ("a", "b", "c", "d"), *, feature: str = "support", repeats: int = 1) -> Suite:
    """A suite whose first case has a tag."""
    cases = tuple(
        Case(id=name, variables={"question": QUESTION}, reference="right", tags=("first",) if not place else ())
        for place, name in enumerate(names)
    )
    scorers = (Scorer(type="contains", name="mentions"), Scorer(type="words", name="short", value={"max": 9}))
    return Suite(
        feature=feature, name="answers", cases=cases, scorers=scorers, repeats=repeats,
        gate=Gate(margin=0.2, critical=("short",)),
    )  # fmt: skip


def outcome(arm: str, case: str, status: Status, *, repeat: int = 0, text: str = ANSWER) -> Outcome:
    """What came of a case; one that failed failed the scorer `mentions`."""
    answer = Answer(text=text, call=f"01{arm}{case}{repeat}"[:26], latency_ms=20.0, cost_nusd=7, cost_status="measured")
    if status == "unmeasured":
        return outcome_of(arm, case, repeat, msgspec.structs.replace(answer, error=REASON), ())
    has_passed = status == "passed"
    mark = Mark(
        scorer="mentions", status=status, score=float(has_passed), reason="" if has_passed else f"{REASON} {HOSTILE}",
        judge=RELEASES[1], calls=("01JUDGE",), detail={"verdict": REASON},
    )  # fmt: skip
    return outcome_of(arm, case, repeat, answer, (mark, Mark(scorer="short", status="passed", score=1.0)))


async def ran(
    control: ControlStore, suite: Suite, outcomes: list[Outcome], *, status: RunStatus = "finished", note: str = ""
) -> RunRow:
    """Keep a suite and a run of it."""
    row, _ = await control.suites.save(suite, by="ana")
    arms = [ArmHead(name="candidate", title="support (latest)", release=RELEASES[0])]
    if any(one.arm == "baseline" for one in outcomes):
        arms.append(ArmHead(name="baseline", title="production", release=RELEASES[1]))
    head = RunHead(
        id="", suite=suite.name, suite_id=row.id, feature=suite.feature, arms=tuple(arms), started_ms=0, by="ana",
        repeats=suite.repeats, cases=len(suite.cases),
    )  # fmt: skip
    begun = await control.runs.begin(head)
    await control.runs.add(begun.id, outcomes)
    if status == "running":
        return await control.runs.get(begun.id)
    measured = Measured(suite)
    for one in outcomes:
        measured.add(one)
    baseline = measured.of("baseline", repeats=suite.repeats) if len(arms) > 1 else []
    decision = decide(measured.of("candidate", repeats=suite.repeats), baseline, suite.gate, repeats=suite.repeats)
    ended = msgspec.structs.replace(begun, status=status, note=note, ended_ms=begun.started_ms + 1_500, cost_nusd=35)
    found = await control.runs.end(ended, decision)
    await control.standings.keep(found, {case.id: case.tags for case in suite.cases if case.tags})
    return found
