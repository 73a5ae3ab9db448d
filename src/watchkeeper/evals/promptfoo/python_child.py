"""The process in which Python of others runs: functions in files, and pieces of code."""

import asyncio
import dataclasses
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.sandboxed import limit_memory, serve

MODULES_KEPT = 100


def answer(request: Any) -> Any:
    """Do what is asked for: `[file or None, code, function, arguments]`."""
    path, code, function, arguments = request
    try:
        result = _called(_function_of(path, code, function), arguments)
        return {"value": json.loads(json.dumps(result, default=_plain, allow_nan=False))}
    except MemoryError:
        return {"error": "it used more memory than it may", "fate": "memory"}
    except BaseException as error:  # the code is not ours: whatever it raises, sys.exit included, is its result
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc(limit=-5)}


def _function_of(path: str | None, code: str, function: str) -> Callable[..., Any]:
    if path is None:
        names: dict[str, Any] = {"__name__": "assertion"}
        exec(compile(code, "<assertion>", "exec"), names)
        found = names[function]
    else:
        found = _module(path, Path(path).stat().st_mtime_ns)
        for step in function.split("."):
            if not hasattr(found, step):
                raise AttributeError(f"{Path(path).name} has no function {function}")
            found = getattr(found, step)
    if not callable(found):
        raise TypeError(f"{function} is not a function")
    called: Callable[..., Any] = found
    return called


@lru_cache(MODULES_KEPT)
def _module(path: str, changed: int) -> Any:
    folder = str(Path(path).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"promptfoo_{abs(hash(path))}_{changed}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _called(function: Callable[..., Any], arguments: list[Any]) -> Any:
    result = function(*arguments)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    serve(answer)
