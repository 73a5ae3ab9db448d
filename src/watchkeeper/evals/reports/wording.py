"""How figures and verdicts read in reports for people."""

from datetime import UTC, datetime

from watchkeeper.core.money import CostStatus, usd
from watchkeeper.evals.decision import Comparison, Decision, Result
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.reports.report import ArmFigures, ArmRow, Counts, Report

NOTHING = "–"
TITLES: dict[Result, str] = {
    "pass": "Passed",
    "regression": "Regression",
    "inconclusive": "Cannot tell",
    "unmeasured": "Too much is unmeasured",
}


def verdict(report: Report) -> str:
    """Say what the run has shown, in one line."""
    if report.decision is not None:
        reasons = report.decision.reasons
        return f"{TITLES[report.decision.result]}: {reasons[0]}" if reasons else TITLES[report.decision.result]
    if report.head.status == "running":
        return f"Under way: {counted(report.counts)} so far"
    if report.head.status == "stopped":
        return f"Stopped before its end: {counted(report.counts)}"
    return f"Not gated: {counted(report.counts)}"


def what_to_do(report: Report) -> str:
    """Say what comes next, in a sentence or two."""
    decision = report.decision
    if report.head.status == "stopped":
        return f"Go on with it: `watchkeeper eval resume {report.head.id}`."
    if decision is None:
        return "Run it with `--gate` and a baseline to have it decided."
    match decision.result:
        case "pass":
            return "Nothing: the release is good enough by this suite's gate."
        case "regression":
            return "Look at the cases below that passed under the baseline, mend the release, and run the suite again."
        case "inconclusive":
            needed = max((one.cases_needed or 0 for one in decision.comparisons), default=0)
            more = f"about {needed:,} cases would tell" if needed else "it has too few cases to tell"
            return f"Add cases or repeats to the suite ({more}), or widen the gate's margin if that much may be lost."
        case "unmeasured":
            return f"Mend what keeps cases from being measured{_commonest(decision)}, then run the suite again."


def _commonest(decision: Decision) -> str:
    reasons = decision.missing.reasons if decision.missing is not None else {}
    if not reasons:
        return ""
    reason = max(reasons, key=lambda one: reasons[one])
    return f" (most often: {reason})"


def counted(counts: Counts) -> str:
    """Say how many cases stand how: "2 failed, 1 flaky, 97 passed of 100 cases"."""
    parts = [
        f"{number:,} {word}"
        for word, number in (
            ("failed", counts.failed),
            ("unmeasured", counts.unmeasured),
            ("flaky", counts.flaky),
            ("passed", counts.passed),
        )
        if number
    ]
    return f"{', '.join(parts)} of {cases(counts.total)}" if parts else "no cases"


def cases(number: int) -> str:
    """Write a number of cases."""
    return "1 case" if number == 1 else f"{number:,} cases"


def share(value: float | None) -> str:
    """Write a share or a score in percent, with one decimal."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """Write a difference of shares in points, with its sign."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def interval(comparison: Comparison) -> str:
    """Write the bounds of a difference in points."""
    return f"{points(comparison.lower)} to {points(comparison.upper)}"


def money(nusd: int | None, status: CostStatus) -> str:
    """Write an amount with its status: "$0.0123 (estimated)"; "unpriced" where there is none."""
    if nusd is None:
        return "unpriced"
    dollars = nusd / 1_000_000_000
    text = usd(nusd) if dollars < 0.01 else f"{dollars:,.4f}" if dollars < 1 else f"{dollars:,.2f}"
    return f"${text}" if status == "measured" else f"${text} ({status})"


def arm_cost(arm: ArmFigures) -> str:
    """Write what an arm's answers cost, and of how many nobody knows."""
    if not arm.unpriced or not arm.priced_nusd:
        return money(arm.cost_nusd, arm.cost_status)
    return f"{money(arm.priced_nusd, 'measured')}, and {arm.unpriced:,} answers without a price"


def milliseconds(value: float | None) -> str:
    """Write a time with its unit."""
    if value is None:
        return NOTHING
    if value < 1_000:
        return f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1_000:.3g} s"
    minutes, seconds = divmod(round(value / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def moment(unix_ms: int) -> str:
    """Write an instant in UTC."""
    return f"{datetime.fromtimestamp(unix_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(unix_ms: int) -> str:
    """Write an instant for a machine, in UTC with milliseconds and a Z."""
    at = datetime.fromtimestamp(unix_ms // 1_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1_000:03d}Z"


def arm_title(report: Report, arm: str) -> str:
    """Name an arm as people know it."""
    head = next((one for one in report.head.arms if one.name == arm), None)
    known = "" if head is None else head.title or head.release or head.model
    return f"{arm}: {known}" if known not in ("", arm) else arm


def repeats(row: ArmRow) -> str:
    """Say how repeats came out: "failed 2 of 3"; one word for a case asked once."""
    tally = row.tally
    if tally.repeats == 1:
        return row.standing
    parts = [
        f"{word} {number}"
        for word, number in (("failed", tally.failed), ("unmeasured", tally.unmeasured), ("passed", tally.passed))
        if number
    ]
    return f"{', '.join(parts)} of {tally.repeats}"


def answer_text(answer: Answer) -> str:
    """Write an answer as one text: what was said, then the functions that were asked for."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join(part for part in (answer.text, answer.refusal, *calls) if part)
