"""What a run came to, on a terminal and in files."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.cli import client, show
from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.core.money import usd
from watchkeeper.evals.decision import Comparison, Decision
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.reports.building import build
from watchkeeper.evals.reports.wording import TITLES
from watchkeeper.evals.reports.writing import format_of, write
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.suite import Suite
from watchkeeper.evals.tasks import CANDIDATE

PAGE = 500
SHOWN_MAX = 10
"""Cases that failed, or could not be measured."""
REASON_LETTERS_MAX = 160
_COMPARED = (
    Column("metric", shrinks_to=12), Column("candidate", is_right=True), Column("baseline", is_right=True),
    Column("difference", is_right=True), Column("bounds"), Column("verdict"),
    Column("p worse", is_right=True, leaves=1), Column("could find", is_right=True, leaves=2),
)  # fmt: skip
_CASES = (Column("case", shrinks_to=12), Column("status", is_state=True), Column("why", shrinks_to=30))


def require_formats(out: Iterable[Path]) -> None:
    """See that reports can be written, before anything is asked.

    Raises:
        ReportRefused: one has no format.
        CommandFailed: a folder is not there.
    """
    for path in out:
        format_of(path)
        if not path.parent.is_dir():
            raise CommandFailed(
                f"The folder {path.parent} is not there, so no report can be written. Nothing was asked."
            )


def outcomes_of(data: Path, run: str, *, status: str = "", arm: str = "") -> Iterator[Outcome]:
    """Give the outcomes of a run, a few at a time."""
    after = ""
    while True:
        path = f"/api/v1/evals/runs/{client.part(run)}/outcomes"
        found = client.get(data, path, status=status, arm=arm, after=after, limit=PAGE)["outcomes"]
        outcomes = msgspec.convert(found, list[Outcome])
        yield from outcomes
        if len(outcomes) < PAGE:
            return
        last = outcomes[-1]
        after = msgspec.json.encode([last.case, last.arm, last.repeat]).decode()


def reports(data: Path, run: Mapping[str, Any], out: Iterable[Path]) -> None:
    """Write reports of a run into files."""
    paths = list(out)
    if not paths:
        return
    head, decision = msgspec.convert(run["head"], RunHead), _decision(run)
    found = client.get(data, f"/api/v1/evals/suites/{client.part(head.suite_id)}")["suite"]
    cases = {case.id: case for case in msgspec.convert(found, Suite).cases}
    report = build(head, lambda: outcomes_of(data, head.id), decision, cases)
    for path in paths:
        try:
            write(report, path)
        except OSError as error:
            raise CommandFailed(f"{path} cannot be written: {error.strerror}. The run is kept as {head.id}.") from error


def summary(data: Path, run: Mapping[str, Any]) -> None:
    """Print what a run came to: its figures, the comparison, and what failed."""
    head, decision = msgspec.convert(run["head"], RunHead), _decision(run)
    for name, counts in run["counts"].items():
        figures = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        show.line(show.plain(f"{name}: {figures}"))
    _costs(head)
    if decision is not None:
        _compared(decision)
    failing = _failing(data, head, run["counts"].get(CANDIDATE, {}))
    if failing:
        show.heading("\nNot passed")
        show.table(_CASES, failing)
    if head.note:
        show.note(show.plain(head.note))
    show.line("")
    show.line(conclusion(run))


def conclusion(run: Mapping[str, Any]) -> str:
    """Say in words what follows from a run."""
    decision = _decision(run)
    if decision is None and run["head"]["status"] == "running":
        return f"The run {run['id']} has not ended; nothing is decided."
    if decision is None:
        return "Nothing is decided: its columns stand side by side. `--baseline` names the one to compare with."
    reasons = show.plain(" ".join(decision.reasons))
    return f"{TITLES[decision.result]}. {reasons} `watchkeeper eval show {run['id']}` shows it again."


def _decision(run: Mapping[str, Any]) -> Decision | None:
    return msgspec.convert(run["decision"], Decision) if run["decision"] else None


def _costs(head: RunHead) -> None:
    asked = "unpriced" if head.cost_nusd is None else f"${usd(head.cost_nusd)} ({head.cost_status})"
    judges = "" if not head.judge_cost_nusd else f", judges ${usd(head.judge_cost_nusd)}"
    lasted = f", {(head.ended_ms - head.started_ms) / 1000:.1f} s" if head.ended_ms else ""
    show.line(f"cost: {asked}{judges}{lasted}")


def _compared(decision: Decision) -> None:
    rows = [_comparison(one) for one in (*decision.comparisons, *decision.further)]
    if rows:
        show.heading("\nAgainst the baseline")
        show.table(_COMPARED, rows)
    elif decision.passed is not None:
        low, high = decision.passed_lower or 0.0, decision.passed_upper or 0.0
        show.line(f"passed: {decision.passed:.1%} (95 % interval {low:.1%} to {high:.1%})")


def _comparison(one: Comparison) -> tuple[str, ...]:
    could = "" if one.detectable is None else f"{100 * one.detectable:.1f} points"
    return (
        one.metric, f"{one.candidate:.4g}", f"{one.baseline:.4g}", f"{one.difference:+.4f}",
        f"{one.lower:+.4f} to {one.upper:+.4f}", one.verdict, f"{one.p_worse:.3g}", could,
    )  # fmt: skip


def _failing(data: Path, head: RunHead, counts: Mapping[str, int]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for status in ("failed", "unmeasured"):
        if not counts.get(status):
            continue
        found = client.get(
            data, f"/api/v1/evals/runs/{head.id}/outcomes", status=status, arm=CANDIDATE, limit=SHOWN_MAX
        )["outcomes"]
        rows += [(one["case"], one["status"], one.get("reason", "")[:REASON_LETTERS_MAX]) for one in found]
        if counts[status] > SHOWN_MAX:
            rows.append(("...", status, f"and {counts[status] - SHOWN_MAX} more"))
    return rows
