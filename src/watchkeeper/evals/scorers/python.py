"""Scorers that people write in Python: a function of a file, or an expression, in a process of its own."""

import ast
import asyncio
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from watchkeeper.evals.scorers.marking import Finding, LookLater, Undecided, refused, settings, shown
from watchkeeper.evals.scorers.python_worker import Lost, Worker
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

WORKERS = 2
"""Processes for all scorers with the same cap of memory that are in use together."""
SOURCE_BYTES_MAX = 200_000
TIMEOUT_S_MAX = 300.0
MEMORY_MB_MIN = 128
MEMORY_MB_MAX = 16_384


class Bounds(Struct, forbid_unknown_fields=True):
    """Options of `python`."""

    timeout_s: float = 10.0
    """For one answer."""
    memory_mb: int = 1_024
    """Of address space."""
    source: str = ""
    """The text of the file, so that a suite that is kept elsewhere is whole."""


def inlined(scorer: Scorer, folder: Path) -> Scorer:
    """Return the scorer with the text of its file, which then is a part of the suite's id.

    An expression is returned as it is. Raises ScorerRefused where the file cannot be read, or is not in the folder.
    """
    file, name = _named(scorer)
    if not name or settings(scorer, Bounds).source:
        return scorer
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise refused(scorer, f"cannot read `{file}`: it is not in the folder of the suite.")
    try:
        with path.open("rb") as opened:
            source = opened.read(SOURCE_BYTES_MAX + 1).decode()
    except (OSError, UnicodeDecodeError) as why:
        raise refused(scorer, f"cannot read `{file}`: {why}") from None
    return structs.replace(scorer, options={**scorer.options, "source": source})


def python(scorer: Scorer) -> LookLater:
    """What `FILE.py:NAME` returns for the answer, or what an expression over it is worth."""
    file, name = _named(scorer)
    scorer = inlined(scorer, Path())
    options = settings(scorer, Bounds)
    if not 0 < options.timeout_s <= TIMEOUT_S_MAX:
        raise refused(scorer, f"needs a `timeout_s` above 0, up to {TIMEOUT_S_MAX:g}.")
    if not MEMORY_MB_MIN <= options.memory_mb <= MEMORY_MB_MAX:
        raise refused(scorer, f"needs a `memory_mb` from {MEMORY_MB_MIN} to {MEMORY_MB_MAX}.")
    code = options.source if name else str(scorer.value)
    _check_code(scorer, code, file, name)
    pool = _pool(options.memory_mb)

    async def look(question: Question) -> Finding:
        asked = {
            "name": name,
            "code": code,
            "file": file,
            "timeout_s": options.timeout_s,
            "answer": question.answer.text,
            "case": _told_of(question),
        }
        try:
            told = await pool.ask(asked, options.timeout_s)
        except Lost as why:
            raise Undecided(f"the Python scorer gave no mark: {why}") from None
        if told.get("problem") == "memory":
            raise Undecided(f"the Python scorer gave no mark: it needed more than {options.memory_mb} MB")
        if "problem" in told:
            raise Undecided(f"the Python scorer gave no mark: {told['problem']}")
        score, passed = float(told["score"]), told["passed"]
        return Finding(score, told["reason"] or f"{shown(str(scorer.value))} gave {score:g}", passes=passed)

    return look


def _pool(memory_mb: int) -> "_Pool":
    """Return the pool of the scorers in use, so that a scorer of each case needs no process of its own."""
    pools = _pools()
    pool = pools.get(memory_mb)
    if pool is None:
        pool = pools[memory_mb] = _Pool(memory_mb)
    return pool


@lru_cache(1)
def _pools() -> "weakref.WeakValueDictionary[int, _Pool]":
    return weakref.WeakValueDictionary()


class _Pool:
    """A few processes, each asked by a thread of its own; they end when the last scorer is let go."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="python-scorer")
        self._mine = threading.local()
        self._workers: list[Worker] = []
        weakref.finalize(self, _end, self._threads, self._workers)

    async def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """As `Worker.ask`, by one that is free."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question, timeout_s)

    def _ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        worker: Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = Worker(self._memory_mb)
            self._workers.append(worker)
        return worker.ask(question, timeout_s)


def _end(threads: ThreadPoolExecutor, workers: list[Worker]) -> None:
    threads.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.end()


def _named(scorer: Scorer) -> tuple[str, str]:
    """Return the file and the function; both are empty for an expression."""
    if not isinstance(scorer.value, str) or not scorer.value.strip():
        raise refused(scorer, "needs a value: `FILE.py:NAME`, or an expression such as `len(answer) < 200`.")
    file, colon, name = scorer.value.strip().rpartition(":")
    is_function = bool(colon) and file.endswith(".py") and name.isidentifier()
    return (file, name) if is_function else ("", "")


def _check_code(scorer: Scorer, code: str, file: str, name: str) -> None:
    if len(code.encode("utf-8", "replace")) > SOURCE_BYTES_MAX:
        raise refused(scorer, f"has more than {SOURCE_BYTES_MAX:,} bytes of code.")
    try:
        tree = ast.parse(code.strip() if not name else code, file or "expression", "exec" if name else "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as why:
        what = f"`{file}`" if name else "its expression"
        raise refused(scorer, f"cannot use {what}: {why}") from None
    if isinstance(tree, ast.Module) and not any(_defines(one, name) for one in tree.body):
        raise refused(scorer, f"finds no function `{name}` in `{file}`.")


def _defines(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.FunctionDef(name=defined) | ast.ClassDef(name=defined):
            return defined == name
        case ast.Assign(targets=targets):
            return any(isinstance(one, ast.Name) and one.id == name for one in targets)
        case ast.ImportFrom(names=names) | ast.Import(names=names):
            return any((one.asname or one.name) == name for one in names)
        case _:
            return False


def _told_of(question: Question) -> dict[str, Any]:
    """Return what a scorer is told beside the answer's text, as JSON."""
    case, answer = question.case, question.answer
    told: dict[str, Any] = msgspec.to_builtins(
        {
            "id": case.id,
            "prompt": question.prompt,
            "reference": case.reference,
            "variables": case.variables,
            "contexts": list(question.contexts),
            "tags": case.tags,
            "tool_calls": answer.tool_calls,
            "finish": answer.finish,
            "model": answer.model,
            "latency_ms": answer.latency_ms,
            "cost_nusd": answer.cost_nusd,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
        }
    )
    return told
