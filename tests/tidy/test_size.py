"""A reader can hold every file and every function in view. The worst one counts, not the average."""

import pytest
from tests.tidy.tree import PACKAGE, ROOT, Function, body_lines, sources, tracked

FILE_LINES_MAX = 600
FILE_LINES_GOOD = 400
BODY_LINES_MAX = 60
BODY_LINES_GOOD = 40
PARAMETERS_MAX = 8
PARAMETERS_GOOD = 5
SCRIPT_LINES_MAX = 150
"""Of one JavaScript file."""
SCRIPTS_LINES_MAX = 3_000


def _share(values: list[int], limit: int) -> float:
    return sum(value <= limit for value in values) / len(values)


def test_no_file_is_long() -> None:
    lengths = {source.path: len(source.lines) for source in sources()}
    assert [path for path, lines in lengths.items() if lines > FILE_LINES_MAX] == []
    assert _share(list(lengths.values()), FILE_LINES_GOOD) >= 0.95


def test_no_function_is_longer_than_a_screen() -> None:
    bodies = {source.where(function): body_lines(function) for source in sources() for function in source.functions()}
    assert [where for where, lines in bodies.items() if lines > BODY_LINES_MAX] == []
    assert _share(list(bodies.values()), BODY_LINES_GOOD) >= 0.97


def test_few_functions_take_many_parameters() -> None:
    """Not counted: api/ and cli/, where parameters are the options of a request or a command."""
    counts = {
        source.where(function): len([argument for argument in _arguments(function) if argument not in ("self", "cls")])
        for source in sources(PACKAGE)
        for function in source.functions()
        if not source.path.startswith((f"{PACKAGE}api/", f"{PACKAGE}cli/"))
    }
    assert [where for where, count in counts.items() if count > PARAMETERS_MAX] == []
    assert _share(list(counts.values()), PARAMETERS_GOOD) >= 0.98


def _arguments(function: Function) -> list[str]:
    return [argument.arg for argument in function.args.posonlyargs + function.args.args + function.args.kwonlyargs]


@pytest.mark.parametrize("suffix", [".js", ".css"])
def test_our_own_scripts_and_styles_stay_small(suffix: str) -> None:
    lengths = {
        path: len((ROOT / path).read_text("utf-8").splitlines())
        for path in tracked()
        if path.startswith(PACKAGE) and path.endswith(suffix)
    }
    assert sum(lengths.values()) <= SCRIPTS_LINES_MAX
    if suffix == ".js":
        assert [path for path, lines in lengths.items() if lines > SCRIPT_LINES_MAX] == []
