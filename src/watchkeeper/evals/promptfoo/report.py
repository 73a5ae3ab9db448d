"""What of a configuration can be run here, said before anything is asked: by case, with place and reason."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from watchkeeper.evals.promptfoo.assertion_words import SPECIAL_TYPES
from watchkeeper.evals.promptfoo.assertions.table import types
from watchkeeper.evals.promptfoo.grading import problem_of
from watchkeeper.evals.promptfoo.keys import Remark
from watchkeeper.evals.promptfoo.plan import Plan, Row
from watchkeeper.evals.promptfoo.prompts import REMOTE
from watchkeeper.evals.promptfoo.providers import Target
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, split_function

Way = Literal["native", "javascript", "credentials", "unsupported"]
"""native: here, as it is. javascript: here, in the sandbox. credentials: with a model that must be named first.
unsupported: its result will be an error that says why."""
WAYS: tuple[Way, ...] = ("unsupported", "credentials", "javascript", "native")
"""The first that holds of anything in a case holds of the case."""

PLACES_MAX = 20
"""Places that are kept for one reason; all of them are counted."""

MODEL_GRADED = frozenset(
    {
        "agent-rubric",
        "answer-relevance",
        "context-faithfulness",
        "context-recall",
        "context-relevance",
        "conversation-relevance",
        "factuality",
        "g-eval",
        "llm-rubric",
        "model-graded-closedqa",
        "model-graded-factuality",
        "select-best",
        "trajectory:goal-success",
    }
)
UNSUPPORTED_TYPES = {
    "agent-rubric": "an agent that grades is not run here; `llm-rubric` is near to it",
    "classifier": "it needs a classifier of Hugging Face",
    "moderation": "it needs OpenAI's moderation API",
    "pi": "it needs the Pi service",
    "ruby": "Ruby is not run here",
    "search-rubric": "it needs a model that searches the web",
    "webhook": "it calls a server; allow that with --allow-network",
}


@dataclass(slots=True)
class Finding:
    """One reason that holds for some cases."""

    way: Way
    reason: str
    cases: int = 0
    places: list[str] = field(default_factory=list[str])
    """The first PLACES_MAX."""


@dataclass(slots=True)
class Report:
    """What can be run. Cases are cells of the table: one test under one column, once."""

    cases: int = 0
    tests: int = 0
    columns: int = 0
    ways: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    findings: list[Finding] = field(default_factory=list[Finding])
    remarks: list[Remark] = field(default_factory=list[Remark])
    is_serial: bool = False
    """One case after another, since later ones look at the answers of earlier ones."""
    types: dict[str, int] = field(default_factory=dict[str, int])
    """How often each type of assertion is used."""
    calls: int = 0
    """Calls to the gateway that a run makes, graders not counted."""

    def __str__(self) -> str:
        lines = [
            (
                f"{self.cases:,} cases: {self.tests:,} tests under {self.columns} columns"
                f"{', one after another' if self.is_serial else ''}; {self.calls:,} calls, graders not counted"
            ),
            (
                f"  {self.ways['native']:,} run as they are, {self.ways['javascript']:,} with JavaScript in a sandbox,"
                f" {self.ways['credentials']:,} need a model, {self.ways['unsupported']:,} are not supported"
            ),
        ]
        for finding in self.findings:
            where = ", ".join(finding.places[:3]) + (", ..." if finding.cases > 3 and len(finding.places) > 3 else "")
            lines.append(f"  {finding.way}: {finding.reason} ({finding.cases:,} cases; {where})")
        return "\n".join([*lines, *(f"  {remark}" for remark in self.remarks)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which a run would go."""

    target: Callable[[Row], Target]
    """What a row's provider is here."""
    is_known: Callable[[Target], bool]
    """Whether the gateway has one of a target's models."""
    grades: Callable[[Any], bool]
    """Whether the gateway has the provider that an assertion or test names for grading; None for the default."""
    allow_network: bool = False


