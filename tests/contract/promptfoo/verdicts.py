"""Verdicts on the table of pairs: promptfoo's, as it was run or recorded, and ours."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.contract.promptfoo.pairs import Pair, pairs

from watchkeeper.evals.promptfoo.marking import Marking
from watchkeeper.evals.promptfoo.model import Compat, Grading, GradingContext, Provider, ProviderOutput, TestCase

HERE = Path(__file__).parent
TOPIC = "geo"
DIGITS = 6
"""To which scores are compared; sums are made in different orders."""
NUSD_PER_USD = 1_000_000_000

Verdict = Any
"""`error`, or passed, score, the scores by metric, and passed and score of each part."""


def configuration(folder: Path) -> tuple[Path, dict[str, str]]:
    """Write the table as a configuration; return its path and the environment that it needs."""
    table = pairs()
    tests: list[dict[str, Any]] = []
    for at, pair in enumerate(table):
        test: dict[str, Any] = {"vars": {"i": str(at), "topic": TOPIC}, "assert": list(pair.assertions)}
        tests.append(test if pair.threshold is None else {**test, "threshold": pair.threshold})
    rows = [{"output": pair.output, "reply": dict(pair.reply)} for pair in table]
    (folder / "table.json").write_text(json.dumps(rows), "utf-8")
    config = {"prompts": ["{{i}}"], "providers": [f"file://{HERE / 'table.cjs'}"], "tests": tests}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder / "config.json", {"WK_TABLE": str(folder / "table.json")}


def theirs(written: Mapping[str, Any]) -> list[Verdict]:
    """Read promptfoo's verdicts out of what it wrote, in the order of the table."""
    found: dict[int, Verdict] = {}
    for result in written["results"]["results"]:
        said = result.get("gradingResult") or {}
        found[result["testIdx"]] = (
            "error" if result.get("failureReason") == 2 else _verdict(said, said.get("componentResults"))
        )
    return [found[at] for at in sorted(found)]


def _verdict(said: Mapping[str, Any], parts: Any) -> Verdict:
    named = {name: round(score, DIGITS) for name, score in sorted((said.get("namedScores") or {}).items())}
    each = [[part["pass"], round(part["score"], DIGITS)] for part in parts or []]
    return [said["pass"], round(said["score"], DIGITS), named, each]


async def ours(pair: Pair, at: int, marking: Marking, compat: Compat) -> Verdict:
    """Return our verdict on a pair."""
    variables = {"i": str(at), "topic": TOPIC}
    test = TestCase(variables=variables, assertions=pair.assertions, threshold=pair.threshold)
    context = GradingContext(
        prompt=str(at), variables=variables, test=test, provider=Provider(id="table"), folder=HERE, compat=compat
    )
    return verdict_of(await marking.grade(pair.assertions, answer_of(pair), context))


def answer_of(pair: Pair) -> ProviderOutput:
    """Return the output of a pair with what the provider says beside it."""
    reply = dict(pair.reply)
    spent, logprobs = reply.get("cost"), reply.get("logProbs")
    return ProviderOutput(
        output=pair.output,
        latency_ms=5.0,
        cost_nusd=None if spent is None else round(spent * NUSD_PER_USD),
        logprobs=None if logprobs is None else tuple(logprobs),
        finish_reason=reply.get("finishReason") or "",
        guardrails=reply.get("guardrails"),
    )


def verdict_of(grading: Grading) -> Verdict:
    """Return a grading as a verdict."""
    if grading.unmeasured:
        return "error"
    said = {"pass": grading.passed, "score": grading.score, "namedScores": grading.named_scores}
    return _verdict(said, grading.components)


@contextmanager
def marking_of() -> Iterator[Marking]:
    """Make what marks, and end its processes."""
    marking = Marking.made({})
    try:
        yield marking
    finally:
        marking.close()
