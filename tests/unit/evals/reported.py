"""Runs to be reported: one in which everything occurs, and outcomes by the thousand."""

from collections.abc import Callable, Iterable, Iterator

from watchkeeper.evals.decision import Breach, Comparison, Decision, Missing
from watchkeeper.evals.outcome import Answer, Mark, Outcome, Status, ToolCall, outcome_of
from watchkeeper.evals.reports.building import build
from watchkeeper.evals.reports.report import Report
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case

HEAD = RunHead(
    id="run-1",
    suite="answers",
    suite_id="wke1-abc",
    feature="support",
    arms=(ArmHead(name="candidate", release="wk1-new"), ArmHead(name="baseline", release="wk1-old")),
    started_ms=1_700_000_000_000,
    ended_ms=1_700_000_012_000,
    status="finished",
    cost_nusd=24_000,
    cost_status="measured",
    judge_cost_nusd=0,
    by="ana",
)
COMPARISON = Comparison(
    metric="passed",
    candidate=0.6,
    baseline=0.8,
    difference=-0.2,
    lower=-0.4,
    upper=0.02,
    margin=0.05,
    p_worse=0.1,
    p_better=0.9,
    verdict="cannot tell",
    method="exact",
    cases=5,
    clusters=5,
    cases_needed=200,
)
DECISION = Decision(
    result="inconclusive",
    reasons=("5 cases cannot show a drop of 5 points.", "One case was not measured."),
    passed=0.6,
    comparisons=(COMPARISON,),
    further=(COMPARISON,),
    breaches=(Breach(case="new failure", scorer="contains", failed=1, repeats=1),),
    missing=Missing(candidate=0.2, allowed=0.02, reasons={"the provider did not answer": 1}),
)


def outcome(case: str, status: Status, *, arm: str = "candidate", repeat: int = 0, text: str = "It is 2.") -> Outcome:
    """What came of a case; one that is unmeasured has no answer."""
    if status == "unmeasured":
        error = Answer(error="the provider did not answer", call="call_9")
        return outcome_of(arm, case, repeat, error, (), at_ms=1_700_000_001_000)
    mark = Mark(
        scorer="contains",
        status=status,
        score=float(status == "passed"),
        reason="" if status == "passed" else "`4` is expected",
    )
    answer = Answer(
        text=text,
        call="call_1",
        model="small",
        latency_ms=120.0,
        cost_nusd=1_500,
        cost_status="measured",
        input_tokens=3,
        output_tokens=4,
    )
    return outcome_of(arm, case, repeat, answer, (mark,), at_ms=1_700_000_001_000)


def everything() -> list[Outcome]:
    """Outcomes of five cases, in each state one, and one more that fails under the baseline only."""
    return [
        outcome("well", "passed"),
        outcome("old failure", "failed"),
        outcome("new failure", "failed"),
        outcome("nobody knows", "unmeasured"),
        outcome("now and then", "passed"),
        outcome("now and then", "failed", repeat=1),
        outcome("well", "failed", arm="baseline"),
        outcome("old failure", "failed", arm="baseline"),
        outcome("new failure", "passed", arm="baseline", text="It is 4."),
        outcome("nobody knows", "passed", arm="baseline"),
    ]


def report(
    outcomes: Iterable[Outcome] | Callable[[], Iterable[Outcome]] = (),
    *,
    head: RunHead = HEAD,
    decision: Decision | None = DECISION,
    rows_max: int = 300,
) -> Report:
    """Build a report; of `everything` where nothing else is said."""
    given = outcomes if callable(outcomes) else list(outcomes) or everything()
    read = given if callable(given) else lambda: given
    names = dict.fromkeys(one.case for one in read()) if not callable(given) else {}
    cases = {
        name: Case(id=name, variables={"question": "What is 2 + 2?"}, reference="4", tags=("sums",)) for name in names
    }
    return build(head, read, decision, cases, rows_max=rows_max)


def many(number: int) -> Iterator[Outcome]:
    """Outcomes of so many cases, of which one in ten fails."""
    for index in range(number):
        yield outcome(f"case {index}", "passed" if index % 10 else "failed", text=f"It is {index}. " * 20)


HOSTILE = (
    "</pre></code></td></details><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></failure><error/>",
    "\x00\x01\x08\x0b\x1b[31m\x7f\ufffe\uffff",
    "half a pair: \ud83d and \ude00",
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r\n=1",
    "```\n````\n</details>\n# taken over\n| a | b |",
    "@everyone please see #1 and org/repo#2 and https://evil.example/issues/3 GH-4 www.evil.example",
    "![x](http://evil.example/x.png) [y](javascript:alert(1)) <b>bold</b> `code` | cell",
    "{{ 7*7 }} {% raw %} {# #}",
    'a,b\n"c";d',
    "\u202egnp.exe\u2066",
    "",
)
"""What a model, or whoever talks to it, may write."""


def hostile() -> list[Outcome]:
    """Each hostile text in every place that a text from outside can be in."""
    found = []
    for number, text in enumerate(HOSTILE):
        answer = Answer(
            text=text,
            refusal=text,
            tool_calls=(ToolCall(text, text),),
            error=text if number % 3 == 2 else "",
            model=text,
            fingerprint=text,
            call=text,
            latency_ms=1.0,
        )
        mark = Mark(scorer=f"s {text}", status="failed", score=0.0, reason=text, judge=text, detail={text: [text]})
        found += [outcome_of(arm, f"{number} {text}", 0, answer, (mark,)) for arm in ("candidate", "baseline")]
    return found