def make_report(plan: Plan, remarks: list[Remark], terms: Terms) -> Report:
    """Go through every row once and say what will come of it."""
    report = Report(columns=len(plan.columns), remarks=remarks)
    found: dict[tuple[Way, str], Finding] = {}
    report.is_serial = any("_conversation" in column.prompt.raw for column in plan.columns)
    test = -1
    for row in plan.rows():
        report.cases += 1
        if row.test_index != test:
            test = row.test_index
            report.tests += 1
        report.is_serial = report.is_serial or bool(row.test.options.get("storeOutputAs"))
        target = terms.target(row)
        report.calls += target.kind == "gateway" and row.test.provider_output is None
        reasons = list(_reasons(row, plan, target, terms, report.types))
        report.ways[min((way for way, _ in reasons), key=WAYS.index, default="native")] += 1
        for way, reason in dict.fromkeys(reasons):
            finding = found.setdefault((way, reason), Finding(way, reason))
            finding.cases += 1
            where = row.test.place or plan.config.path.name
            if len(finding.places) < PLACES_MAX and where not in finding.places:
                finding.places.append(where)
    report.findings = sorted(found.values(), key=lambda finding: (WAYS.index(finding.way), -finding.cases))
    return report


def _reasons(row: Row, plan: Plan, target: Target, terms: Terms, used: dict[str, int]) -> Iterator[tuple[Way, str]]:
    if row.error:
        yield "unsupported", row.error
    if plan.config.extensions:
        yield (
            "unsupported",
            f"extensions are not run ({', '.join(plan.config.extensions)}); --ignore-extensions leaves them out",
        )
    if row.column.prompt.raw.startswith(REMOTE):
        yield (
            "unsupported",
            f"the prompt is kept by {row.column.prompt.raw.partition(':')[0]}; put its text into the file",
        )
    name = row.column.provider.title
    if row.test.provider_output is None:
        if target.kind == "unsupported":
            yield "unsupported", f"provider {name}: {target.note}"
        elif target.kind == "gateway" and not terms.is_known(target):
            yield "credentials", f"provider {name}: the gateway has none of the models {', '.join(target.models)}"
    for code in _code(row):
        if _is_javascript(code):
            yield "javascript", "transforms and functions in JavaScript"
    known = types(plan.config.compat)
    for assertion in _each(row.test.assertions):
        kind = str(assertion.get("type", ""))
        used[kind] = used.get(kind, 0) + 1
        if problem := problem_of(assertion):
            yield "unsupported", problem
        elif kind.removeprefix("not-") not in known and kind not in SPECIAL_TYPES:
            yield "unsupported", f"assertion `{kind}`: there is no such type"
        elif not (terms.allow_network and kind.endswith("webhook")):
            grader = assertion.get("provider") or row.test.options.get("provider")
            yield from _of_assertion(assertion, is_graded=terms.grades(grader))


def _of_assertion(assertion: Mapping[str, Any], *, is_graded: bool) -> Iterator[tuple[Way, str]]:
    kind = str(assertion.get("type", ""))
    plain = kind.removeprefix("not-")
    if plain in UNSUPPORTED_TYPES:
        yield "unsupported", f"assertion `{kind}`: {UNSUPPORTED_TYPES[plain]}"
    elif plain in MODEL_GRADED and not is_graded:
        yield "credentials", f"assertion `{kind}` is graded by a model that the gateway lacks; name one with --grader"
    elif plain == "javascript" or any(_is_javascript(assertion.get(key)) for key in ("transform", "contextTransform")):
        yield "javascript", "assertions in JavaScript"


def _each(assertions: Any) -> Iterator[Mapping[str, Any]]:
    for assertion in assertions if isinstance(assertions, list | tuple) else ():
        if isinstance(assertion, Mapping):
            yield assertion
            yield from _each(assertion.get("assert"))


def _code(row: Row) -> Iterator[Any]:
    yield row.column.provider.transform
    yield row.test.scoring
    yield from (row.test.options.get(key) for key in ("transform", "postprocess", "transformVars"))
    yield row.column.prompt.function and f"file://{row.column.prompt.function}"


def _is_javascript(code: Any) -> bool:
    if not isinstance(code, str) or not code:
        return False
    if code.startswith("file://"):
        return split_function(code.removeprefix("file://"))[0].rstrip(":").endswith(JAVASCRIPT_FILES)
    return True
