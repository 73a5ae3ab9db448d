"""Assertions that a model grades: by a rubric, for facts, by a criterion, in steps, in conversation."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from watchkeeper.evals.promptfoo.assertions import prompts
from watchkeeper.evals.promptfoo.assertions.asking import GraderFailed, ask, own_prompt, parsed_or_text
from watchkeeper.evals.promptfoo.assertions.structured import objects_in
from watchkeeper.evals.promptfoo.assertions.subject import (
    NO_TOKENS,
    REASON_MAX,
    Finding,
    Said,
    Subject,
    Undecided,
    require,
)
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.javascript import UNDEFINED
from watchkeeper.evals.promptfoo.model import Tokens
from watchkeeper.evals.promptfoo.values import number, parse_json, text, trim, truth

GEVAL_THRESHOLD = 0.7
GEVAL_MOST = 10
WINDOW = 5
_YES = re.compile(r"true|yes|pass|y", re.IGNORECASE)
_OPTION = re.compile(r"\(?([a-eA-E])\)")
_STEPS_JSON = re.compile(r"\{\"steps\".+\}")
_JSON = re.compile(r"\{.+\}")
_OPTIONS = {"A": "subset", "B": "superset", "C": "agree", "D": "disagree", "E": "differButFactual"}


async def llm_rubric(subject: Subject) -> Finding:
    """A grader answers `pass`, `score` and `reason`; with a threshold the score must reach it too."""
    require(subject.value is UNDEFINED or isinstance(subject.value, str | dict | list), "`llm-rubric` takes a text")
    rubric = "" if subject.value is UNDEFINED else subject.value
    variables = {"output": parsed_or_text(subject.text), "rubric": rubric}
    found = await _rubric(subject, prompts.RUBRIC, variables, own_prompt(subject))
    if not subject.negated or subject.is_old or found.metadata.get("graderFailed"):
        return found
    return replace(found, passed=not found.passed, score=1 - found.score)


async def _rubric(subject: Subject, prompt: str, variables: Mapping[str, Any], own: Any) -> Finding:
    said = await ask(subject, prompt, variables, own)
    objects = objects_in(said.text)
    if not objects:
        return _failed("the grader answered no JSON", said.tokens)
    passing, score, reason = (objects[0].get(key) for key in ("pass", "score", "reason"))
    passed = passing if isinstance(passing, bool) else passing is None or _YES.fullmatch(text(passing)) is not None
    if isinstance(score, bool) or not isinstance(score, int | float):
        points = number(score) if score is not None else float("nan")
        score = points if points == points and abs(points) != float("inf") else float(passed)
    if subject.has_threshold:
        passed = passed and score >= subject.threshold(0)
    told = str(reason) if truth(reason) else "passed" if passed else "the grader failed it"
    return Finding(passed=passed, score=float(score), reason=told[:REASON_MAX], tokens=said.tokens)


def _failed(reason: str, tokens: Tokens | None = None) -> Finding:
    return Finding(passed=False, score=0.0, reason=reason, tokens=tokens or NO_TOKENS, metadata={"graderFailed": True})


async def factuality(subject: Subject) -> Finding:
    """A grader says how the facts of the answer stand to a reference, A to E; all but D (they contradict) pass."""
    expected = _needed_text(subject)
    variables = {"input": subject.context.prompt, "ideal": expected, "completion": parsed_or_text(subject.text)}
    said = await ask(subject, prompts.FACTUALITY, variables, own_prompt(subject))
    answered = next(iter(objects_in(said.text)), None)
    if isinstance(answered, dict) and isinstance(answered.get("category"), str) and answered["category"]:
        option, reason = trim(answered["category"]).upper(), text(answered.get("reason") or "")
    else:
        found = _OPTION.search(said.text)
        option, reason = (found[1].upper(), trim(said.text[found.end() :])) if found else ("", "")
    if option not in _OPTIONS:
        return _failed(f"the grader named none of A to E: {said.text[:200]}", said.tokens)
    given = subject.context.test.options.get("factuality") or {}
    points = given.get(_OPTIONS[option])
    score = number(points) if points is not None else 0.0 if option == "D" else 1.0
    told = trim(reason) or f"the grader chose {option}, {_OPTIONS[option]}"
    return Finding(passed=score > 0, score=score, reason=told[:REASON_MAX], tokens=said.tokens)


async def closed_qa(subject: Subject) -> Finding:
    """A grader's answer ends in Y."""
    criterion = _needed_text(subject)
    variables = {"input": subject.context.prompt, "criteria": criterion, "completion": parsed_or_text(subject.text)}
    said = await ask(subject, prompts.CLOSED_QA, variables, own_prompt(subject))
    passed = said.text.rstrip().endswith("Y")
    return Finding(passed=passed, score=float(passed), reason=said.text[:REASON_MAX], tokens=said.tokens)


