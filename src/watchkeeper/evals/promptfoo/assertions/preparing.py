"""Makes an assertion ready to be decided: its output transformed, its value rendered, its files read and called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.assertions.loaded import JAVASCRIPT, SCHEME, read_data, render, split_reference
from watchkeeper.evals.promptfoo.assertions.subject import Instruments, Subject, Undecided
from watchkeeper.evals.promptfoo.assertions.table import SCRIPTED
from watchkeeper.evals.promptfoo.assertions.transforms import transformed
from watchkeeper.evals.promptfoo.assertions.view import context_view
from watchkeeper.evals.promptfoo.documents import read_file
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.model import Assertion, GradingContext, ProviderOutput
from watchkeeper.evals.promptfoo.values import output_text

NEGATION = "not-"


class ScriptOfValueFailed(Exception):
    """A Python file that an assertion names failed, which promptfoo counts as a failure and not as an error."""


def prepared(
    assertion: Assertion, answer: ProviderOutput, context: GradingContext, instruments: Instruments
) -> Subject:
    """Return what the rule looks at.

    Raises:
        Undecided: the assertion cannot be made ready.
        ScriptOfValueFailed: as it says.
    """
    kind = assertion.get("type")
    if not isinstance(kind, str) or not kind:
        raise Undecided("an assertion has no `type`")
    negated = kind.startswith(NEGATION)
    base = kind.removeprefix(NEGATION)
    output = answer.output
    if code := assertion.get("transform"):
        output = transformed(code, output, answer, context, instruments)
    value, script = _value(assertion, output, answer, context, instruments)
    if script is not UNDEFINED and base not in SCRIPTED and context.compat != "0.118":
        _refuse_results(kind, script)
        value = script
    return Subject(
        assertion=assertion,
        base=base,
        negated=negated,
        output=output,
        text=output_text(output),
        value=value,
        script=script,
        answer=answer,
        context=context,
        instruments=instruments,
    )


def _refuse_results(kind: str, script: Any) -> None:
    if isinstance(script, bool) or (isinstance(script, Mapping) and "pass" in script):
        raise Undecided(f"the file of `{kind}` returned a verdict; it must return the value to compare with")


def _value(
    assertion: Assertion, output: Any, answer: ProviderOutput, context: GradingContext, instruments: Instruments
) -> tuple[Any, Any]:
    """The value with its templates rendered, and what its file's function returned."""
    value = assertion.get("value", UNDEFINED)
    if isinstance(value, list):
        return [_item(each, context, instruments) for each in value], UNDEFINED
    if not isinstance(value, str):
        return value, UNDEFINED
    if value.startswith("package:"):
        raise Undecided(f"{value}: packages of npm are not loaded here; take a file")
    if not value.startswith(SCHEME):
        return render(value, context, instruments), UNDEFINED
    path, function = split_reference(value, context.folder)
    arguments = [output, context_view(assertion, answer, context)]
    if path.suffix in JAVASCRIPT:
        return value, _by_javascript(path, function, arguments, instruments)
    if path.suffix == ".py":
        try:
            return value, instruments.python.call(path, function or "get_assert", arguments)
        except ScriptFailed as failed:
            raise ScriptOfValueFailed(f"{path.name} failed: {failed}") from None
    if path.suffix == ".rb":
        raise Undecided(f"{path.name}: Ruby is not run here; write it in Python or JavaScript")
    return read_data(value, context.folder), UNDEFINED


def _by_javascript(path: Path, function: str, arguments: list[Any], instruments: Instruments) -> Any:
    if path.suffix in (".ts", ".cts", ".mts"):
        raise Undecided(f"{path.name}: TypeScript is not run here; compile it to JavaScript")
    try:
        return instruments.engine.call(read_file(path), function, arguments)
    except (ScriptFailed, ConfigRefused) as failed:
        raise Undecided(f"{path.name} failed: {failed}") from None


def _item(value: Any, context: GradingContext, instruments: Instruments) -> Any:
    if not isinstance(value, str):
        return value
    return read_data(value, context.folder) if value.startswith(SCHEME) else render(value, context, instruments)
