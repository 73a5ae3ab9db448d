"""Code that a configuration brings along: where it stands, and how its functions are called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, Engine, ScriptFailed
from watchkeeper.evals.promptfoo.python import PythonRunner

JAVASCRIPT_FILES = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts")
_TOLD_CHARACTERS = 200
_FUNCTION = re.compile(r"(?:async\s+)?(?:function\b|\([\w\s,{}=]*\)\s*=>|\w+\s*=>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """Runs what a configuration brings along. Every method waits for the end; call them off the event loop."""

    folder: Path
    engine: Engine
    python: PythonRunner

    def close(self) -> None:
        """End the processes in which code has run."""
        self.engine.close()
        self.python.close()

    def call(self, path: Path, function: str, arguments: Sequence[Any], *, default: str) -> Any:
        """Call a function of a file in Python or JavaScript; `default` is its name in Python where none is given.

        Raises:
            CaseFailed: it raises, is not there, does not end, or its result is no JSON.
        """
        where = f"{path}:{function}" if function else str(path)
        if not path.is_file():
            raise CaseFailed(f"{where} is not there; it was not run.")
        try:
            if path.suffix == ".py":
                return self.python.call(path, function or default, list(arguments))
            if path.suffix in JAVASCRIPT_FILES:
                return _value(self.engine.call(path.read_text("utf-8"), function, list(arguments)))
        except (ScriptFailed, OSError, UnicodeDecodeError) as failed:
            raise CaseFailed(f"{where}: {failed}") from None
        raise CaseFailed(f"{where} is neither Python nor JavaScript; it was not run.")

    def transformed(self, code: str, value: Any, context: Any, *, named: str = "output") -> Any:
        """Return what a transform makes of a value.

        Args:
            code: `file://PATH[:FUNCTION]`, or JavaScript over `output` (or what `named` says) and `context`.
            value: What it is given.
            context: `vars`, `prompt`, ...
            named: `output` or `vars`.

        Raises:
            CaseFailed: as `call`; or it returns nothing.
        """
        if code.startswith("file://"):
            name, function = split_function(code.removeprefix("file://"))
            made = self.call(self.folder / name, function, [value, context], default="get_transform")
        else:
            try:
                made = _value(self.engine.evaluate(code, **{named: value, "context": context}))
            except ScriptFailed as failed:
                raise CaseFailed(f"{failed} (in the transform: {code[:_TOLD_CHARACTERS]})") from None
        if made is None:
            raise CaseFailed(f"Transform function did not return a value\n\n{code}")
        return made

    def answer_of(self, code: str, content: Any, text: str, context: Any) -> Any:
        """Return what an HTTP provider's parser makes of a reply: an expression over `json`, `text` and `context`,
        a function of them, or one in a file.

        Raises:
            CaseFailed: as `call`.
        """
        if code.startswith("file://"):
            name, function = split_function(code.removeprefix("file://"))
            return self.call(self.folder / name, function, [content, text, context], default="get_transform")
        plain = code.strip().removesuffix(";")
        body = f"return ({plain})(json, text, context)" if _FUNCTION.match(plain) else f"return ({plain})"
        try:
            return _value(self.engine.run(body, json=content, text=text, context=context))
        except ScriptFailed as failed:
            raise CaseFailed(f"{failed} (in the parser: {code[:_TOLD_CHARACTERS]})") from None


def split_function(path: str) -> tuple[str, str]:
    """Take `PATH:FUNCTION` apart; the function is empty where none is named."""
    name, colon, function = path.rpartition(":")
    if colon and len(name) > 1 and name.endswith((".py", *JAVASCRIPT_FILES, ".go", ".rb")):
        return name, function
    return path, ""


def _value(found: Any) -> Any:
    return None if found is UNDEFINED else found
