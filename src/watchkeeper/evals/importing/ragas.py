"""Ragas' data sets: samples of one turn and of several, in lines of JSON, JSON or CSV; older names of columns, too."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.evals.importing.imported import Imported, Notes, imported, text_of
from watchkeeper.evals.importing.mustaches import literal
from watchkeeper.evals.importing.rows import Row, rows
from watchkeeper.evals.suite import Case, Scorer

MARKS = frozenset({"answer", "contexts", "ground_truth", "ground_truths"})
"""Columns that make a table with `question` one of Ragas'."""

_OLD_NAMES = {
    "question": "user_input",
    "answer": "response",
    "contexts": "retrieved_contexts",
    "ground_truth": "reference",
    "ground_truths": "reference",
}
_TAKEN = frozenset(
    {"user_input", "response", "reference", "retrieved_contexts", "id", "reference_tool_calls", "rubrics"}
)
METRICS: Mapping[str, tuple[str, str]] = {
    "faithfulness": ("faithfulness", "an answer without statements is unmeasured"),
    "answer_relevancy": ("answer_relevance", ""),
    "response_relevancy": ("answer_relevance", ""),
    "context_precision": ("context_precision", ""),
    "llm_context_precision_with_reference": ("context_precision", ""),
    "context_recall": ("context_recall", ""),
    "context_relevancy": ("context_relevance", ""),
    "nv_context_relevance": ("context_relevance", ""),
    "factual_correctness": ("factuality", "one class is chosen instead of counting statements"),
    "answer_correctness": ("factuality", "facts alone are judged, without the similarity of words"),
    "semantic_similarity": ("similar", "an embedding that needs no provider is used"),
    "answer_similarity": ("similar", "an embedding that needs no provider is used"),
    "bleu_score": ("bleu", ""),
    "rouge_score": ("rouge", ""),
    "exact_match": ("equals", ""),
    "string_present": ("contains", ""),
    "tool_call_accuracy": ("tool_calls", ""),
}
"""By the name of a column that an evaluation writes: our type, and what it then means otherwise."""
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "tool": "tool",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


def read(path: Path, feature: str, name: str) -> Imported:
    """Read a file as a suite; a `response` is the case's answer, and is not asked anew."""
    notes, scorers = Notes(), dict[str, Scorer]()
    cases = list(_cases(rows(path), notes, scorers))
    if not scorers and not any(case.scorers for case in cases):
        notes.left_out(path.name, "a data set does not say how answers are marked; add scorers to the suite")
    return imported(feature, name, cases, scorers.values(), notes)


def _cases(given: Iterator[Row], notes: Notes, scorers: dict[str, Scorer]) -> Iterator[Case]:
    for place, written in given:
        row = {_OLD_NAMES.get(key, key): _decoded(value) for key, value in written.items() if value not in (None, "")}
        asked = row.get("user_input")
        if not asked:
            notes.left_out(place, "the sample has no `user_input`, so there is nothing to ask")
            continue
        for key in sorted(row.keys() - _TAKEN):
            _add_metric(key, row[key], place, notes, scorers)
        measured = {key for key in row if _metric_of(key, row[key])}
        further = {key: row[key] for key in row.keys() - _TAKEN - measured}
        reference = row.get("reference")
        if isinstance(reference, list) and len(reference) == 1:
            reference = reference[0]
        messages, answer = _turns(asked, place, notes) if isinstance(asked, list) else ((), row.get("response"))
        yield Case(
            id=text_of(row.get("id")),
            variables=further if messages else {"input": asked, **further},
            messages=messages,
            reference=reference,
            contexts=tuple(_texts(row.get("retrieved_contexts"))),
            answer=None if answer is None else text_of(answer),
            scorers=tuple(_own_scorers(row, place, notes)),
        )


def _turns(given: list[Any], place: str, notes: Notes) -> tuple[tuple[dict[str, Any], ...], str | None]:
    """The conversation up to what the model said last, and that as the answer."""
    messages = []
    for message in given:
        if not isinstance(message, dict):
            notes.left_out(place, "a message that is no mapping")
            continue
        role = _ROLES.get(text_of(message.get("type") or message.get("role")), "")
        if not role:
            notes.left_out(
                place, f"a message of `{text_of(message.get('type') or message.get('role'))}`, which nobody is"
            )
            continue
        if message.get("tool_calls"):
            notes.changed(place, "tools that the model asked for in a conversation are told as text")
        said = text_of(message.get("content"))
        calls = f"\n{text_of(message['tool_calls'])}" if message.get("tool_calls") else ""
        if role == "tool":
            notes.changed(place, "what a tool answered in a conversation is told by the user")
            role = "user"
        messages.append({"role": role, "content": f"{said}{calls}".strip()})
    if messages and messages[-1]["role"] == "assistant":
        notes.changed(place, "what the model said last is the answer; what was before it is the conversation")
        return tuple(messages[:-1]), messages[-1]["content"]
    return tuple(messages), None


def _own_scorers(row: Mapping[str, Any], place: str, notes: Notes) -> Iterator[Scorer]:
    rubrics, tools = row.get("rubrics"), row.get("reference_tool_calls")
    if isinstance(rubrics, dict) and rubrics:
        notes.changed(place, "`rubrics` are the criterion of a graded judge (g_eval)")
        described = "\n".join(f"{key}: {text_of(value)}" for key, value in rubrics.items())
        yield Scorer(type="g_eval", name="rubrics", value=literal(described))
    if isinstance(tools, list) and tools:
        if "response" in row or isinstance(row.get("user_input"), list):
            notes.left_out(
                place, "`reference_tool_calls`: an answer that is there already is text, and asks for no tools"
            )
            return
        notes.understood(place, "`reference_tool_calls` are held against the tools that the answer asks for")
        yield Scorer(
            type="tool_calls",
            value=literal(
                [
                    {"name": text_of(tool.get("name")), "arguments": tool.get("args", {})}
                    for tool in tools
                    if isinstance(tool, dict)
                ]
            ),
        )


def _metric_of(key: str, value: Any) -> str:
    """A column of an evaluation, such as `rouge_score(mode=fmeasure)`, whose cells are numbers."""
    plain = key.partition("(")[0].strip()
    return plain if plain in METRICS and _is_number(value) else ""


def _add_metric(key: str, value: Any, place: str, notes: Notes, scorers: dict[str, Scorer]) -> None:
    plain = _metric_of(key, value)
    if not plain:
        notes.changed(place, f"`{key}` is a variable of the case")
        return
    kind, otherwise = METRICS[plain]
    notes.changed(place, f"the metric `{key}` is the scorer `{kind}`{f': {otherwise}' if otherwise else ''}")
    notes.left_out(place, f"marks of `{key}`, which are of an earlier run")
    scorers.setdefault(key, Scorer(type=kind, name=plain if plain != kind else ""))


def _is_number(value: Any) -> bool:
    try:
        return value is not None and not isinstance(value, list | dict) and float(value) == float(value)
    except ValueError:
        return False


def _texts(given: Any) -> list[str]:
    return [text_of(one) for one in given] if isinstance(given, list) else [text_of(given)] if given else []


def _decoded(given: Any) -> Any:
    """Read what stands in the cell of a table as JSON, or as Python writes lists; other texts stay as they are."""
    if not isinstance(given, str) or given[:1] not in "[{":
        return given
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        pass  # pandas writes lists with single quotes
    try:
        return ast.literal_eval(given)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return given
