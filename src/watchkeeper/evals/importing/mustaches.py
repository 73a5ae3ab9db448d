"""Templates of OpenAI's graders, `{{item.x}}` and `{{sample.output_text}}`, as templates of ours or as plain text."""

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.importing.imported import text_of

ANSWER = "sample.output_text"
_MUSTACHE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_SPECIAL = re.compile(r"\{\{|\{%|\{#")
_PLACES = {
    "sample.output_text": "(the answer)",
    "sample.output_json": "(the answer)",
    "sample.output_tools": "(the tools that the answer asks for)",
}


class NotTranslatable(Exception):
    """A template asks for something that there is not; the text says what."""


def only_name(text: Any) -> str:
    """Return what a text that is nothing but one template asks for, such as `sample.output_text`; else nothing."""
    found = _MUSTACHE.fullmatch(text.strip()) if isinstance(text, str) else None
    return found[1] if found else ""


def translated(text: str) -> str:
    """Return a template of ours over the case's variables.

    Raises:
        NotTranslatable: it asks for something else than the item and the answer.
    """
    parts, end = [], 0
    for found in _MUSTACHE.finditer(text):
        parts += [_quoted(text[end : found.start()]), _ours(found[1])]
        end = found.end()
    return "".join([*parts, _quoted(text[end:])])


def literal(value: Any) -> Any:
    """Return what, as a scorer's value with templates, is this value again."""
    match value:
        case str():
            return _quoted(value)
        case list():
            return [literal(one) for one in value]
        case dict():
            return {key: literal(one) for key, one in value.items()}
        case _:
            return value


def filled(text: str, item: Mapping[str, Any]) -> str:
    """Return the text with what an item holds in the place of its templates; what it does not hold is empty."""
    return _MUSTACHE.sub(lambda found: text_of(_looked_up(found[1], item)), text)


def _ours(name: str) -> str:
    if name in _PLACES:
        return _PLACES[name]
    path = name.removeprefix("item.")
    if path == name or not _NAME.fullmatch(path):
        raise NotTranslatable(f"`{{{{{name}}}}}` is nothing that a case or an answer has here")
    return f"{{{{ {path} }}}}"


def _quoted(text: str) -> str:
    return _SPECIAL.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def _looked_up(name: str, item: Mapping[str, Any]) -> Any:
    value: Any = item
    for step in name.removeprefix("item.").split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
