"""Tools that a model asks for: the right ones, with the right arguments, in the right order."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from rapidfuzz.distance import LCSseq

from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.scorers.json_fit import ready_schema
from watchkeeper.evals.scorers.json_reading import is_same, read_json
from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    check_value,
    needed,
    refused,
    settings,
    shown,
)
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer
from watchkeeper.releases.schemas import Schema

CALLS_MAX = 200
"""In one answer; more stay unmeasured."""


class Fitting(Struct, forbid_unknown_fields=True):
    """Options of `tool_calls`."""

    match: Literal["exact", "subset", "names", "schema"] = "exact"
    """exact: the same calls with equal arguments. subset: each expected call is there, with at least its arguments.
    names: the same names. schema: every call fits a tool of `tools`."""
    tools: list[dict[str, Any]] = []
    """Tools with their schemas, as they are given to the model; for `schema`."""


class Course(Struct, forbid_unknown_fields=True):
    """Options of `trajectory`."""

    match: Literal["exact", "in_order", "any_order", "subset"] = "in_order"
    """exact: these tools and no others. in_order: these in this order, others may stand between. any_order: these,
    others may be there. subset: no others."""
    max_steps: int | None = None


class Expected(NamedTuple):
    """A call as a reference has it."""

    name: str
    arguments: Any = None
    """None: any."""


def tool_calls(scorer: Scorer) -> Look:
    """The answer must ask for the tools of the reference; the score is F1 of the calls, or the share that fits."""
    options = settings(scorer, Fitting)
    if options.match == "schema":
        return _by_schema(_schemas(scorer, options.tools))
    if options.tools:
        raise refused(scorer, "takes the option `tools` only with `match: schema`.")
    check_value(scorer, expected_calls)
    fits = {"exact": _is_exact, "subset": _is_subset, "names": _is_named}[options.match]

    def look(question: Question) -> Finding:
        wanted, given = expected_calls(question.value), _given(question.answer)
        if not wanted and options.match != "subset":
            said = _named([one.name for one in given])
            return Finding(float(not given), f"expected no call of a tool, got {said}")
        pairs = _pairs(wanted, given, fits)
        precision = 1.0 if options.match == "subset" else pairs / len(given) if given else 0.0
        recall = pairs / len(wanted) if wanted else 1.0
        score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        score = recall if options.match == "subset" else score
        expected, got = _named([one.name for one in wanted]), _named([one.name for one in given])
        unread = next((one.name for one in given if one.problem), None)
        also = f"; the arguments of {shown(unread)} cannot be read" if unread is not None else ""
        said = f"{pairs} of {len(wanted)} expected calls ({expected}) are among the answer's {len(given)} ({got}){also}"
        return Finding(score, said)

    return look


def trajectory(scorer: Scorer) -> Look:
    """The names of the tools, in the order in which they were asked for, must be those of the reference."""
    options = settings(scorer, Course)
    check_value(scorer, expected_calls)
    if options.max_steps is not None and options.max_steps < 0:
        raise refused(scorer, "needs a `max_steps` that is not negative.")

    def look(question: Question) -> Finding:
        wanted = [one.name for one in expected_calls(question.value)]
        given = [one.name for one in _given(question.answer)]
        said = f"expected {_named(wanted)} ({options.match}), got {_named(given)}"
        score = _course_score(options.match, wanted, given)
        if options.max_steps is not None and len(given) > options.max_steps:
            return Finding(
                score * options.max_steps / len(given),
                f"{said} in {len(given)} steps; the limit is {options.max_steps}",
                {"steps": len(given)},
                passes=False,
            )
        return Finding(score, said, {"steps": len(given)})

    return look


def expected_calls(value: Any) -> list[Expected]:
    """Read a reference: a name, a call, or a list of them. Raises Undecided."""
    several = needed(value) if isinstance(value, list | tuple) else [value]
    if len(several) > CALLS_MAX:
        raise Undecided(f"the reference has more than {CALLS_MAX} calls")
    return [_expected(one) for one in several]


def _expected(value: Any) -> Expected:
    if isinstance(value, dict):
        call = value["function"] if isinstance(value.get("function"), dict) else value
        name, arguments = call.get("name"), call.get("arguments")
        if isinstance(arguments, str):
            read = read_json(arguments)
            if not read.is_read:
                raise Undecided(f"the arguments of the reference cannot be read: {read.problem}")
            arguments = read.value
    else:
        name, arguments = value, None
    if not isinstance(name, str) or not name:
        raise Undecided(f"a call of a reference is a name, or `{{name: ..., arguments: ...}}`, not {shown(value)}")
    return Expected(name, arguments)


class _Given(NamedTuple):
    name: str
    arguments: Any
    problem: str
    """Why the arguments cannot be read."""


_Fits = Callable[[Expected, _Given], bool]


def _given(answer: Answer) -> list[_Given]:
    if len(answer.tool_calls) > CALLS_MAX:
        raise Undecided(f"the answer asks for more than {CALLS_MAX} tools and was not looked at")
    found = []
    for call in answer.tool_calls:
        read = read_json(call.arguments or "{}")
        problem = read.problem or ("" if isinstance(read.value, dict) else "they are no object")
        found.append(_Given(call.name, read.value, problem))
    return found


def _is_named(wanted: Expected, given: _Given) -> bool:
    return wanted.name == given.name


def _is_exact(wanted: Expected, given: _Given) -> bool:
    if wanted.name != given.name or given.problem:
        return False
    return wanted.arguments is None or is_same(wanted.arguments, given.arguments)


def _is_subset(wanted: Expected, given: _Given) -> bool:
    return wanted.name == given.name and not given.problem and _holds(given.arguments, wanted.arguments)


def _holds(whole: Any, part: Any) -> bool:
    """Tell whether each property of the part is in the whole; lists must be equal."""
    if part is None:
        return True
    if not (isinstance(whole, dict) and isinstance(part, dict)):
        return is_same(whole, part)
    return all(key in whole and (one is whole[key] or _holds_value(whole[key], one)) for key, one in part.items())


def _holds_value(whole: Any, part: Any) -> bool:
    return _holds(whole, part) if isinstance(part, dict) else is_same(whole, part)


def _pairs(wanted: Sequence[Expected], given: Sequence[_Given], fits: _Fits) -> int:
    """Return how many calls can be paired, each once: the largest matching, by augmenting paths (Kuhn 1955)."""
    fitting = [[at for at, call in enumerate(given) if fits(one, call)] for one in wanted]
    taken: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for at in fitting[one]:
            if at in tried:
                continue
            tried.add(at)
            if at not in taken or place(taken[at], tried):
                taken[at] = one
                return True
        return False

    return sum(place(one, set()) for one in range(len(wanted)))


def _course_score(match: str, wanted: list[str], given: list[str]) -> float:
    if match == "subset":
        return sum(name in wanted for name in given) / len(given) if given else 1.0
    if match == "any_order":
        shared = sum(min(wanted.count(name), given.count(name)) for name in set(wanted))
        return shared / len(wanted) if wanted else 1.0
    shared = LCSseq.similarity(wanted, given)
    if match == "in_order":
        return shared / len(wanted) if wanted else 1.0
    return 2 * shared / (len(wanted) + len(given)) if wanted or given else 1.0


def _schemas(scorer: Scorer, tools: Sequence[dict[str, Any]]) -> dict[str, Schema]:
    if not tools:
        raise refused(scorer, "needs the option `tools`, the tools with their schemas, for `match: schema`.")
    found = {}
    for tool in tools:
        told = tool["function"] if isinstance(tool.get("function"), dict) else tool
        name = told.get("name")
        if not isinstance(name, str) or not name:
            raise refused(scorer, f"has a tool without a name: {shown(tool)}")
        try:
            found[name] = ready_schema(told.get("parameters") or told.get("input_schema") or {"type": "object"})
        except Undecided as why:
            raise refused(scorer, f"cannot use the tool `{name}`: {why}") from None
    return found


def _by_schema(schemas: dict[str, Schema]) -> Look:
    def problem_of(call: _Given) -> str:
        if (schema := schemas.get(call.name)) is None:
            return f"there is no tool {shown(call.name)}"
        if call.problem:
            return f"the arguments of {shown(call.name)} cannot be read: {call.problem}"
        departed = schema.departure(call.arguments)
        return "" if departed is None else f"the arguments of {shown(call.name)} do not fit: {departed[1]}"

    def look(question: Question) -> Finding:
        given = _given(question.answer)
        if not given:
            return Finding(0.0, "the answer asks for no tool")
        problems = [problem for call in given if (problem := problem_of(call))]
        if not problems:
            return Finding(1.0, f"every call fits its tool: {_named([one.name for one in given])}")
        return Finding(1 - len(problems) / len(given), problems[0])

    return look


def _named(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return ", ".join(map(shown, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
