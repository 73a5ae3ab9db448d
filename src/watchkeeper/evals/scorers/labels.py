"""Answers that are one of a few: a class, a language, a reason for the end."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    as_text,
    as_texts,
    check_value,
    refused,
    settings,
    shown,
)
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

AROUND = " \t\r\n\"'`*_.,:;!?()[]{}<>“”„«»"
"""What may stand around a label."""

_WORD = re.compile(r"\w+")


class Labelling(Struct, forbid_unknown_fields=True):
    """Options of `classification`."""

    labels: list[str] = []
    """All that there are; where none are given, any text is one."""
    within: bool = False
    """Whether the label may stand among other words, as long as it is the only one there; needs `labels`."""


class Plain(Struct, forbid_unknown_fields=True):
    """Options of `finish`: there are none."""


def classification(scorer: Scorer) -> Look:
    """The answer must be the right label; its case, and marks around it, count for nothing."""
    options = settings(scorer, Labelling)
    labels = {normal(label): label for label in options.labels}
    if len(labels) != len(options.labels) or "" in labels:
        raise refused(scorer, "has labels that are empty, or that differ only in case or in marks around them.")
    if options.within and not labels:
        raise refused(scorer, "needs the option `labels` to find one of them within an answer.")
    if options.within and not all(map(_spaced, labels)):
        raise refused(scorer, "has a label without letters or digits, which cannot be found within an answer.")

    def right(value: Any) -> str:
        label = normal(as_text(value))
        if not label or (labels and label not in labels):
            raise Undecided(f"the reference {shown(value)} is none of the labels {_listed(options.labels)}")
        return label

    check_value(scorer, right)

    def look(question: Question) -> Finding:
        wanted, text = right(question.value), question.answer.text
        found = _label(text, labels, within=options.within)
        detail = {"expected": labels.get(wanted, wanted), "label": labels.get(found, found) if found else None}
        if not found:
            return Finding(0.0, f"the answer is none of the labels {_listed(options.labels)}: {shown(text)}", detail)
        said = f"expected {shown(detail['expected'])}, got {shown(detail['label'])}"
        return Finding(float(found == wanted), said, detail)

    return look


def finish(scorer: Scorer) -> Look:
    """The answer must have ended for a reason, or for one of several."""
    settings(scorer, Plain)
    if scorer.value is None:
        raise refused(scorer, "needs a value, such as `stop` or `[stop, tool_calls]`.")
    check_value(scorer, as_texts)

    def look(question: Question) -> Finding:
        wanted, found = as_texts(question.value), question.answer.finish
        if not found:
            raise Undecided("nobody said why the answer ended")
        holds = found.casefold() in {one.casefold() for one in wanted}
        return Finding(float(holds), f"expected that it ends by {' or '.join(map(shown, wanted))}, got {shown(found)}")

    return look


def normal(text: str) -> str:
    """Write a label as it is compared: in small letters, single blanks, without marks around it."""
    return " ".join(text[:1_000].strip(AROUND).casefold().split())


def _label(text: str, labels: dict[str, str], *, within: bool) -> str:
    """Return the label that an answer is, as it is compared; empty where it is none, or more than one."""
    whole = normal(text)
    if not labels or whole in labels:
        return whole
    if not within:
        return ""
    flat, found = _spaced(text), set[str]()
    for label in sorted(labels, key=len, reverse=True):  # `not spam` before `spam`, which is a part of it
        if (part := _spaced(label)) in flat:
            found.add(label)
            flat = flat.replace(part, " ")
    return found.pop() if len(found) == 1 else ""


def _spaced(text: str) -> str:
    """Write the words of a text with a blank on either side of each, so that they are found as wholes."""
    return "".join(f" {word} " for word in _WORD.findall(text.casefold()))


def _listed(labels: Sequence[str]) -> str:
    if not labels:
        return "(any)"
    return msgspec.json.encode(list(labels[:10])).decode() + (" and more" if len(labels) > 10 else "")
