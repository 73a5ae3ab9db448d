"""Scoring functions: code that decides a test from the scores of its metrics (`assertScoringFunction`)."""

from dataclasses import replace
from typing import Any

from watchkeeper.evals.promptfoo.assertions.loaded import JAVASCRIPT, SCHEME, split_reference
from watchkeeper.evals.promptfoo.assertions.scripts import is_result
from watchkeeper.evals.promptfoo.assertions.subject import Instruments
from watchkeeper.evals.promptfoo.documents import read_file
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.javascript import ScriptFailed
from watchkeeper.evals.promptfoo.model import Grading, GradingContext
from watchkeeper.evals.promptfoo.values import number


def scored(grading: Grading, context: GradingContext, instruments: Instruments) -> Grading:
    """Return a grading with what the test's scoring function says in its place; 0 and failed where it fails."""
    try:
        result = _result(grading, context, instruments)
    except (ScriptFailed, ConfigRefused) as problem:
        return replace(grading, passed=False, score=0.0, reason=f"the scoring function failed: {problem}")
    if not is_result(result):
        reason = "the scoring function must return an object with `pass`, `score` and `reason`"
        return replace(grading, passed=False, score=0.0, reason=reason)
    named = result.get("namedScores")
    return replace(
        grading,
        passed=result["pass"],
        score=float(result["score"]),
        reason=result["reason"],
        named_scores={name: number(score) for name, score in named.items()} if named else grading.named_scores,
    )


def _result(grading: Grading, context: GradingContext, instruments: Instruments) -> Any:
    given = {
        "threshold": context.test.threshold,
        "componentResults": [dict(each) for each in grading.components],
        "tokensUsed": {"total": grading.tokens.total},
    }
    arguments = [dict(grading.named_scores), given]
    if not context.test.scoring.startswith(SCHEME):
        raise ScriptFailed("it must be a file: `file://PATH[:NAME]`")
    path, function = split_reference(context.test.scoring, context.folder)
    if path.suffix in JAVASCRIPT:
        return instruments.engine.call(read_file(path), function, arguments)
    if path.suffix == ".py":
        return instruments.python.call(path, function or "get_assert", arguments)
    raise ScriptFailed(f"{path.name} is of a kind that is not run here; take .js or .py")
