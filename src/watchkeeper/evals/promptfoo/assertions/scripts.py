"""Assertions that code decides: JavaScript, Python, and a server of the user's own."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from watchkeeper.evals.promptfoo.assertions.subject import (
    REASON_MAX,
    Finding,
    Subject,
    Undecided,
    plain_verdict,
    require,
)
from watchkeeper.evals.promptfoo.assertions.view import view
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.model import Tokens
from watchkeeper.evals.promptfoo.values import leading_number, number, parse_json, text

WEBHOOK_S = 5.0
RESULT_WORDS = "must return true or false, a number, or an object with `pass`, `score` and `reason`"
_DECLARES = re.compile(r"(?:const|let|var)\s")
_STRING_OR_SEMICOLON = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|(?P<end>;)", re.DOTALL)
_SNAKES = {
    "pass_": "pass",
    "named_scores": "namedScores",
    "component_results": "componentResults",
    "tokens_used": "tokensUsed",
}


def javascript(subject: Subject) -> Finding:
    """An expression, a body with `return`, or a function in a file gives true, a number, or a whole result."""
    require(isinstance(subject.value, str), "`javascript` takes code as its value")
    try:
        result = _javascript_result(subject)
    except ScriptFailed as failed:
        return plain_verdict(False, f"its code failed: {failed}")
    if isinstance(result, bool):
        return _of_bool(subject, result)
    if isinstance(result, int | float):
        return _of_number(subject, result, is_turned=not subject.is_old)
    if not is_result(result):
        return plain_verdict(False, f"its code {RESULT_WORDS}, but returned {_shown(result)}")
    found = finding_of(result)
    return _turned(found) if subject.negated and not subject.is_old else found


def _javascript_result(subject: Subject) -> Any:
    if subject.script is not UNDEFINED:
        return subject.script
    code = subject.value.rstrip()
    body = code if "\n" in code else f"return {code}" if subject.is_old else function_body(code)
    return subject.instruments.engine.run(body, output=subject.output, context=view(subject), process={"env": {}})


def function_body(code: str) -> str:
    """Put `return` before the last expression of one line that begins with a declaration, else before all of it."""
    plain = re.sub(r";+\s*$", "", code.strip())
    if not _DECLARES.match(plain):
        return f"return {plain}"
    ends = [found.start() for found in _STRING_OR_SEMICOLON.finditer(plain) if found["end"]]
    last = plain[ends[-1] + 1 :].strip() if ends else ""
    return f"{plain[: ends[-1] + 1]} return {last}" if last else plain


def python(subject: Subject) -> Finding:
    """An expression, a body with `return`, or a function in a file gives true, a number, or a whole result."""
    require(isinstance(subject.value, str), "`python` takes code as its value")
    try:
        result = subject.script
        if result is UNDEFINED:
            result = subject.instruments.python.evaluate(subject.value, output=subject.output, context=view(subject))
    except ScriptFailed as failed:
        return plain_verdict(False, f"its code failed: {failed}")
    return _of_python(subject, result)


def _of_python(subject: Subject, result: Any) -> Finding:
    if isinstance(result, str):
        if result.lower() in ("true", "false"):
            result = result.lower() == "true"
        elif result.startswith("{"):
            return _of_python_text(subject, result)
    if isinstance(result, bool):
        return _of_bool(subject, result, is_turned=not subject.is_old)
    if isinstance(result, dict):
        return _of_python_object(subject, result)
    score = leading_number(result) if result is not None and result is not UNDEFINED else float("nan")
    if score != score or isinstance(result, list):
        return plain_verdict(False, f"its code {RESULT_WORDS}, but returned {_shown(result)}")
    return _of_number(subject, score, is_turned=not subject.is_old)


def _of_python_text(subject: Subject, result: str) -> Finding:
    try:
        parsed = parse_json(result)
    except ValueError as problem:
        return plain_verdict(False, f"its code returned a text that is no JSON: {problem}")
    if not subject.is_old:
        return _of_python_object(subject, parsed)
    if not is_result(parsed):
        return plain_verdict(False, f"its code {RESULT_WORDS}, but returned {_shown(result)}")
    return finding_of(parsed)


def _of_python_object(subject: Subject, result: Mapping[str, Any]) -> Finding:
    named = _named_as_in_javascript(result)
    if not is_result(named):
        return plain_verdict(False, f"its code {RESULT_WORDS}, but returned {_shown(result)}")
    found = finding_of(named)
    if subject.has_threshold and found.score < subject.threshold(0):
        reason = f"its score {found.score:g} is below {subject.threshold(0):g}"
        found = replace(found, passed=False, reason=f"{reason}: {found.reason}" if found.reason else reason)
    found = replace(found, assertion=None)
    return _turned(found) if subject.negated and not subject.is_old else found


def _named_as_in_javascript(result: Mapping[str, Any]) -> dict[str, Any]:
    named = dict(result)
    for snake, camel in _SNAKES.items():
        if snake in named and camel not in named:
            named[camel] = named[snake]
    if isinstance(parts := named.get("componentResults"), list):
        named["componentResults"] = [
            _named_as_in_javascript(part) if isinstance(part, dict) else part for part in parts
        ]
    return named


def is_result(value: Any) -> bool:
    """Tell whether a value is a whole result: `pass`, `score`, `reason`, and what may stand beside them."""
    if not isinstance(value, dict):
        return False
    score = value.get("score")
    return (
        isinstance(value.get("pass"), bool)
        and isinstance(score, int | float)
        and not isinstance(score, bool)
        and isinstance(value.get("reason"), str)
        and all(
            isinstance(value.get(key, {}), dict | list | None) for key in ("namedScores", "tokensUsed", "assertion")
        )
        and isinstance(value.get("componentResults", []), list)
        and isinstance(value.get("comment", ""), str)
    )


def finding_of(result: Mapping[str, Any]) -> Finding:
    """Return what a whole result says."""
    tokens: Mapping[str, Any] = result.get("tokensUsed") or {}
    named: Mapping[str, Any] = result.get("namedScores") or {}
    return Finding(
        passed=result["pass"],
        score=float(result["score"]),
        reason=str(result["reason"])[:REASON_MAX],
        named_scores={name: number(score) for name, score in named.items()},
        components=tuple(part for part in result.get("componentResults") or () if isinstance(part, dict)),
        tokens=Tokens(
            **{name: int(tokens.get(name) or 0) for name in ("total", "prompt", "completion", "cached")},
            requests=int(tokens.get("numRequests") or 0),
        ),
        metadata=result.get("metadata") or {},
        assertion=result.get("assertion") or None,
    )


def _turned(found: Finding) -> Finding:
    reason = "passed" if not found.passed else f"its code passed it, which it must not: {found.reason}"
    return replace(found, passed=not found.passed, reason=reason)


def _of_bool(subject: Subject, result: bool, *, is_turned: bool = True) -> Finding:
    passed = result != (subject.negated and is_turned)
    return plain_verdict(passed, f"its code returned {text(result)}")


def _of_number(subject: Subject, score: float, *, is_turned: bool) -> Finding:
    reached = score >= subject.threshold(0) if subject.has_threshold else score > 0
    passed = reached != (subject.negated and is_turned)
    return Finding(passed=passed, score=score, reason="passed" if passed else f"its code returned {text(score)}")


def _shown(value: Any) -> str:
    return "undefined" if value is UNDEFINED else write_json(value)[:500]


async def webhook(subject: Subject) -> Finding:
    """A server says whether the output passes: it is sent `output` and `context`, and answers `pass` and `score`."""
    if not isinstance(subject.value, str) or not subject.value:
        raise Undecided("`webhook` takes a URL as its value")
    if not subject.instruments.allow_network:
        raise Undecided("`webhook` calls a server, which is not allowed here; allow it with --allow-network")
    sent = {
        "output": subject.output,
        "context": {"prompt": subject.context.prompt, "vars": dict(subject.context.variables)},
    }
    try:
        async with httpx.AsyncClient(timeout=WEBHOOK_S) as client:
            reply = await client.post(
                subject.value, content=write_json(sent).encode(), headers={"content-type": "application/json"}
            )
        reply.raise_for_status()
        said = reply.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
        return plain_verdict(
            False, f"the webhook did not answer as it should: {str(problem) or type(problem).__name__}"
        )
    passing = said.get("pass") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not (isinstance(passing, bool) or subject.is_old):
        return plain_verdict(False, "the webhook did not answer with an object that has `pass`: true or false")
    passed = (passing is not True) if subject.negated else passing is not False
    given = said.get("score")
    score = float(passed) if given is None else 1 - number(given) if subject.negated else number(given)
    return Finding(passed=passed, score=score, reason=str(said.get("reason") or f"the webhook said {text(passing)}"))
