"""A run and its outcomes as JSON objects: keys stay as they are, money is a decimal string beside its status."""

import re
from typing import Any

import msgspec
from msgspec import Struct, structs

from watchkeeper.core.money import usd
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Answer, Mark, Outcome
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.report import ArmFigures, Report
from watchkeeper.evals.suite import Case

FORMAT = "watchkeeper-run/1"
_LONE = re.compile("[\ud800-\udfff]")


def encoded(record: Any) -> bytes:
    """Write JSON on one line. Half a surrogate pair, which is no text, becomes U+FFFD; what is no JSON, its text."""
    try:
        return msgspec.json.encode(record, enc_hook=str)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(msgspec.to_builtins(record, enc_hook=str)), enc_hook=str)


def run_record(report: Report) -> dict[str, Any]:
    """Return everything of a run but its cases and outcomes."""
    head = report.head
    return {
        "format": FORMAT,
        "run": head.id,
        "feature": head.feature,
        "suite": head.suite,
        "suite_id": head.suite_id,
        "status": head.status,
        "result": None if report.decision is None else report.decision.result,
        "exit_code": None if report.decision is None else report.decision.exit_code,
        "started_at": wording.iso(head.started_ms),
        "ended_at": None if head.ended_ms is None else wording.iso(head.ended_ms),
        "duration_ms": report.duration_ms,
        "repeats": head.repeats,
        "by": head.by,
        "commit": head.commit,
        "note": head.note,
        "cost_usd": _usd(head.cost_nusd),
        "cost_status": head.cost_status,
        "judge_cost_usd": _usd(head.judge_cost_nusd),
        "cases": structs.asdict(report.counts),
        "arms": [_arm_record(arm) for arm in report.arms],
        "decision": None if report.decision is None else decision_record(report.decision),
    }


def decision_record(decision: Decision) -> dict[str, Any]:
    """Return a decision with every key, known or not."""
    slices = [{"tag": tag, **structs.asdict(comparison)} for tag, comparison in decision.slices]
    return structs.asdict(decision) | {"slices": slices}


def _arm_record(arm: ArmFigures) -> dict[str, Any]:
    figures = structs.asdict(arm)
    del figures["head"], figures["cost_nusd"], figures["priced_nusd"]
    head = {"arm": arm.head.name, "title": arm.head.title, "release": arm.head.release, "model": arm.head.model}
    return head | {"cost_usd": _usd(arm.cost_nusd), "priced_usd": _usd(arm.priced_nusd)} | figures


def case_record(case: Case) -> dict[str, Any]:
    """Return a case with every key; its scorers as they are written in a suite."""
    return structs.asdict(case) | {"scorers": msgspec.to_builtins(case.scorers, enc_hook=str)}


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return what came of one case under one arm, asked once, with every key, known or not."""
    return {
        "case": outcome.case,
        "arm": outcome.arm,
        "repeat": outcome.repeat,
        "status": outcome.status,
        "score": outcome.score,
        "reason": outcome.reason,
        "answer": _answer_record(outcome.answer),
        "marks": [_mark_record(mark) for mark in outcome.marks],
        "at": wording.iso(outcome.at_ms) if outcome.at_ms else None,
    }


def _answer_record(answer: Answer) -> dict[str, Any]:
    record = _every_key(answer)
    record["cost_usd"] = _usd(record.pop("cost_nusd"))
    return record


def _mark_record(mark: Mark) -> dict[str, Any]:
    record = _every_key(mark)
    record["cost_usd"] = _usd(record.pop("cost_nusd"))
    return record


def _every_key(struct: Struct) -> dict[str, Any]:
    """As keys and values; without it, defaults would be left out and keys would come and go."""
    record = structs.asdict(struct)
    if "tool_calls" in record:
        record["tool_calls"] = [structs.asdict(call) for call in record["tool_calls"]]
    return record


def _usd(nusd: int | None) -> str | None:
    return None if nusd is None else usd(nusd)


def _whole(value: Any) -> Any:
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case dict():
            return {_whole(key): _whole(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_whole(inner) for inner in value]
        case _:
            return value
