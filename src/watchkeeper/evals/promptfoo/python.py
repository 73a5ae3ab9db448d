"""Python of promptfoo's configurations: functions in files and inline code, in a process of their own."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.javascript import ScriptFailed
from watchkeeper.evals.promptfoo.sandbox import Sandbox, SandboxFailed

MEMORY_BYTES = 1024 * 1024 * 1024
TIMEOUT_S = 60.0
_FIRST_INDENT = re.compile(r"^(?!\s*$)\s+", re.MULTILINE)


class PythonRunner:
    """Calls functions; may be used by several threads, which wait for each other. Blocks: keep it off event loops.

    The code is the user's own and may do what the user may: the process bounds its time and memory and keeps what it
    breaks out of ours.
    """

    def __init__(
        self, env: Mapping[str, str], *, memory_bytes: int = MEMORY_BYTES, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Prepare; the process is started with the first call.

        Args:
            env: Environment that the code sees.
            memory_bytes: What its process may use.
            timeout_s: Of each call.
        """
        self._sandbox = Sandbox(
            "watchkeeper.evals.promptfoo.python_child", memory_bytes=memory_bytes, timeout_s=timeout_s, env=env
        )

    def call(self, path: Path, function: str, arguments: Sequence[Any]) -> Any:
        """Return what a function of a file returns, as JSON has it; its file's folder is on the search path.

        Raises:
            ScriptFailed: it raised, took too long or too much memory, or its result cannot be written as JSON.
        """
        return self._ask(str(path), "", function, list(arguments))

    def evaluate(self, code: str, **variables: Any) -> Any:
        """Return the value of an expression, or what a body of several lines returns. Raises ScriptFailed."""
        found = _FIRST_INDENT.search(code) if "\n" in code else None
        indent = found[0] if found else "    "
        lines = code.split("\n") if "\n" in code else [f"return {code}"]
        body = "\n".join(indent + line for line in lines)
        source = f"import json\n\ndef main({', '.join(variables)}):\n{body}\n"
        return self._ask(None, source, "main", list(variables.values()))

    def close(self) -> None:
        """End the process."""
        self._sandbox.close()

    def _ask(self, path: str | None, code: str, function: str, arguments: list[Any]) -> Any:
        try:
            reply = self._sandbox.ask((path, code, function, arguments))
        except SandboxFailed as failed:
            raise ScriptFailed(str(failed), failed.kind) from None
        if "error" in reply:
            raise ScriptFailed(reply["error"], reply.get("fate", "code"))
        return reply["value"]
