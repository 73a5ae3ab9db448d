"""JavaScript of promptfoo's configurations: expressions, bodies and files, in V8, in a process of its own.

A script sees the language and what it is given; there are no files, no network, no timers that outlive it and no
`require`. What it leaves behind in global names may be seen by the next script, as in promptfoo itself.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from watchkeeper.evals.promptfoo.sandbox import Kind, Sandbox, SandboxFailed

MEMORY_BYTES = 256 * 1024 * 1024
TIMEOUT_S = 5.0
_REPLACED: tuple[Kind, ...] = ("time", "memory")
"""After these nobody knows what state V8 is in."""

_EXPORT_NAMED = re.compile(r"^export\s+((?:async\s+)?function\s*\*?|class|const|let|var)\s+([\w$]+)", re.MULTILINE)
_EXPORT_DEFAULT = re.compile(r"^export\s+default\s+", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export\s*\{([^}]*)\}\s*;?", re.MULTILINE)
_IMPORT = re.compile(r"^import\s[^;\n]*", re.MULTILINE)


class ScriptFailed(Exception):
    """A script came to no result, for a reason that is told."""

    def __init__(self, message: str, kind: Kind = "code") -> None:
        super().__init__(message)
        self.kind = kind


class Undefined:
    """What JavaScript has where there is no value."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


class Engine:
    """Runs JavaScript; may be used by several threads, which wait for each other. Blocks: keep it off event loops."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, timeout_s: float = TIMEOUT_S) -> None:
        """Prepare; the process is started with the first script.

        Args:
            memory_bytes: What scripts may use, together with what earlier ones have left behind.
            timeout_s: Of each script.
        """
        self._sandbox = Sandbox(
            "watchkeeper.evals.promptfoo.javascript_child", memory_bytes=memory_bytes, timeout_s=timeout_s, env={}
        )

    def evaluate(self, code: str, **variables: Any) -> Any:
        """Return the value of an expression, or what a body of several lines returns.

        Raises:
            ScriptFailed: it threw, took too long or too much memory, or its value cannot be written as JSON.
        """
        return self.run(code if "\n" in code else f"return {code}", **variables)

    def run(self, body: str, **variables: Any) -> Any:
        """Return what the body of a function returns that has these parameters. Raises ScriptFailed."""
        return self._ask("run", body, list(variables), list(variables.values()))

    def call(self, source: str, function: str, arguments: Sequence[Any]) -> Any:
        """Return what a function of a file returns: the one of that name, else the file's only or default one.

        Raises:
            ScriptFailed: as `evaluate`, or the file imports something, or exports no function.
        """
        return self._ask("call", _as_commonjs(source), function, list(arguments))

    def search(self, pattern: str, subject: str) -> bool:
        """Tell whether a regular expression of JavaScript matches anywhere. Raises ScriptFailed."""
        return bool(self._ask("search", pattern, subject))

    def close(self) -> None:
        """End the process."""
        self._sandbox.close()

    def _ask(self, *request: Any) -> Any:
        try:
            reply = self._sandbox.ask(request)
        except SandboxFailed as failed:
            raise ScriptFailed(str(failed), failed.kind) from None
        if "error" in reply:
            kind: Kind = reply.get("fate", "code")
            if kind in _REPLACED:
                self._sandbox.close()
            raise ScriptFailed(reply["error"], kind)
        return _value(reply)


def _value(reply: dict[str, Any]) -> Any:
    match reply["kind"]:
        case "undefined":
            return UNDEFINED
        case "null":
            return None
        case "number" if "text" in reply:
            return math.nan if reply["text"] == "NaN" else float(reply["text"].replace("Infinity", "inf"))
        case "function" | "symbol" | "bigint" as kind:
            raise ScriptFailed(f"its value is a {kind}, which cannot be taken over")
        case _:
            return reply["value"]


def _as_commonjs(source: str) -> str:
    """Turn the exports of a module into those of CommonJS, as far as whole lines say them."""
    if found := _IMPORT.search(source):
        raise ScriptFailed(f"`{found[0].strip()}`: nothing can be imported; a script must hold all that it needs")
    named = _EXPORT_NAMED.findall(source)
    listed = [part.split(" as ") for group in _EXPORT_LIST.findall(source) for part in group.split(",") if part.strip()]
    if not (named or listed or _EXPORT_DEFAULT.search(source)):
        return source
    plain = _EXPORT_LIST.sub("", source)
    plain = _EXPORT_NAMED.sub(r"\1 \2", _EXPORT_DEFAULT.sub("module.exports.default = ", plain))
    given = [(name, name) for _, name in named] + [(parts[0].strip(), parts[-1].strip()) for parts in listed]
    return plain + "".join(f"\nmodule.exports.{outer} = {inner};" for inner, outer in given)
