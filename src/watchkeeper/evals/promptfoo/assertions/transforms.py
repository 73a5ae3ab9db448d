"""Transforms: code that turns an output into another one."""

from typing import Any

from watchkeeper.evals.promptfoo.assertions.loaded import JAVASCRIPT, SCHEME
from watchkeeper.evals.promptfoo.assertions.subject import Instruments, Undecided
from watchkeeper.evals.promptfoo.documents import read_file
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.model import GradingContext, ProviderOutput


def transformed(
    code: str, output: Any, answer: ProviderOutput, context: GradingContext, instruments: Instruments
) -> Any:
    """Return what an expression, a body, or a function in a file (`file://PATH[:NAME]`) makes of an output.

    Raises:
        Undecided: it failed, or returned nothing.
    """
    given = {"vars": dict(context.variables), "prompt": {"label": context.prompt}, "metadata": dict(answer.metadata)}
    try:
        made = _made(code, output, given, context, instruments)
    except (ScriptFailed, ConfigRefused) as problem:
        raise Undecided(f"the transform failed: {problem}") from None
    if made is None or made is UNDEFINED:
        raise Undecided("the transform returned nothing")
    return made


def _made(code: str, output: Any, given: dict[str, Any], context: GradingContext, instruments: Instruments) -> Any:
    if not code.startswith(SCHEME):
        return instruments.engine.evaluate(code, output=output, context=given)
    name, colon, function = code.removeprefix(SCHEME).rpartition(":")
    path = context.folder / (name if colon else function)
    function = function if colon else ""
    if path.suffix in JAVASCRIPT:
        return instruments.engine.call(read_file(path), function, [output, given])
    if path.suffix == ".py":
        return instruments.python.call(path, function or "get_transform", [output, given])
    raise Undecided(f"{path.name} is of a kind that transforms are not written in; take .js or .py")
