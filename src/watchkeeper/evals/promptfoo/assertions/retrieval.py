"""Assertions on answers that rest on documents: does the answer follow from them, were they the right ones."""

import re
from collections.abc import Sequence
from typing import Any

from watchkeeper.evals.promptfoo.assertions import prompts
from watchkeeper.evals.promptfoo.assertions.asking import ask, grader_of, own_prompt, parsed_or_text, provider_of
from watchkeeper.evals.promptfoo.assertions.similarity import cosine
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, require
from watchkeeper.evals.promptfoo.assertions.transforms import transformed
from watchkeeper.evals.promptfoo.model import Tokens
from watchkeeper.evals.promptfoo.values import trim

QUESTIONS = 3
EPSILON = 2.220446049250313e-16
OLD_THRESHOLD, THRESHOLD = 0.0, 0.5
ATTRIBUTED = "[Attributed]"
INSUFFICIENT = "Insufficient Information"
_FINAL = "final verdict for each statement in order:"


def _judged(subject: Subject, score: float, tokens: Tokens, **metadata: Any) -> Finding:
    limit = subject.threshold(OLD_THRESHOLD if subject.is_old else THRESHOLD)
    negated = subject.negated and not subject.is_old
    passed = (score >= limit - EPSILON) != negated
    relation = "reaches" if score >= limit - EPSILON else "is below"
    return Finding(
        passed=passed,
        score=1 - score if negated else score,
        reason=f"{subject.base} {score:.2f} {relation} {limit:g}",
        tokens=tokens,
        metadata=metadata,
    )


def _lines(value: str) -> list[str]:
    return [line for line in value.split("\n") if trim(line)]


async def answer_relevance(subject: Subject) -> Finding:
    """The mean cosine of the question and of three that a grader makes up for the answer."""
    require(isinstance(subject.output, str), "`answer-relevance` looks at text")
    require(subject.context.prompt, "`answer-relevance` needs a prompt")
    query = subject.context.variables.get("query")
    asked = query if isinstance(query, str) else subject.context.prompt
    questions: list[str] = []
    tokens = Tokens()
    for _ in range(QUESTIONS):
        said = await ask(subject, prompts.QUESTION, {"answer": parsed_or_text(subject.text)}, own_prompt(subject))
        questions.append(said.text)
        tokens += said.tokens
    vectors = await grader_of(subject).embed([asked, *questions], provider_of(subject, "embedding"))
    score = sum(cosine(vectors[0], each) for each in vectors[1:]) / QUESTIONS
    return _judged(subject, score, tokens, generatedQuestions=questions)


async def context_recall(subject: Subject) -> Finding:
    """The share of the value's sentences that follow from the context."""
    if not isinstance(subject.value, str):
        raise Undecided("`context-recall` takes a text: what the context should hold")
    require(subject.context.prompt, "`context-recall` needs a prompt")
    context = _context(subject, subject.context.prompt)
    variables = {"context": _joined(context), "groundTruth": subject.value}
    said = await ask(subject, prompts.RECALL, variables, own_prompt(subject))
    lines = _lines(said.text)
    score = sum(ATTRIBUTED in line for line in lines) / len(lines) if lines else 0.0
    return _judged(subject, score, said.tokens, context=context)


async def context_relevance(subject: Subject) -> Finding:
    """The share of the context that is needed to answer; more sentences than there are give more than 1."""
    query = _query(subject)
    context = _context(subject)
    variables = {"context": _joined(context), "query": query}
    said = await ask(subject, prompts.RELEVANCE, variables, own_prompt(subject))
    units = [each for each in context if trim(each)] if isinstance(context, list) else _lines(context)
    found = 0 if INSUFFICIENT in said.text else len(_lines(said.text))
    score = found / len(units) if units else 0.0
    return _judged(subject, score if subject.is_old else min(score, 1.0), said.tokens, context=context)


async def context_faithfulness(subject: Subject) -> Finding:
    """The share of the answer's statements that follow from the context."""
    query = _query(subject)
    require(isinstance(subject.output, str), "`context-faithfulness` looks at text")
    context = _context(subject)
    own = own_prompt(subject)
    require(own is None or isinstance(own, list), "`context-faithfulness` takes a list of two rubric prompts")
    first, second = [_content(each) for each in [*(own or ()), None, None]][:2]
    variables = {"question": query, "answer": parsed_or_text(subject.text)}
    stated = await ask(subject, prompts.STATEMENTS, variables, first)
    statements = _lines(stated.text)
    verdicts = {"context": _joined(context), "statements": statements}
    said = await ask(subject, prompts.SUPPORTED, verdicts, second)
    if not statements:
        return _judged(subject, 0.0, stated.tokens + said.tokens, context=context)
    score = 1 - _unsupported(trim(said.text.lower())) / len(statements)
    return _judged(subject, score, stated.tokens + said.tokens, context=context)


def _unsupported(answer: str) -> int:
    if _FINAL in answer:
        verdicts = answer.partition(_FINAL)[2].split(".")
        return sum(1 for verdict in verdicts if trim(verdict) and "yes" not in verdict)
    return len(re.findall("verdict: no", answer))


def _content(own: Any) -> Any:
    return own.get("content") if isinstance(own, dict) else own


def _query(subject: Subject) -> str:
    query = subject.context.variables.get("query")
    if not isinstance(query, str):
        raise Undecided(f"`{subject.base}` needs a variable `query`, the user's question")
    return query


def _context(subject: Subject, otherwise: str = "") -> str | list[str]:
    """The documents: the variable `context`, or what `contextTransform` makes of the provider's output."""
    found: Any = subject.context.variables.get("context") or otherwise
    if code := subject.assertion.get("contextTransform"):
        answer = subject.answer
        source = answer.output if answer.provider_output is None else answer.provider_output
        found = transformed(code, source, subject.answer, subject.context, subject.instruments)
    if isinstance(found, str) and found:
        return found
    if isinstance(found, list) and found and all(isinstance(each, str) and each for each in found):
        return found
    raise Undecided(
        f"`{subject.base}` needs the documents: a variable `context` (a text or a list of texts), or `contextTransform`"
    )


def _joined(context: str | Sequence[str]) -> str:
    return context if isinstance(context, str) else "\n\n".join(context)
