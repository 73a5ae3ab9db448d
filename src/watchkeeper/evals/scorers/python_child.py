"""The process in which other people's Python scores answers; started by name, without the rest of the program.

Reads a line of JSON from its standard input for each answer and writes a line to its standard output. Before any of
the other code runs, both are put out of its reach, memory is capped, and the ways to other hosts and processes are
closed. That keeps mistakes in bounds; it is no prison for code that means harm.
"""

import ast
import inspect
import json
import math
import os
import re
import resource
import signal
import sys
from types import ModuleType
from typing import Any, TextIO

REASON_LETTERS_MAX = 500
GRACE_S = 5
"""After its time is up, the process ends itself where nobody else has ended it."""
CLOSED = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "pty.spawn",
)  # fmt: skip
"""What Python asks for and does not get."""


class NotTold(Exception):
    """A scorer gave nothing that can be read as a mark; the text says what it gave."""


def main(memory_mb: int) -> None:
    """Serve until the other end closes."""
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    _cap(memory_mb)
    sys.addaudithook(_close)
    loaded: dict[tuple[str, str], Any] = {}
    _write(answers, {"ready": True})
    for line in questions:
        question = json.loads(line)
        signal.alarm(math.ceil(question["timeout_s"]) + GRACE_S)
        try:
            told = _told(question, loaded)
        except MemoryError:
            told = {"problem": "memory"}
        # Whatever other people's code raises is an answer to the question, also when it is none of Python's own.
        except BaseException as error:
            told = {"problem": _short(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)}
        signal.alarm(0)
        _write(answers, told)
        if told.get("problem") == "memory":
            return


def _cap(memory_mb: int) -> None:
    limit = memory_mb << 20
    for what, most in ((resource.RLIMIT_AS, limit), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(what, (most, most))
        except (OSError, ValueError):  # macOS does not cap the address space
            continue


def _close(event: str, *_: object) -> None:
    if event in CLOSED:
        raise PermissionError(f"a scorer may not use other hosts or processes ({event})")


def _told(question: dict[str, Any], loaded: dict[tuple[str, str], Any]) -> dict[str, Any]:
    key = question["name"], question["code"]
    if key not in loaded:
        loaded[key] = _load(question["name"], question["code"], question["file"])
    return _read(loaded[key](question["answer"], question["case"]))


def _load(name: str, code: str, file: str) -> Any:
    """Return what takes the answer and the case: a function of a file, or an expression."""
    if not name:
        expression = compile(ast.parse(code.strip(), file, "eval"), file, "eval")
        tools = {"json": json, "math": math, "re": re}
        return lambda answer, case: eval(  # noqa: S307 - this process is there for it
            expression, {**tools, **case, "answer": answer, "case": case}
        )
    module = ModuleType("scorer")
    module.__file__ = file
    sys.modules["scorer"] = module
    exec(compile(code, file, "exec"), module.__dict__)
    function = getattr(module, name, None)
    if not callable(function):
        raise NotTold(f"there is no function `{name}` in it")
    return function if _takes_case(function) else lambda answer, case: function(answer)


def _takes_case(function: Any) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return any(one.kind == inspect.Parameter.VAR_POSITIONAL for one in parameters) or (
        sum(one.kind in kinds for one in parameters) >= 2
    )


def _read(given: Any) -> dict[str, Any]:
    """Read what a scorer gave: a truth value, a number, or a mapping of `score`, `passed` and `reason`."""
    if isinstance(given, dict):
        passed, score = given.get("passed", given.get("pass")), given.get("score")
        if passed is None and score is None:
            raise NotTold("it returned neither `score` nor `passed`")
        passed = None if passed is None else bool(passed)
        reason = given.get("reason")
        return {
            "score": float(bool(passed)) if score is None else _score(score),
            "passed": passed,
            "reason": "" if reason is None else _short(str(reason)),
        }
    return {"score": _score(given), "passed": None, "reason": ""}


def _score(given: Any) -> float:
    if given is None or isinstance(given, str | bytes) or not hasattr(given, "__float__"):
        raise NotTold(f"it returned {_short(repr(given), 80)}; a truth value, a number or a mapping is needed")
    score = float(given)
    if not 0 <= score <= 1:
        raise NotTold(f"it returned {score}, which is not between 0 and 1")
    return score


def _short(text: str, letters: int = REASON_LETTERS_MAX) -> str:
    return text.encode("utf-8", "replace").decode()[:letters]


def _write(answers: TextIO, told: dict[str, Any]) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
