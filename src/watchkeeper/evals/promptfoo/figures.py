"""Adds results up as promptfoo does: for each column, and as a whole."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchkeeper.evals.promptfoo.javascript import Engine, ScriptFailed
from watchkeeper.evals.promptfoo.model import Compat
from watchkeeper.evals.promptfoo.plan import Column
from watchkeeper.evals.promptfoo.records import ERROR, Record, prompt_id

_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_FUNCTIONS = (
    "const {abs, ceil, exp, floor, log, log2, log10, max, min, pow, round, sign, sqrt, cbrt, PI: pi, E: e} = Math;"
    " const sum = (...all) => all.flat().reduce((a, b) => a + b, 0);"
    " const mean = (...all) => sum(all) / all.flat().length;"
)


class Figures:
    """What the results of a run come to; holds one entry for each column, whatever their number."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._metrics = [_nothing() for _ in columns]

    def add(self, record: Record) -> None:
        """Count a result."""
        metrics = self._metrics[record["promptIdx"]]
        grading = record.get("gradingResult") or {}
        components = grading.get("componentResults") or []
        metrics["score"] += record["score"]
        is_error = record["failureReason"] == ERROR
        kind = "testPassCount" if record["success"] else "testErrorCount" if is_error else "testFailCount"
        metrics[kind] += 1
        metrics["assertPassCount"] += sum(bool(each.get("pass")) for each in components)
        metrics["assertFailCount"] += sum(not each.get("pass") for each in components)
        metrics["totalLatencyMs"] += record.get("latencyMs") or 0
        metrics["cost"] += record.get("cost") or 0
        for name, value in record["namedScores"].items():
            named, counts = metrics["namedScores"], metrics["namedScoresCount"]
            named[name] = named.get(name, 0) + value
            contributing = sum((each.get("assertion") or {}).get("metric") == name for each in components)
            counts[name] = counts.get(name, 0) + (contributing or 1)
        response = record.get("response")
        if response is not None:
            usage = response.get("tokenUsage") or {}
            _add_tokens(metrics["tokenUsage"], {**usage, "numRequests": usage.get("numRequests", 1)})
        if used := grading.get("tokensUsed"):
            _add_tokens(metrics["tokenUsage"]["assertions"], used)

    def derive(self, formulas: Iterable[tuple[str, str]], engine: Engine, *, compat: Compat = "latest") -> list[str]:
        """Put derived metrics among the named scores, each worked out from the sums; return what went wrong.

        `__count` is the number of results of a column; promptfoo 0.118 does not have it. One that cannot be worked out
        stays 0, as in promptfoo.
        """
        problems = []
        for metrics in self._metrics:
            for name, formula in formulas:
                named = metrics["namedScores"]
                named.setdefault(name, 0)
                known = {key: value for key, value in named.items() if _NAME.fullmatch(key)}
                if compat == "latest":
                    known["__count"] = _total(metrics)
                try:
                    body = f"{_FUNCTIONS} return ((({', '.join(known)}) => ({formula.replace('^', '**')}))(...values));"
                    value = engine.run(body, values=list(known.values()))
                except ScriptFailed as failed:
                    problems.append(f"the derived metric {name} ({formula}) cannot be worked out: {failed}")
                    continue
                named[name] = value if isinstance(value, int | float) else 0
        return problems

    def prompts(self) -> list[dict[str, Any]]:
        """Return promptfoo's `results.prompts`: the columns with their figures."""
        return [
            {
                "raw": column.prompt.raw,
                "label": column.prompt.label,
                **({"config": dict(column.prompt.config)} if column.prompt.config else {}),
                "id": prompt_id(column.prompt),
                "provider": column.provider.title,
                "metrics": metrics,
            }
            for column, metrics in zip(self._columns, self._metrics, strict=True)
        ]

    def stats(self) -> dict[str, Any]:
        """Return promptfoo's `results.stats`."""
        usage = _no_tokens()
        for metrics in self._metrics:
            _add_tokens(usage, metrics["tokenUsage"])
            _add_tokens(usage["assertions"], metrics["tokenUsage"]["assertions"])
        return {
            "successes": sum(metrics["testPassCount"] for metrics in self._metrics),
            "failures": sum(metrics["testFailCount"] for metrics in self._metrics),
            "errors": sum(metrics["testErrorCount"] for metrics in self._metrics),
            "tokenUsage": usage,
        }


def _nothing() -> dict[str, Any]:
    return {
        "score": 0,
        "testPassCount": 0,
        "testFailCount": 0,
        "testErrorCount": 0,
        "assertPassCount": 0,
        "assertFailCount": 0,
        "totalLatencyMs": 0,
        "tokenUsage": _no_tokens(),
        "namedScores": {},
        "namedScoresCount": {},
        "cost": 0,
    }


def _no_tokens() -> dict[str, Any]:
    plain = {"total": 0, "prompt": 0, "completion": 0, "cached": 0, "numRequests": 0}
    details = {"reasoning": 0, "acceptedPrediction": 0, "rejectedPrediction": 0}
    return {**plain, "completionDetails": details, "assertions": {**plain, "completionDetails": dict(details)}}


def _add_tokens(total: dict[str, Any], added: Mapping[str, Any]) -> None:
    for key in ("total", "prompt", "completion", "cached", "numRequests"):
        total[key] += added.get(key) or 0


def _total(metrics: Mapping[str, Any]) -> int:
    return int(metrics["testPassCount"] + metrics["testFailCount"] + metrics["testErrorCount"])
