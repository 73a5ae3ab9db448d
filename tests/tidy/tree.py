"""The tracked files, read and parsed once."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: str
    """From the top of the repository, with slashes."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def module(self) -> str:
        """The dotted name, for files of the package."""
        return self.path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def where(self, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
        return f"{self.path}:{node.lineno}"

    def says_why(self, node: ast.stmt | ast.ExceptHandler) -> bool:
        """Tell whether a comment stands on the line, or alone on the one before."""
        above = self.lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        return "#" in self.lines[node.lineno - 1] or above.startswith("#")


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all tracked files that exist, and of new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(sorted(path for path in set(listed.stdout.splitlines()) if (ROOT / path).is_file()))


@cache
def sources(under: str = "") -> tuple[Source, ...]:
    """Every Python file, or those under a folder."""
    return tuple(
        Source(path, (ROOT / path).read_text("utf-8"))
        for path in tracked()
        if path.endswith(".py") and path.startswith(under)
    )


PACKAGE = "src/watchkeeper/"


@cache
def modules() -> frozenset[str]:
    """Dotted names of every module and package of ours."""
    return frozenset(source.module for source in sources(PACKAGE))


def body_lines(function: Function) -> int:
    """Lines of a function's body, its docstring left out."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def public(name: str) -> bool:
    return not name.startswith("_")
