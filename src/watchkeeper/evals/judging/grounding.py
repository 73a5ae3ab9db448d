"""Answers and the documents they stand on: what is taken apart is judged part by part, and shares are counted here."""

from collections.abc import Callable, Mapping
from typing import Any

from watchkeeper.evals.judging.answers import Numbered, Statements, Verdicts, numbered
from watchkeeper.evals.judging.consulting import Consulting, Method
from watchkeeper.evals.judging.material import (
    as_text,
    asked,
    needed_contexts,
    needed_question,
    needed_reference,
    said,
)
from watchkeeper.evals.judging.options import Asks
from watchkeeper.evals.scorers.marking import Finding, Undecided, settings
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

STATEMENTS_MAX = 200
SHOWN_MAX = 3
"""Statements that a reason quotes."""

SUPPORT: Mapping[str, float] = {"supported": 1.0, "contradicted": 0.0, "not_stated": 0.0}
PRESENCE: Mapping[str, float] = {"found": 1.0, "missing": 0.0}
USE: Mapping[str, float] = {"useful": 1.0, "not_useful": 0.0}
BEARING: Mapping[str, float] = {"relevant": 1.0, "partly_relevant": 0.5, "irrelevant": 0.0}


def faithfulness(scorer: Scorer) -> Method:
    """Share of an answer's statements that the documents support. Raises ScorerRefused."""
    variable = settings(scorer, Asks).question

    async def method(question: Question, consulting: Consulting) -> Finding:
        contexts, answer = needed_contexts(question), said(question.answer)
        if not answer.strip():
            raise Undecided("the answer is empty: it states nothing that documents could support")
        statements = await _statements("answer", asked(question, variable), answer, consulting)
        shown = {"contexts": numbered(contexts), "statements": numbered(statements)}
        labels = _complete(await consulting.ask("faithfulness", shown, Verdicts), len(statements), SUPPORT)
        return _share(statements, labels, SUPPORT, "statements of the answer are supported", "not supported")

    return method


def context_precision(scorer: Scorer) -> Method:
    """Whether the useful documents stand in front: the mean precision at the places where they do."""
    return _of_contexts("context_precision", USE, mean_precision, scorer, with_reference=True)


def context_relevance(scorer: Scorer) -> Method:
    """How much of the documents bears on the question."""
    return _of_contexts("context_relevance", BEARING, lambda scores: sum(scores) / len(scores), scorer)


def context_recall(scorer: Scorer) -> Method:
    """Share of the statements of the right answer that the documents hold. Raises ScorerRefused."""
    variable = settings(scorer, Asks).question

    async def method(question: Question, consulting: Consulting) -> Finding:
        reference, contexts = needed_reference(question), needed_contexts(question)
        meant = asked(question, variable)
        statements = await _statements("reference", meant, reference, consulting)
        shown = {"question": meant, "contexts": numbered(contexts), "statements": numbered(statements)}
        labels = _complete(await consulting.ask("context_recall", shown, Verdicts), len(statements), PRESENCE)
        return _share(statements, labels, PRESENCE, "statements of the reference are in the documents", "missing")

    return method


def mean_precision(useful: list[float]) -> float:
    """Return the average precision of a ranking: the mean, over the places k with a useful document, of the share of
    useful ones among the first k. 0 where none is useful.

    Manning, Raghavan, Schuetze, "Introduction to Information Retrieval" (2008), 8.4.
    """
    hits, total = 0, 0.0
    for place, is_useful in enumerate(useful, 1):
        if is_useful:
            hits += 1
            total += hits / place
    return total / hits if hits else 0.0


def _of_contexts(
    kind: str,
    worth: Mapping[str, float],
    together: Callable[[list[float]], float],
    scorer: Scorer,
    *,
    with_reference: bool = False,
) -> Method:
    variable = settings(scorer, Asks).question

    async def method(question: Question, consulting: Consulting) -> Finding:
        contexts = needed_contexts(question)
        shown: dict[str, Any] = {"question": needed_question(question, variable), "contexts": numbered(contexts)}
        if with_reference:
            shown["reference"] = as_text(question.value)
        labels = _complete(await consulting.ask(kind, shown, Verdicts), len(contexts), worth)
        counts = ", ".join(f"{labels.count(label)} {label}" for label in worth if label in labels)
        return Finding(
            together([worth[label] for label in labels]), f"{len(labels)} documents: {counts}", {"labels": labels}
        )

    return method


def _complete(found: Verdicts, count: int, worth: Mapping[str, float]) -> list[str]:
    """Return a label for each thing in its order. Raises Undecided where one has none, several, or an unknown one."""
    by_number: dict[int, Numbered] = {one.number: one for one in found.verdicts}
    if len(found.verdicts) != count or set(by_number) != set(range(1, count + 1)):
        raise Undecided(
            f"the judge gave {len(found.verdicts)} verdicts, and not one for each of {count} things: none counts"
        )
    labels = [by_number[number].label for number in range(1, count + 1)]
    if unknown := [label for label in labels if label not in worth]:
        raise Undecided(f"the judge's label `{unknown[0][:60]}` is none of {', '.join(worth)}")
    return labels


async def _statements(whose: str, question: str, text: str, consulting: Consulting) -> list[str]:
    """Have a text taken apart. Raises Undecided where it states nothing: a share of nothing is no share."""
    taken = await consulting.ask("statements", {"question": question, "answer": text}, Statements)
    statements = [one.strip() for one in taken.statements if one.strip()]
    if not statements:
        raise Undecided(f"the judge found no statements in the {whose}, so there is nothing to hold against documents")
    if len(statements) > STATEMENTS_MAX:
        raise Undecided(f"the judge found {len(statements)} statements; at most {STATEMENTS_MAX} are looked at")
    return statements


def _share(statements: list[str], labels: list[str], worth: Mapping[str, float], told: str, amiss: str) -> Finding:
    """Count the statements that are worth something, and name some of the others."""
    others = [statement for statement, label in zip(statements, labels, strict=True) if not worth[label]]
    good, count = len(statements) - len(others), len(statements)
    more = f", and {len(others) - SHOWN_MAX} more" if len(others) > SHOWN_MAX else ""
    named = f"; {amiss}: {'; '.join(others[:SHOWN_MAX])}{more}" if others else ""
    return Finding(good / count, f"{good} of {count} {told}{named}", {"statements": statements, "labels": labels})
