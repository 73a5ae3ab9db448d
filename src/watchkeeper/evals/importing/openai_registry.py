"""OpenAI's open-source evals: a registry's YAML, its samples, and its model-graded specifications.

What its classes do is told in its docs/eval-templates.md.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.evals.importing.imported import Imported, ImportRefused, Notes, imported, text_of
from watchkeeper.evals.importing.rows import content, rows
from watchkeeper.evals.suite import Case, Scorer

IDEAL = frozenset({"ideal"})
_MODEL_GRADED = "ModelBasedClassify"
_KNOWN_ARGS = frozenset({"samples_jsonl", "ignore_case", "modelgraded_spec", "eval_type", "max_tokens"})
_PLACES = {"completion": "(the answer)", "input": "(what was asked)", "ideal": "{{ reference }}"}


def read_registry(path: Path, feature: str, name: str) -> Imported:
    """Read the eval of a registry file; of several, the one that the suite is called like, else the first.

    Raises:
        ImportRefused: it has none, or its samples are not there.
    """
    data, notes = content(path), Notes()
    if not isinstance(data, dict):
        raise ImportRefused(f"Nothing was imported: {path.name} is no mapping of evals.")
    found = {key: value for key, value in data.items() if isinstance(value, dict) and "class" in value}
    chosen = next((key for key in found if key == name or key.startswith(f"{name}.")), next(iter(found), ""))
    if not chosen:
        raise ImportRefused(f"Nothing was imported: {path.name} has no eval with a `class`.")
    for other in found:
        if other != chosen:
            notes.left_out(f"{path.name}: {other}", "one file is one suite; import it again with this eval's name")
    spec = found[chosen]
    given = spec.get("args")
    args: dict[str, Any] = given if isinstance(given, dict) else {}
    place = f"{path.name}: {chosen}"
    for key in sorted(set(args) - _KNOWN_ARGS):
        notes.left_out(f"{place}.args.{key}", f"the argument `{key}` has nothing like it here")
    samples = _samples(path, args.get("samples_jsonl"))
    scorers = list(_scorers(str(spec["class"]).rpartition(":")[2], args, path, place, notes))
    cases = list(_cases(samples, notes, is_json=any(scorer.type == "equals" for scorer in scorers)))
    about = data.get(chosen.split(".")[0])
    description = text_of(about.get("description")) if isinstance(about, dict) else ""
    return imported(feature, name, cases, scorers, notes, description=description)


def read_samples(path: Path, feature: str, name: str) -> Imported:
    """Read samples without a registry; they are held to what most evals do, Match."""
    notes = Notes()
    notes.changed(path.name, "no registry says how samples are marked; answers must start with an ideal one (Match)")
    return imported(feature, name, _cases(path, notes), [Scorer(type="starts_with")], notes)


def _samples(path: Path, given: Any) -> Path:
    if not isinstance(given, str) or not given:
        raise ImportRefused(f"Nothing was imported: {path.name} names no `samples_jsonl`.")
    around = [path.parent, *path.resolve().parents[:3]]
    tried = [folder / inner for folder in around for inner in (given, f"data/{given}")]
    found = next((file for file in tried if file.is_file()), None)
    if found is None:
        raise ImportRefused(
            f"Nothing was imported: the samples `{given}` of {path.name} are not there. Put them beside it, or into "
            "`../data/`, as in a registry."
        )
    return found


def _cases(path: Path, notes: Notes, *, is_json: bool = False) -> Iterator[Case]:
    for place, row in rows(path):
        messages, variables = _asked(row.get("input"))
        if not messages and not variables:
            notes.left_out(place, "the sample has no `input`, so there is nothing to ask")
            continue
        reference = row.get("ideal")
        if is_json:
            reference = _json_reference(reference, place, notes)
        extra = {key: value for key, value in row.items() if key not in ("input", "ideal", "id", "choice")}
        if "choice" in row:
            notes.left_out(place, "`choice`, the label of a meta-eval, is for calibrating a judge")
        yield Case(id=text_of(row.get("id")), messages=messages, variables={**extra, **variables}, reference=reference)


def _asked(given: Any) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """A conversation stays one; a text is a variable, which a model is asked as a message."""
    if isinstance(given, list):
        return tuple(message for message in given if isinstance(message, dict)), {}
    return (), {"input": given} if given else {}


def _json_reference(ideal: Any, place: str, notes: Notes) -> Any:
    if isinstance(ideal, list):
        if len(ideal) > 1:
            notes.changed(place, "any of several ideal answers was right; the first is what is compared with")
        ideal = ideal[0] if ideal else None
    if not isinstance(ideal, str):
        return ideal
    try:
        return msgspec.json.decode(ideal)
    except (msgspec.DecodeError, RecursionError):
        notes.changed(place, "the ideal answer is not JSON; the answer must be the same text")
        return ideal


def _scorers(kind: str, args: Mapping[str, Any], path: Path, place: str, notes: Notes) -> Iterator[Scorer]:
    match kind:
        case "Match":
            notes.understood(place, "Match: the answer starts with an ideal one")
            yield Scorer(type="starts_with")
        case "Includes":
            notes.understood(place, "Includes: the answer holds an ideal one")
            yield Scorer(type="contains_any", options={"ignore_case": True} if args.get("ignore_case") else {})
        case "FuzzyMatch":
            notes.changed(
                place,
                "FuzzyMatch held without case, articles and marks, and in both directions; the answer must hold an "
                "ideal one, in any case",
            )
            yield Scorer(type="contains_any", options={"ignore_case": True})
        case "JsonMatch":
            notes.understood(place, "JsonMatch: the answer is the same JSON as the ideal one")
            yield Scorer(type="equals")
        case _ if kind == _MODEL_GRADED:
            yield from _graded(args, path, place, notes)
        case _:
            notes.left_out(f"{place}.class", f"`{kind}` has nothing like it here; add scorers to the suite")


def _graded(args: Mapping[str, Any], path: Path, place: str, notes: Notes) -> Iterator[Scorer]:
    wanted = text_of(args.get("modelgraded_spec"))
    known = {"fact": "factuality", "closedqa": "closed_qa", "battle": "pairwise"}.get(wanted)
    if known == "closed_qa":
        notes.changed(place, "`closedqa` is asked of the judge `closed_qa`, by the sample's `criteria`")
        yield Scorer(type="closed_qa", value="{{ criteria }}")
        return
    if known is not None:
        notes.changed(place, f"`{wanted}` is asked of the judge `{known}`, in other words than its own")
        yield Scorer(type=known)
        return
    spec = _specification(path, wanted)
    prompt = spec.get("prompt")
    if not isinstance(prompt, str):
        notes.left_out(f"{place}.args.modelgraded_spec", f"the specification `{wanted}` is not there, or has no prompt")
        return
    choices = ", ".join(f"`{choice}`" for choice in _choices(spec))
    notes.changed(
        place,
        f"the prompt of `{wanted}` is a rubric's criterion; the judge says met or not instead of {choices or '?'}",
    )
    yield Scorer(type="rubric", name=wanted, value=f"{_criterion(prompt)}{_graded_as(spec)}")


def _specification(path: Path, wanted: str) -> dict[str, Any]:
    """Of the registry around the file; the file holds it under its name, or alone."""
    for folder in (path.parent, *path.resolve().parents[:3]):
        for inner in (f"modelgraded/{wanted}.yaml", f"{wanted}.yaml"):
            file = folder / inner
            if re.fullmatch(r"[\w.-]+", wanted) and file.is_file() and file.resolve() != path.resolve():
                data = content(file)
                found = data.get(wanted, data) if isinstance(data, dict) else {}
                return found if isinstance(found, dict) else {}
    return {}


def _choices(spec: Mapping[str, Any]) -> list[str]:
    given = spec.get("choice_strings")
    return [text_of(choice) for choice in given] if isinstance(given, (list, str)) else []


def _graded_as(spec: Mapping[str, Any]) -> str:
    scores = spec.get("choice_scores")
    if not isinstance(scores, dict):
        return ""
    numbers = {text_of(choice): score for choice, score in scores.items() if isinstance(score, int | float)}
    best = [choice for choice, score in numbers.items() if score == max(numbers.values())]
    return f"\n\nThe criterion is met where the choice would be {' or '.join(best)}." if best else ""


def _criterion(prompt: str) -> str:
    """Its placeholders stand in single braces; braces that are meant as such are doubled."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        return _PLACES.get(found[1], f"{{{{ {found[1]} }}}}")

    return re.sub(r"\{\{|\}\}|\{(\w+)\}", replaced, prompt)
