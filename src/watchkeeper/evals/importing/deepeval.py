"""DeepEval's goldens, test cases and test runs, in JSON, lines of JSON or CSV."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.evals.importing.imported import Imported, Notes, imported, text_of
from watchkeeper.evals.importing.mustaches import literal
from watchkeeper.evals.importing.rows import Row, rows
from watchkeeper.evals.suite import Case, Scorer

MARKS = frozenset(
    {
        "actual_output",
        "expected_output",
        "retrieval_context",
        "expected_tools",
        "tools_called",
        "context",
        "actualOutput",
        "expectedOutput",
        "retrievalContext",
        "metricsData",
    }
)
"""Keys by which a row is known as DeepEval's."""

_LISTS = ("context", "retrieval_context")
_TAKEN = frozenset(
    {
        "input",
        "actual_output",
        "expected_output",
        "context",
        "retrieval_context",
        "expected_tools",
        "name",
        "tags",
        "metrics_data",
    }
)
_OF_A_RUN = frozenset(
    {"success", "run_duration", "evaluation_cost", "order", "completion_time", "token_cost", "trace", "tools_called"}
)
"""What came of an earlier run, and is no part of a case."""
METRICS: Mapping[str, tuple[str, str]] = {
    "answer relevancy": ("answer_relevance", ""),
    "faithfulness": ("faithfulness", "an answer without statements is unmeasured instead of perfect"),
    "contextual precision": ("context_precision", ""),
    "contextual recall": ("context_recall", ""),
    "contextual relevancy": ("context_relevance", ""),
    "hallucination": ("faithfulness", "less was better, and more is now: the share of statements that are supported"),
    "toxicity": ("toxicity", "less was better, and more is now"),
    "tool correctness": ("tool_calls", ""),
    "json correctness": ("json", "the schema is not in the file; without one any JSON passes"),
    "exact match": ("equals", ""),
    "summarization": ("faithfulness", "only what the summary says is checked, not what it leaves out"),
}
"""By the name that a test run writes: our type, and what it then means otherwise."""
_JUDGES_THRESHOLD_TURNED = frozenset({"hallucination", "toxicity"})


def read(path: Path, feature: str, name: str) -> Imported:
    """Read a file as a suite; an `actual_output` is the case's answer, and is not asked anew."""
    notes, scorers = Notes(), dict[str, Scorer]()
    cases = list(_cases(rows(path), notes, scorers))
    if not scorers:
        notes.left_out(path.name, "a data set does not say how answers are marked; add scorers to the suite")
    return imported(feature, name, cases, scorers.values(), notes)


def _cases(given: Iterator[Row], notes: Notes, scorers: dict[str, Scorer]) -> Iterator[Case]:
    for place, written in given:
        row = {_snake(key): value for key, value in written.items() if value not in (None, "")}
        if "input" not in row:
            what = "a conversation" if row.keys() & {"turns", "scenario"} else "without an `input`"
            notes.left_out(place, f"{what}, which is not a case here")
            continue
        contexts = _texts(row, "retrieval_context", place, notes) or _texts(row, "context", place, notes)
        if "retrieval_context" in row and "context" in row:
            notes.left_out(
                place, "`context`, the ideal documents, beside `retrieval_context`, which the answer is held to"
            )
        expected = _decoded(row.get("expected_tools"))
        metrics = _decoded(row.get("metrics_data"))
        for metric in metrics if isinstance(metrics, list) else [metrics] if metrics else []:
            _add_metric(metric, place, notes, scorers)
        for key in sorted(row.keys() & _OF_A_RUN):
            notes.left_out(place, f"`{key}`, which is of an earlier run")
        further = {key: _decoded(row[key]) for key in row.keys() - _TAKEN - _OF_A_RUN}
        for key in sorted(further):
            notes.changed(place, f"`{key}` is a variable of the case")
        answer = row.get("actual_output")
        yield Case(
            id=text_of(row.get("name")),
            variables={"input": row["input"], **further},
            reference=row.get("expected_output"),
            contexts=contexts,
            tags=tuple(_tags(row.get("tags"))),
            answer=None if answer is None else text_of(answer),
            scorers=_tool_scorers(expected, row, place, notes),
        )


def _tool_scorers(expected: Any, row: Mapping[str, Any], place: str, notes: Notes) -> tuple[Scorer, ...]:
    """Expected tools are held against the answer's, unless a text that is there already has none to show."""
    if not expected:
        return ()
    if "actual_output" in row:
        notes.left_out(place, "`expected_tools`: an answer that is there already is text, and asks for no tools")
        return ()
    notes.understood(place, "`expected_tools` are held against the tools that the answer asks for")
    return (Scorer(type="tool_calls", value=literal(_tools(expected))),)


def _tools(expected: Any) -> Any:
    found = []
    for tool in expected if isinstance(expected, list) else [expected]:
        if isinstance(tool, dict):
            arguments = tool.get("input_parameters", tool.get("inputParameters"))
            found.append({"name": text_of(tool.get("name"))} | ({"arguments": arguments} if arguments else {}))
        else:
            found.append({"name": text_of(tool)})
    return found


def _add_metric(metric: Any, place: str, notes: Notes, scorers: dict[str, Scorer]) -> None:
    if not isinstance(metric, dict):
        notes.left_out(place, "a metric that is no mapping")
        return
    title = text_of(metric.get("name"))
    plain = re.sub(r"\s*(\[.*\]|\(.*\))\s*$", "", title).strip().lower()
    found = METRICS.get(plain)
    if found is None:
        notes.left_out(place, f"the metric `{title}`: its criterion is not in the file; add a `rubric` or `g_eval`")
        return
    kind, otherwise = found
    threshold = metric.get("threshold")
    number = float(threshold) if isinstance(threshold, int | float) else None
    if number is not None and plain in _JUDGES_THRESHOLD_TURNED:
        number = 1 - number
    notes.changed(place, f"the metric `{title}` is the scorer `{kind}`{f': {otherwise}' if otherwise else ''}")
    scorers.setdefault(title, Scorer(type=kind, name=title if title != kind else "", threshold=number))


def _texts(row: Mapping[str, Any], key: str, place: str, notes: Notes) -> tuple[str, ...]:
    """A list; in a table, JSON, or texts with `|` between them as DeepEval writes, or `;` as it reads."""
    given = _decoded(row.get(key))
    if isinstance(given, list):
        return tuple(text_of(one) for one in given)
    text = text_of(given)
    if not text:
        return ()
    sign = next((sign for sign in "|;" if sign in text), "")
    if not sign:
        return (text,)
    notes.changed(place, f"`{key}` was parted at each `{sign}`")
    return tuple(part.strip() for part in text.split(sign) if part.strip())


def _tags(given: Any) -> list[str]:
    found = _decoded(given)
    return [text_of(one) for one in found] if isinstance(found, list) else text_of(found).replace(",", " ").split()


def _decoded(given: Any) -> Any:
    """Read what stands as JSON in the cell of a table; other texts stay as they are."""
    if not isinstance(given, str) or given[:1] not in "[{":
        return given
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        return given


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"_{found[1].lower()}", key)
