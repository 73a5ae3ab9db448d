"""Reads what values of a configuration refer to: files beside it, with templates rendered."""

from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.assertions.subject import Instruments, Subject, Undecided
from watchkeeper.evals.promptfoo.documents import load, read_file
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.model import GradingContext
from watchkeeper.evals.promptfoo.nunjucks import TemplateFailed
from watchkeeper.evals.promptfoo.values import trim

SCHEME = "file://"
JAVASCRIPT = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts")
DATA = (".json", ".yaml", ".yml")


def split_reference(reference: str, folder: Path) -> tuple[Path, str]:
    """Return the path and the name of the function of `file://PATH[:FUNCTION]`; the name may be empty."""
    path, _, function = reference.removeprefix(SCHEME).partition(":")
    return folder / path, function


def read_data(reference: str, folder: Path) -> Any:
    """Return what a file of data holds: an object of JSON or YAML, or text without white space at its ends.

    Raises:
        Undecided: it cannot be read, or is of another kind.
    """
    path, _ = split_reference(reference, folder)
    try:
        if path.suffix in DATA:
            return load(path).data
        if path.suffix == ".txt":
            return trim(read_file(path))
    except ConfigRefused as refused:
        raise Undecided(str(refused)) from None
    raise Undecided(f"{path.name} is of a kind that assertions do not read; take .json, .yaml, .txt, .js or .py")


def render(value: str, context: GradingContext, instruments: Instruments) -> str:
    """Return a template rendered over the test's variables. Raises Undecided."""
    try:
        return instruments.renderer.render(value, context.variables)
    except TemplateFailed as failed:
        raise Undecided(f"the template {value[:100]!r} cannot be rendered: {failed}") from None


def read_value(subject: Subject, value: Any) -> Any:
    """Return a value with templates in all of its texts rendered, and files in their place. Raises Undecided."""
    match value:
        case str():
            rendered = render(value, subject.context, subject.instruments)
            return read_data(rendered, subject.context.folder) if rendered.startswith(SCHEME) else rendered
        case list():
            found = [read_value(subject, item) for item in value]
            flat = [each for item in found for each in (item if isinstance(item, list) else [item])]
            return flat if any(isinstance(item, str) and item.startswith(SCHEME) for item in value) else found
        case dict():
            return {key: read_value(subject, item) for key, item in value.items()}
        case _:
            return value
