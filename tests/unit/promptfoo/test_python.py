"""Python of configurations runs in a process that may break."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.evals.promptfoo.javascript import ScriptFailed
from watchkeeper.evals.promptfoo.python import PythonRunner


@pytest.fixture(scope="module")
def python() -> Iterator[PythonRunner]:
    made = PythonRunner({"SEEN": "yes"}, memory_bytes=64 * 1024 * 1024, timeout_s=0.5)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("len(output)", 5),
        ("if output:\n  return 'x'\nreturn None", "x"),
        ("json.loads('[1]')", [1]),
        ("print('noise') or True", True),
        ("__import__('os').environ.get('SEEN')", "yes"),
        ("__import__('os').environ.get('HOME')", None),
    ],
)
def test_expressions_and_bodies_return_their_value(python: PythonRunner, code: str, value: Any) -> None:
    assert python.evaluate(code, output="hello", context={}) == value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("while True:\n  pass", "time"),
        ("[0] * 10**9", "memory"),
        ("__import__('os')._exit(3)", "crash"),
        ("__import__('sys').exit(1)", "code"),
        ("1 / 0", "code"),
        ("float('nan')", "code"),
        ("object()", "code"),
        ("(", "code"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_call_works(python: PythonRunner, code: str, kind: str) -> None:
    with pytest.raises(ScriptFailed) as failed:
        python.evaluate(code, output="x")
    assert failed.value.kind == kind
    assert python.evaluate("1 + 1") == 2


def test_a_file_gives_functions_plain_and_async_and_is_read_again_when_it_changes(
    python: PythonRunner, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    path = tmp_path / "asserts.py"
    path.write_text(
        "import dataclasses, beside\n"
        "@dataclasses.dataclass\nclass Result:\n    pass_: bool\n    score: float\n"
        "def get_assert(output, context):\n    return Result(True, 0.5)\n"
        "async def later(output, context):\n    return beside.WORD\n"
    )
    assert python.call(path, "get_assert", ["x", {}]) == {"pass_": True, "score": 0.5}
    assert python.call(path, "later", ["x", {}]) == "beside"
    with pytest.raises(ScriptFailed, match="nothing_here"):
        python.call(path, "nothing_here", [])
