"""Assertions on the spans of a call: how many, how long, how many that failed."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, plain_verdict, require
from watchkeeper.evals.promptfoo.values import number, truth

NAMES_SHOWN = 5
_FAILURE = re.compile(r"error|failed|failure|exception|timeout|abort", re.IGNORECASE)

Span = Mapping[str, Any]


def spans_of(subject: Subject) -> Sequence[Span]:
    """Return the spans of the call. Raises Undecided where there is no trace."""
    spans = (subject.context.trace or {}).get("spans")
    if not isinstance(spans, list):
        raise Undecided(f"`{subject.base}` needs a trace, and there is none of this call")
    return spans


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name fits a pattern in which `*` stands for anything and `?` for a letter, whatever their case."""
    parts = (
        ".*" if letter == "*" else "." if letter == "?" else re.escape(letter)
        for letter in re.sub(r"\*+", "*", pattern)
    )
    return re.fullmatch("".join(parts), name, re.IGNORECASE) is not None


def _matching(subject: Subject, pattern: str) -> list[Span]:
    return [span for span in spans_of(subject) if matches(str(span.get("name", "")), pattern)]


def _options(subject: Subject) -> Mapping[str, Any]:
    value = subject.assertion.get("value")
    return value if isinstance(value, dict) else {}


def _told(spans: Sequence[Span]) -> str:
    names = list(dict.fromkeys(str(span.get("name", "")) for span in spans))
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def span_count(subject: Subject) -> Finding:
    """At least `min` and at most `max` spans have a name that fits `pattern`."""
    spans_of(subject)
    options = _options(subject)
    require(options.get("pattern"), "`trace-span-count` takes `pattern`, with `min`, `max` or both")
    found = _matching(subject, str(options["pattern"]))
    least, most = options.get("min"), options.get("max")
    holds = (least is None or len(found) >= number(least)) and (most is None or len(found) <= number(most))
    return plain_verdict(holds, f"{len(found)} spans fit `{options['pattern']}`: {_told(found)}")


def span_duration(subject: Subject) -> Finding:
    """Spans that fit `pattern` took at most `max` milliseconds: all of them, or that percentile of them."""
    spans_of(subject)
    options = _options(subject)
    limit, percentile = options.get("max"), options.get("percentile")
    is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
    require(is_number, "`trace-span-duration` takes `max` in milliseconds")
    if percentile is not None and not subject.is_old:
        require(0 <= number(percentile) <= 100, "`trace-span-duration`: a percentile is between 0 and 100")
    timed = [
        (number(span["endTime"]) - number(span["startTime"]), span)
        for span in _matching(subject, str(options.get("pattern", "*")))
        if span.get("startTime") is not None and span.get("endTime") is not None
    ]
    if not timed:
        return plain_verdict(True, "")
    durations = sorted(took for took, _ in timed)
    place = len(durations) if percentile is None else math.ceil(number(percentile) / 100 * len(durations))
    took = durations[min(max(0, place - 1), len(durations) - 1)]
    slow = [span for each, span in timed if each > number(limit)]
    return plain_verdict(took <= number(limit), f"{took:g} ms is above {number(limit):g}; slow are {_told(slow)}")


def error_spans(subject: Subject) -> Finding:
    """Of the spans that fit `pattern`, at most `max_count` (0) or `max_percentage` failed."""
    spans_of(subject)
    value, options = subject.assertion.get("value"), _options(subject)
    most = number(value) if isinstance(value, int | float) and not isinstance(value, bool) else options.get("max_count")
    share = options.get("max_percentage")
    if most is None and share is None:
        most = 0
    found = _matching(subject, str(options.get("pattern") or "*"))
    failed = [span for span in found if _has_failed(span, subject.is_old)]
    holds = (most is None or len(failed) <= number(most)) and (
        share is None or not found or len(failed) / len(found) * 100 <= number(share)
    )
    return plain_verdict(holds, f"{len(failed)} of {len(found)} spans failed: {_told(failed)}")


def _has_failed(span: Span, is_old: bool) -> bool:
    status = span.get("statusCode")
    if status is not None and truth(status) and (number(status) >= 400 or (status == 2 and not is_old)):
        return True
    attributes: Mapping[str, Any] = span.get("attributes") or {}
    told = any(
        attributes.get(key) is True or attributes.get(key) == "true" or isinstance(attributes.get(key), dict | list)
        for key in ("error", "exception", "failed", "failure")
    )
    code = attributes.get("http.status_code")
    answered = code is not None and number(code) >= 400
    said = "ERROR" in (attributes.get("otel.status_code"), attributes.get("status.code"))
    return told or answered or said or _FAILURE.search(str(span.get("statusMessage") or "")) is not None
