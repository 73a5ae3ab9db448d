"""Public names are documented, and what the documents name exists."""

import ast
import re
from collections.abc import Iterator

import pytest
from tests.tidy.tree import PACKAGE, ROOT, Source, modules, public, sources, tracked

FOLDERS = frozenset(name.split(".")[1] for name in modules() if "." in name)
DOCUMENTS = [path for path in tracked() if path.endswith(".md")]
FIRST_COMMAND_WITHIN_LINES = 15


def _undocumented(source: Source) -> Iterator[str]:
    if ast.get_docstring(source.tree) is None:
        yield source.path
    yield from _undocumented_in(source, source.tree)


def _undocumented_in(source: Source, parent: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in parent.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or not public(node.name):
            continue
        if ast.get_docstring(node) is None and not _repeats_a_promise(parent, node):
            yield f"{source.where(node)} {node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_in(source, node)


def _repeats_a_promise(parent: ast.Module | ast.ClassDef, node: ast.stmt) -> bool:
    """A method may be documented where it is promised: by a base, or by the parser that calls `on_...`."""
    if not isinstance(parent, ast.ClassDef) or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return bool(parent.bases) or node.name.startswith("on_")


def test_every_public_name_is_documented() -> None:
    assert [missing for source in sources(PACKAGE) for missing in _undocumented(source)] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_names_only_modules_that_exist(path: str) -> None:
    missing = [
        name
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:\.[A-Z]\w*)?`", (ROOT / path).read_text("utf-8"))
        if name.split(".")[0] in FOLDERS and not _exists(name)
    ]
    assert missing == []


def _exists(name: str) -> bool:
    """A module, or a public function or constant of one."""
    full = f"watchkeeper.{name}"
    module, _, leaf = full.rpartition(".")
    if full in modules():
        return True
    found = next((source for source in sources(PACKAGE) if source.module == module), None)
    return found is not None and re.search(rf"\b{re.escape(leaf)}\b", found.text) is not None


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_links_only_to_files_that_exist(path: str) -> None:
    here = (ROOT / path).parent
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / path).read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (here / link).exists()] == []


def test_the_readme_comes_to_the_first_command_at_once() -> None:
    head = (ROOT / "README.md").read_text("utf-8").splitlines()[:FIRST_COMMAND_WITHIN_LINES]
    assert any(line.startswith("make up") for line in head)


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs/dependencies.md").read_text("utf-8").lower()
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert listed is not None
    names = re.findall(r'^\s*"([\w.-]+)', listed[1], re.MULTILINE)
    assert names
    assert [name for name in names if f"`{name.lower()}`" not in reasons] == []
