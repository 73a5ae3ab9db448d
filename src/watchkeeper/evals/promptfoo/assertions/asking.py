"""Asks graders: prompts of one's own or ours, and what is in their answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.assertions.loaded import JAVASCRIPT, SCHEME, read_data, split_reference
from watchkeeper.evals.promptfoo.assertions.subject import Grader, Said, Subject, Undecided
from watchkeeper.evals.promptfoo.documents import read_file, write_json
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.nunjucks import TemplateFailed
from watchkeeper.evals.promptfoo.values import parse_json

NO_GRADER = "needs a model that grades, and none is connected; name one (`--grader`, or `provider` in the assertion)"


class GraderFailed(Exception):
    """A grader gave no answer that can be read; the assertion fails with that reason."""


def grader_of(subject: Subject) -> Grader:
    """Return the grader. Raises Undecided where there is none."""
    if subject.instruments.grader is None:
        raise Undecided(f"`{subject.base}` {NO_GRADER}")
    return subject.instruments.grader


def provider_of(subject: Subject, kind: str = "text") -> Any:
    """Return who grades, as the configuration says it: the assertion, else the test's options; None for the default."""
    found = subject.assertion.get("provider") or subject.context.test.options.get("provider")
    if isinstance(found, dict) and kind in found and "id" not in found:
        return found[kind]
    return found if not isinstance(found, dict) or "id" in found or len(found) == 1 else None


def own_prompt(subject: Subject) -> Any:
    """Return the `rubricPrompt` of the assertion, else of the test's options; None where there is none."""
    return subject.assertion.get("rubricPrompt") or subject.context.test.options.get("rubricPrompt") or None


async def ask(subject: Subject, prompt: str, variables: Mapping[str, Any], own: Any = None) -> Said:
    """Ask with a prompt of the user's, else with ours, rendered over variables and those of the test.

    Raises:
        Undecided: there is no grader, or the prompt cannot be read or rendered.
        GraderFailed: there is no answer.
    """
    grader = grader_of(subject)
    template = prompt if own is None else _text_of(subject, own)
    said = await grader.ask(messages_of(_rendered(subject, template, variables)), provider_of(subject))
    if said.error or not said.text:
        raise GraderFailed(said.error or "the grader answered nothing")
    return said


def messages_of(rendered: str) -> list[dict[str, Any]]:
    """Return a conversation: the text's own where it is one in JSON, else one message of the user."""
    try:
        parsed = parse_json(rendered)
    except ValueError:
        parsed = None
    if isinstance(parsed, list) and parsed and all(isinstance(each, dict) and "role" in each for each in parsed):
        return parsed
    return [{"role": "user", "content": rendered}]


def _text_of(subject: Subject, own: Any) -> str:
    if not isinstance(own, str):
        return write_json(own)
    if not own.startswith(SCHEME):
        return own
    path, function = split_reference(own, subject.context.folder)
    if path.suffix in JAVASCRIPT:
        return _from_script(subject, path, function)
    if path.suffix in (".json", ".yaml", ".yml"):
        return write_json(read_data(own, subject.context.folder))
    try:
        return read_file(path)
    except ConfigRefused as refused:
        raise Undecided(str(refused)) from None


def _from_script(subject: Subject, path: Path, function: str) -> str:
    try:
        made = subject.instruments.engine.call(read_file(path), function, [])
    except (ScriptFailed, ConfigRefused) as problem:
        raise Undecided(f"the rubric prompt of {path.name} cannot be made: {problem}") from None
    return made if isinstance(made, str) else write_json(None if made is UNDEFINED else made)


def _rendered(subject: Subject, template: str, variables: Mapping[str, Any]) -> str:
    """Render a template; in one that is JSON, each text of it for itself. Objects are given as JSON."""
    given = {name: _flat(value) for name, value in {**variables, **subject.context.variables}.items()}
    renderer = subject.instruments.renderer
    try:
        parsed = parse_json(template)
    except ValueError:
        parsed = None
    try:
        if isinstance(parsed, dict | list):
            return json.dumps(_each_text(parsed, lambda value: renderer.render(value, given)), ensure_ascii=False)
        return renderer.render(template, given)
    except TemplateFailed as failed:
        raise Undecided(f"the grader's prompt cannot be rendered: {failed}") from None


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        return [write_json(item) if isinstance(item, dict | list) else item for item in value]
    return write_json(value) if isinstance(value, dict) else value


def _each_text(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _each_text(item, change) for key, item in value.items()}
    return value


def parsed_or_text(value: str) -> Any:
    """Return what a text holds as JSON, else the text."""
    try:
        return parse_json(value)
    except ValueError:
        return value
