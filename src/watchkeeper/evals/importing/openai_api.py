"""Evals of OpenAI's API: a definition with its graders and items, and the items that a run wrote.

The graders are those of developers.openai.com/api/docs/guides/graders.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from watchkeeper.evals.importing.graders import scorers_of
from watchkeeper.evals.importing.imported import Imported, ImportRefused, Notes, imported, text_of
from watchkeeper.evals.importing.mustaches import filled
from watchkeeper.evals.importing.rows import Row, content, rows
from watchkeeper.evals.suite import Case, Scorer

_KNOWN_KEYS = frozenset(
    {"id", "object", "name", "created_at", "metadata", "data_source_config", "data_source", "testing_criteria", "items"}
)


def read_definition(path: Path, feature: str, name: str) -> Imported:
    """Read an eval, as the API returns it, with items in `data_source` (of a run), in `items`, or beside it.

    Raises:
        ImportRefused: there are no items.
    """
    data, notes = content(path), Notes()
    for key in sorted(set(data) - _KNOWN_KEYS):
        notes.left_out(f"{path.name}: {key}", f"`{key}` has nothing like it here")
    found = data.get("data_source")
    source: dict[str, Any] = found if isinstance(found, dict) else {}
    given = data.get("testing_criteria")
    criteria: list[Any] = given if isinstance(given, list) else []
    scorers: list[Scorer] = []
    for index, grader in enumerate(criteria):
        scorers += scorers_of(grader, f"{path.name}: testing_criteria[{index}]", notes)
    cases = _cases(_items(path, data, source), source, notes, path.name)
    return imported(feature, name, cases, scorers, notes, description=text_of(data.get("name")))


def read_output_items(path: Path, feature: str, name: str) -> Imported:
    """Read what a run wrote, an item and the model's answer on each line; nothing is asked anew."""
    notes = Notes()
    notes.left_out(path.name, "results of the run's graders are not kept; import the eval's definition for its graders")
    return imported(feature, name, _answered(path, notes), [], notes)


def _items(path: Path, data: Mapping[str, Any], source: Mapping[str, Any]) -> Iterator[Row]:
    inner = source.get("source")
    given = data.get("items") or (inner.get("content") if isinstance(inner, dict) else None)
    beside = (path.with_suffix(".jsonl"), path.with_name(f"{path.stem}.items.jsonl"))
    if isinstance(given, list):
        for index, row in enumerate(given):
            yield f"{path.name}: items[{index}]", row if isinstance(row, dict) else {}
        return
    file = next((one for one in beside if one.is_file()), None)
    if file is None:
        raise ImportRefused(
            f"Nothing was imported: {path.name} holds no items, and there is no {beside[0].name} beside it. Save the "
            'items there, one on each line: {"item": {...}}.'
        )
    yield from rows(file)


def _cases(items: Iterator[Row], source: Mapping[str, Any], notes: Notes, name: str) -> Iterator[Case]:
    asked = source.get("input_messages")
    template = asked.get("template") if isinstance(asked, dict) else None
    if isinstance(asked, dict) and template is None:
        notes.left_out(f"{name}: data_source.input_messages", "messages that another item names are not looked up")
    for key in ("model", "sampling_params"):
        if source.get(key):
            notes.left_out(f"{name}: data_source.{key}", f"`{key}` is chosen when the suite is run, not in the suite")
    for place, row in items:
        found = row.get("item", row)
        item: dict[str, Any] = found if isinstance(found, dict) else {"input": found}
        yield Case(
            id=text_of(item.get("id")),
            variables=item,
            messages=tuple(_messages(template, item, place, notes)),
            reference=item.get("reference"),
            answer=_answer(row.get("sample")),
        )


def _messages(template: Any, item: Mapping[str, Any], place: str, notes: Notes) -> Iterator[dict[str, Any]]:
    for message in template if isinstance(template, list) else ():
        if not isinstance(message, dict):
            notes.left_out(place, "a message of the template is no mapping")
            continue
        said = message.get("content")
        if isinstance(said, dict) and isinstance(said.get("text"), str):
            said = said["text"]
        if not isinstance(said, str):
            notes.left_out(place, "a message that is not text (a picture, sound) is not asked")
            continue
        role = text_of(message.get("role")) or "user"
        yield {"role": "system" if role == "developer" else role, "content": filled(said, item)}


def _answered(path: Path, notes: Notes) -> Iterator[Case]:
    for place, row in rows(path):
        found = row.get("datasource_item", row.get("item"))
        item: dict[str, Any] = found if isinstance(found, dict) else {"input": found}
        answer = _answer(row.get("sample"))
        if answer is None:
            notes.changed(place, "the item has no answer, so it will be asked")
        yield Case(id=text_of(row.get("id")), variables=item, reference=item.get("reference"), answer=answer)


def _answer(sample: Any) -> str | None:
    if not isinstance(sample, dict):
        return None
    if isinstance(sample.get("output_text"), str):
        return str(sample["output_text"])
    output = sample.get("output")
    for message in reversed(output if isinstance(output, list) else []):
        if isinstance(message, dict) and message.get("role") in ("assistant", None):
            return text_of(message.get("content"))
    return None
