"""The number in an answer, beside the right one."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any, Literal

from msgspec import Struct

from watchkeeper.evals.scorers.json_paths import check_path, document_of, values_at
from watchkeeper.evals.scorers.marking import Finding, Look, Undecided, check_value, needed, refused, settings, shown
from watchkeeper.evals.scorers.patterns import compiled
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

DIGITS = 60
"""Of a sum or difference; the rest is rounded."""
NUMBER = r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+|\.\d)\d{0,300}(?:\.\d{1,300})?(?:[eE][-+]?\d{1,4})?"
"""Written with a point; commas may stand between thousands."""
NUMBERS_MAX = 100_000
"""In one answer; those behind are not seen."""


class Nearness(Struct, forbid_unknown_fields=True):
    """Options of `numeric`."""

    absolute: float | str = 0
    """How far from the value it may be, at most."""
    relative: float | str = 0
    """The same as a share of the value: 0.01 for one hundredth. The larger of the two counts."""
    take: Literal["first", "last", "any"] = "last"
    """Which number of the text it is."""
    path: str = ""
    """Where the number stands in an answer that is JSON; it is not looked for in the text then."""


def numeric(scorer: Scorer) -> Look:
    """The number in the answer must be near enough to the value."""
    options = settings(scorer, Nearness)
    absolute, relative = _tolerance(scorer, options.absolute), _tolerance(scorer, options.relative)
    check_path(scorer, options.path, is_needed=False)
    check_value(scorer, as_number)

    def look(question: Question) -> Finding:
        wanted, text = as_number(question.value), question.answer.text
        found = _at_path(text, options.path) if options.path else _in_text(text, options.take)
        if not found:
            return Finding(0.0, f"expected {wanted}, and the answer holds no number: {shown(text)}")
        with localcontext() as exactly:
            exactly.prec = DIGITS
            allowed = max(absolute, relative * abs(wanted))
            holds = any(abs(one - wanted) <= allowed for one in found)
        near = f" (within {allowed.normalize()})" if allowed else ""
        got = f"{found[-1]}" if len(found) == 1 else f"{len(found)} numbers, the last {found[-1]}"
        return Finding(float(holds), f"expected {wanted}{near}, got {got}")

    return look


def as_number(value: Any) -> Decimal:
    """Read a number, or a text that is one. Raises Undecided."""
    if isinstance(needed(value), bool):
        raise Undecided(f"a number is needed to hold the answer against, not {shown(value)}")
    match value:
        case int() | float():
            text = str(value)
        case str():
            text = value.strip()
        case _:
            text = ""
    if (whole := compiled(NUMBER).fullmatch(text.encode())) is None:
        raise Undecided(f"a number is needed to hold the answer against, not {shown(value)}")
    return _number(whole)


def _in_text(text: str, take: Literal["first", "last", "any"]) -> list[Decimal]:
    found: list[Any] = []
    for match in _numbers(text.encode()):
        found = [match] if take == "last" else [*found, match]
        if take == "first":
            break
    return [_number(match) for match in found]


def _numbers(text: bytes) -> Iterator[Any]:
    for count, match in enumerate(compiled(NUMBER).finditer(text), 1):
        yield match
        if count == NUMBERS_MAX:
            return


def _at_path(text: str, path: str) -> list[Decimal]:
    document, problem = document_of(text)
    if problem:
        return []
    found = []
    for value in values_at(path, document):
        try:
            found.append(as_number(value))
        except Undecided:  # what stands there is no number
            continue
    return found


def _number(match: Any) -> Decimal:
    return Decimal(match.group().decode().replace(",", "").replace("−", "-"))


def _tolerance(scorer: Scorer, given: float | str) -> Decimal:
    try:
        allowed = as_number(given)
    except Undecided:
        allowed = Decimal(-1)
    if allowed < 0:
        raise refused(scorer, f"needs a number that is not negative as its tolerance, not {shown(given)}")
    return allowed
