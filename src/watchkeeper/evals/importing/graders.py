"""The graders of OpenAI's API as scorers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from watchkeeper.evals.importing.imported import Notes, text_of
from watchkeeper.evals.importing.mustaches import ANSWER, NotTranslatable, only_name, translated
from watchkeeper.evals.suite import Scorer

DEPTH_MAX = 5
"""Of graders in graders."""

_CHECKS: Mapping[str, tuple[str, bool, bool]] = {
    "eq": ("equals", False, False),
    "ne": ("equals", True, False),
    "like": ("contains", False, False),
    "ilike": ("contains", False, True),
}
"""By operation: type, whether it is negated, whether case counts for nothing."""
SIMILARITIES: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "fuzzy_match": ("levenshtein", {"ignore_case": True}, "edits of letters are counted in its place"),
    "bleu": ("bleu", {}, ""),
    "gleu": ("gleu", {}, ""),
    "meteor": ("meteor", {}, "words and stems are compared, without synonyms"),
    "cosine": ("similar", {}, "an embedding that needs no provider takes the place of OpenAI's; look at the threshold"),
    "rouge_1": ("rouge", {"variant": "1"}, ""),
    "rouge_2": ("rouge", {"variant": "2"}, ""),
    "rouge_l": ("rouge", {"variant": "L"}, ""),
}
"""By metric: type, options, and what is otherwise."""
_TERM = re.compile(r"(?:(\d*\.?\d+)\s*\*\s*)?([A-Za-z_]\w*)(?:\s*\*\s*(\d*\.?\d+))?")
_GRADED = '''


def graded(answer, case):
    """Calls `grade` as OpenAI does, with the sample and the item."""
    import json

    try:
        output_json = json.loads(answer)
    except ValueError:
        output_json = None
    message = {"role": "assistant", "content": answer}
    sample = {"output_text": answer, "output_json": output_json, "output_tools": case["tool_calls"]}
    return grade({**sample, "choices": [{"message": message}]}, case["variables"])
'''


def scorers_of(grader: Any, place: str, notes: Notes, depth: int = 0) -> Iterator[Scorer]:
    """Yield the scorers that a grader comes to; what it cannot come to is noted."""
    if not isinstance(grader, dict):
        notes.left_out(place, "a grader is a mapping with a `type`")
        return
    kind = text_of(grader.get("type"))
    read = {
        "string_check": _string_check,
        "text_similarity": _text_similarity,
        "label_model": _label_model,
        "score_model": _score_model,
        "python": _python,
    }.get(kind)
    try:
        if kind == "multi" and depth < DEPTH_MAX:
            yield from _multi(grader, place, notes, depth)
        elif read is None:
            notes.left_out(place, f"a grader of the type `{kind}` has nothing like it here")
        else:
            yield structs.replace(read(grader, place, notes), name=text_of(grader.get("name")))
    except NotTranslatable as why:
        notes.left_out(place, f"{why}; add a scorer that says the same")


def _string_check(grader: Mapping[str, Any], place: str, notes: Notes) -> Scorer:
    found = _CHECKS.get(text_of(grader.get("operation")))
    if found is None:
        raise NotTranslatable(f"the operation `{text_of(grader.get('operation'))}` is none of eq, ne, like, ilike")
    kind, is_negated, ignores_case = found
    reference, asked = translated(text_of(grader.get("reference"))), only_name(grader.get("input"))
    if asked.startswith("sample.output_json."):
        path = f"$.{asked.removeprefix('sample.output_json.')}"
        if kind != "equals":
            raise NotTranslatable("a part of what stands at a path of the answer is compared")
        notes.understood(place, f"what stands at a path of the answer {_word(is_negated)} equal a value")
        return Scorer(type="json_path", value=reference, negated=is_negated, options={"path": path})
    if asked != ANSWER:
        raise NotTranslatable("`input` is something else than the answer")
    notes.understood(
        place, f"string_check: the answer {_word(is_negated)} {'equal' if kind == 'equals' else 'hold'} a text"
    )
    return Scorer(type=kind, value=reference, negated=is_negated, options={"ignore_case": True} if ignores_case else {})


def _word(is_negated: bool) -> str:
    return "must not" if is_negated else "must"


def _text_similarity(grader: Mapping[str, Any], place: str, notes: Notes) -> Scorer:
    metric = text_of(grader.get("evaluation_metric"))
    found = SIMILARITIES.get(metric)
    if found is None:
        raise NotTranslatable(f"the metric `{metric}` is not computed here")
    if only_name(grader.get("input")) != ANSWER:
        raise NotTranslatable("`input` is something else than the answer")
    kind, options, otherwise = found
    if otherwise:
        notes.changed(place, f"`{metric}`: {otherwise}")
    else:
        notes.understood(place, f"`{metric}` is the scorer `{kind}`")
    return Scorer(
        type=kind,
        value=translated(text_of(grader.get("reference"))),
        threshold=_number(grader.get("pass_threshold")),
        options=options,
    )


def _label_model(grader: Mapping[str, Any], place: str, notes: Notes) -> Scorer:
    said, labels, passing = _said(grader), _texts(grader.get("labels")), _texts(grader.get("passing_labels"))
    notes.changed(place, "label_model is a rubric: the judge says whether the label would be one of those that pass")
    criterion = f"{said}\n\nOf the labels {', '.join(labels)}, the criterion is met where {' or '.join(passing)} fits."
    return Scorer(type="rubric", value=criterion, judge=text_of(grader.get("model")))


def _score_model(grader: Mapping[str, Any], place: str, notes: Notes) -> Scorer:
    criterion, given = _said(grader), grader.get("range")
    low, high = given if isinstance(given, list) and len(given) == 2 else (0.0, 1.0)
    threshold = _number(grader.get("pass_threshold"))
    if threshold is not None and isinstance(low, int | float) and isinstance(high, int | float) and low < high:
        threshold = min(1.0, max(0.0, (threshold - low) / (high - low)))
    notes.changed(
        place, f"score_model is a graded judge (g_eval): its range of {low} to {high} is put on one from 0 to 1"
    )
    if grader.get("sampling_params"):
        notes.left_out(f"{place}.sampling_params", "how a judge samples is said by its release")
    return Scorer(type="g_eval", value=criterion, threshold=threshold, judge=text_of(grader.get("model")))


def _python(grader: Mapping[str, Any], place: str, notes: Notes) -> Scorer:
    source = text_of(grader.get("source"))
    if not source:
        raise NotTranslatable("it has no `source`")
    notes.changed(
        place, "the Python grader runs here, without the packages that OpenAI has beside it; its text is kept"
    )
    return Scorer(
        type="python",
        value="grader.py:graded",
        threshold=_number(grader.get("pass_threshold")),
        options={"source": source + _GRADED},
    )


def _multi(grader: Mapping[str, Any], place: str, notes: Notes, depth: int) -> Iterator[Scorer]:
    given = grader.get("graders")
    inner: dict[str, Any] = given if isinstance(given, dict) else {}
    weights = _weights(text_of(grader.get("calculate_output")), inner)
    if weights is None:
        notes.left_out(f"{place}.calculate_output", "a formula that is no weighted sum; every grader counts the same")
    else:
        notes.changed(
            place, "a weighted sum counts as weights in the score of a case; give cases a threshold to decide by it"
        )
    for name, one in inner.items():
        for scorer in scorers_of(one, f"{place}.graders.{name}", notes, depth + 1):
            yield structs.replace(
                scorer, name=scorer.name or name, weight=scorer.weight * (1.0 if weights is None else weights[name])
            )


def _weights(formula: str, graders: Mapping[str, Any]) -> dict[str, float] | None:
    found = dict.fromkeys(graders, 0.0)
    for term in formula.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is None or match[2] not in found:
            return None
        found[match[2]] += float(match[1] or 1) * float(match[3] or 1)
    return found


def _said(grader: Mapping[str, Any]) -> str:
    """What a judge was told, as one text."""
    given = grader.get("input")
    parts = []
    for message in given if isinstance(given, list) else [given]:
        said = message.get("content") if isinstance(message, dict) else message
        said = said.get("text") if isinstance(said, dict) else said
        if isinstance(said, str):
            parts.append(translated(said))
    if not parts:
        raise NotTranslatable("what the judge is told is not text")
    return "\n\n".join(parts)


def _texts(given: Any) -> list[str]:
    return [text_of(one) for one in given] if isinstance(given, list) else []


def _number(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
