"""Assertions on the text as it is: equal, contained, matched, counted."""

import re
from typing import Any

from rapidfuzz.distance import Levenshtein

from watchkeeper.evals.promptfoo.assertions.subject import (
    Finding,
    Subject,
    Undecided,
    newly_negated,
    require,
    verdict,
)
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.values import WHITE, number, parse_json, same, text, trim, truth, units, words

LEVENSHTEIN_THRESHOLD = 5
SHOWN_MAX = 200
_OLD_ITEM = re.compile(rf'(".*?"|[^,]+)(?=[{WHITE}]*,|[{WHITE}]*$)')
_QUOTES = re.compile(r'^"|"$')


def _shown(value: Any) -> str:
    written = value if isinstance(value, str) else write_json(value)
    return f"`{written}`" if len(written) <= SHOWN_MAX else f"`{written[:SHOWN_MAX]}…`"


def equals(subject: Subject) -> Finding:
    """Text equals text; an object or list equals the output read as JSON, deeply."""
    value = subject.value
    reason = f"expected {_shown('undefined' if value is UNDEFINED else value)}, got {_shown(subject.text)}"
    against = f"it is {_shown(subject.text)}, which it must not be"
    if value is None or isinstance(value, dict | list):
        try:
            holds = same(value, parse_json(subject.text))
        except ValueError:
            if subject.is_old:
                return Finding(passed=False, score=0.0, reason=f"the output is not JSON: {_shown(subject.text)}")
            holds = False
        return verdict(holds, subject, reason, against)
    written = "undefined" if value is UNDEFINED else text(value)
    return verdict(written == subject.text, subject, reason, against)


def contains(subject: Subject) -> Finding:
    """A text or number is part of the output; `icontains` looks away from case."""
    value = subject.expected
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    given = (isinstance(value, str) and value != "") or (is_number and (value != 0 or not subject.is_old))
    require(given, f"`{subject.base}` takes a text or a number as its value, which must not be empty")
    part, whole = _cased(subject, text(value)), _cased(subject, subject.text)
    return verdict(
        part in whole,
        subject,
        f"{_shown(text(value))} does not occur in it",
        f"{_shown(text(value))} occurs in it",
    )


def contains_any(subject: Subject) -> Finding:
    """At least one of the items is part of the output."""
    items = _items(subject)
    whole = _cased(subject, subject.text)
    found = [item for item in items if _cased(subject, item) in whole]
    return verdict(bool(found), subject, f"none of {_shown(items)} occurs in it", f"{_shown(found)} occurs in it")


def contains_all(subject: Subject) -> Finding:
    """Every item is part of the output."""
    items = _items(subject)
    whole = _cased(subject, subject.text)
    missing = [item for item in items if _cased(subject, item) not in whole]
    return verdict(
        not missing, subject, f"{_shown(missing)} does not occur in it", f"all of {_shown(items)} occur in it"
    )


def regex(subject: Subject) -> Finding:
    """A regular expression of JavaScript, without flags, matches anywhere. Needs the engine of JavaScript."""
    pattern = _needed_text(subject)
    try:
        holds = subject.instruments.engine.search(pattern, subject.text)
    except ScriptFailed as failed:
        if failed.kind == "code":
            return Finding(passed=False, score=0.0, reason=f"{_shown(pattern)} is no regular expression: {failed}")
        raise Undecided(f"the regular expression {_shown(pattern)} came to no result: {failed}") from None
    return verdict(holds, subject, f"{_shown(pattern)} matches nowhere", f"{_shown(pattern)} matches")


def starts_with(subject: Subject) -> Finding:
    """The output begins with a text."""
    start = _needed_text(subject)
    return verdict(
        subject.text.startswith(start),
        subject,
        f"it does not begin with {_shown(start)}",
        f"it begins with {_shown(start)}",
    )


def levenshtein(subject: Subject) -> Finding:
    """The edit distance, in UTF-16 code units, is at most the threshold."""
    require(isinstance(subject.value, str), "`levenshtein` takes a text as its value")
    distance = Levenshtein.distance(units(subject.text), units(subject.value))
    threshold = subject.threshold(LEVENSHTEIN_THRESHOLD)
    return newly_negated(
        subject, distance <= threshold, f"the distance {distance} is above {threshold:g}", f"the distance is {distance}"
    )


def word_count(subject: Subject) -> Finding:
    """The number of words, split at white space, is a number, or within `min` and `max`."""
    value = subject.expected
    require(value is not None and value is not UNDEFINED, "`word-count` takes a number, or `min` and `max`")
    count = len([word for word in words(trim(subject.text)) if word])
    if isinstance(value, dict):
        least, most = value.get("min"), value.get("max")
        require(least is not None or most is not None, "`word-count` takes `min`, `max`, or both")
        if least is not None and most is not None:
            require(number(least) <= number(most), f"`word-count`: min {least} is above max {most}")
        holds = (least is None or count >= number(least)) and (most is None or count <= number(most))
        return verdict(holds, subject, f"it has {count} words, outside of {_shown(value)}", f"it has {count} words")
    wanted = number(value)
    require(not isinstance(value, bool | list) and wanted == wanted, "`word-count` takes a number, or `min` and `max`")
    return verdict(count == wanted, subject, f"it has {count} words, not {wanted:g}", f"it has {count} words")


def _needed_text(subject: Subject) -> str:
    if isinstance(subject.value, str) and subject.value:
        return subject.value
    raise Undecided(f"`{subject.base}` takes a text as its value, which must not be empty")


def _cased(subject: Subject, value: str) -> str:
    return value.lower() if subject.base.startswith("icontains") else value


def _items(subject: Subject) -> list[str]:
    value = subject.expected
    require(value is not UNDEFINED and truth(value), f"`{subject.base}` takes a list, or a text with commas")
    if isinstance(value, str):
        return _split(subject, value)
    if not isinstance(value, list):
        raise Undecided(f"`{subject.base}` takes a list, or a text with commas")
    return [text(item) for item in value]


def _split(subject: Subject, value: str) -> list[str]:
    if not subject.is_old:
        return _fields(value)
    if subject.base == "contains-any":
        return [_QUOTES.sub("", trim(found[0])) for found in _OLD_ITEM.finditer(value)]
    return [trim(part) for part in value.split(",")]


def _fields(value: str) -> list[str]:
    """Split at commas; a field in double quotes may hold commas, and quotes doubled or after a backslash."""
    found: list[str] = []
    at = 0
    while True:
        while at < len(value) and (value[at] == "," or not trim(value[at])):
            at += 1
        if at == len(value):
            return found
        if value[at] != '"':
            end = value.find(",", at)
            end = len(value) if end < 0 else end
            found.append(trim(value[at:end]))
            at = end
            continue
        field, at = _quoted(value, at + 1)
        found.append(field)
        while at < len(value) and not trim(value[at]):
            at += 1
        require(at == len(value) or value[at] == ",", "after a field in quotes there must be a comma")


def _quoted(value: str, at: int) -> tuple[str, int]:
    letters: list[str] = []
    while at < len(value):
        pair = value[at : at + 2]
        if pair in ('\\"', "\\\\", '""'):
            letters.append(pair[1])
            at += 2
        elif value[at] == '"':
            return "".join(letters), at + 1
        else:
            letters.append(value[at])
            at += 1
    raise Undecided("a field in quotes has no end")