async def g_eval(subject: Subject) -> Finding:
    """A grader derives steps from a criterion, then rates from 0 to 10 by them; several criteria give their mean."""
    value = subject.value
    criteria = [value] if isinstance(value, str) else value
    if not isinstance(criteria, list) or not all(isinstance(each, str) for each in criteria):
        raise Undecided("`g-eval` takes a text or a list of texts as its value")
    require(subject.context.prompt, "`g-eval` needs a prompt")
    if not criteria:
        return _failed("`g-eval` has no criterion")
    found = [await _rated(subject, criterion) for criterion in criteria]
    tokens = sum((each.tokens for each in found), Tokens())
    failed = next((each for each in found if each.metadata.get("graderFailed")), None)
    if failed and (len(found) == 1 or not subject.is_old):
        return replace(failed, tokens=tokens)
    score = sum(each.score for each in found) / len(found)
    negated = subject.negated and not subject.is_old
    passed = (score >= subject.threshold(GEVAL_THRESHOLD)) != negated
    reason = "\n\n".join(each.reason for each in found)[:REASON_MAX]
    return Finding(passed=passed, score=1 - score if negated else score, reason=reason, tokens=tokens)


async def _rated(subject: Subject, criterion: str) -> Finding:
    own = own_prompt(subject)
    parts: Mapping[str, Any] = own if isinstance(own, dict) else {}
    said = Said()
    try:
        said = await ask(subject, prompts.STEPS, {"criteria": criterion}, parts.get("steps"))
        found = _STEPS_JSON.search(said.text)
        steps = parse_json(found[0])["steps"] if found else []
        if not steps:
            return _failed("the grader named no steps", said.tokens)
        variables = {
            "criteria": criterion,
            "steps": "\n- ".join(map(text, steps)),
            "maxScore": str(GEVAL_MOST),
            "input": parsed_or_text(subject.context.prompt),
            "output": parsed_or_text(subject.text),
        }
        rated = await ask(subject, prompts.RATING, variables, parts.get("evaluate"))
        result = parse_json(found[0]) if (found := _JSON.search(rated.text)) else {}
        score = number(result["score"]) / GEVAL_MOST
    except (ValueError, KeyError, TypeError) as problem:
        return _failed(f"the grader's answer cannot be read: {problem}", said.tokens)
    except GraderFailed as problem:
        return _failed(str(problem), said.tokens)
    tokens = said.tokens + rated.tokens
    return Finding(passed=True, score=score, reason=text(result.get("reason") or ""), tokens=tokens)


async def conversation_relevance(subject: Subject) -> Finding:
    """The share of answers of a conversation that are to the point of the (5) turns up to them."""
    turns = subject.context.variables.get("_conversation")
    if not isinstance(turns, list) or not turns:
        turns = [{"input": subject.context.prompt, "output": subject.text}]
    width = int(number((subject.assertion.get("config") or {}).get("windowSize") or WINDOW))
    relevant, reasons, tokens = 0, list[str](), Tokens()
    for end in range(1, len(turns) + 1):
        window = [_turn(each) for each in turns[max(0, end - width) : end]]
        said = await ask(subject, prompts.CONVERSATION, {"messages": window}, own_prompt(subject))
        tokens += said.tokens
        answered = next(iter(objects_in(said.text)), None) or {}
        relevant += answered.get("verdict") == "yes"
        if answered.get("verdict") != "yes" and answered.get("reason"):
            reasons.append(text(answered["reason"]))
    score = relevant / len(turns)
    told = f"{relevant} of {len(turns)} answers are to the point" + (f": {reasons[0]}" if reasons else "")
    return Finding(passed=score >= subject.threshold(0), score=score, reason=told[:REASON_MAX], tokens=tokens)


def _turn(turn: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value := turn.get(key), str) else write_json(value) for key in ("input", "output")}


async def goal_success(subject: Subject, goal: str, trajectory: str) -> Finding:
    """A grader says whether an agent reached its goal."""
    variables = {"goal": goal, "trajectory": trajectory, "output": parsed_or_text(subject.text)}
    found = await _rubric(subject, prompts.GOAL, variables, own_prompt(subject))
    if not subject.negated or found.metadata.get("graderFailed"):
        return found
    return replace(found, passed=not found.passed, score=float(not found.passed))


def _needed_text(subject: Subject) -> str:
    require(subject.context.prompt, f"`{subject.base}` needs a prompt")
    if not isinstance(subject.value, str):
        raise Undecided(f"`{subject.base}` takes a text as its value")
    return subject.value
