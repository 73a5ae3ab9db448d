"""What may be used only in one place, or only with a reason beside it."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import NamedTuple

import pytest
from tests.tidy.tree import PACKAGE, Source, sources


class Ban(NamedTuple):
    """A name that is used only in the named files."""

    name: str
    instead: str
    allowed: tuple[str, ...] = ()


BANS = (
    Ban(
        "os.environ",
        "a parameter: the environment is read in one place, so that every value can say its source",
        (
            "config/load.py",
            "evals/surroundings.py",
            "cli/eval_promptfoo.py",
            "cli/promptfoo_import.py",
            "sdk/surroundings.py",
            "testing/harness.py",
        ),
    ),
    Ban("os.getenv", "a parameter: the environment is read in config/load.py"),
    Ban("time.time", "a core.clock.Clock, so that tests can hold the time", ("gateway/wire/heads.py",)),
    Ban("time.time_ns", "a core.clock.Clock", ("core/clock.py",)),
    Ban("datetime.now", "a core.clock.Clock", ("core/clock.py",)),
    Ban("datetime.utcnow", "a core.clock.Clock"),
    Ban("datetime.today", "a core.clock.Clock"),
    Ban("date.today", "a core.clock.Clock"),
    Ban("print", "rich in cli, sys.stdout in server, logging elsewhere"),
    Ban("eval", "a parser", ("evals/scorers/python_child.py",)),
    Ban("exec", "a function", ("evals/scorers/python_child.py", "evals/promptfoo/python_child.py")),
    Ban("pickle.loads", "msgspec: unpickling runs what it reads"),
    Ban(
        "logging.basicConfig",
        "logging.getLogger; a process sets up logging where it starts",
        ("server/*.py", "cli/*.py"),
    ),
    Ban("os._exit", "sys.exit", ("server/model.py",)),
)

VAGUE = frozenset({"base", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "util", "utils"})

BROAD_MAX = 14
"""Handlers that keep every error, each at a boundary that says why; those that raise it again are not counted."""
LAZY_MAX = 20
"""Imports inside functions, each with its reason; cli/ is not counted, where a command loads its parts when called."""


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}"
        case _:
            return ""


def _uses(source: Source, name: str) -> Iterator[ast.expr]:
    """A dotted name counts wherever it stands, a plain one where it is called."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute() if "." in name and _dotted(node) == name:
                yield node
            case ast.Call(func=ast.Name(id=called)) if called == name:
                yield node
            case _:
                continue


@pytest.mark.parametrize("ban", BANS, ids=[ban.name for ban in BANS])
def test_a_banned_name_is_used_only_where_it_belongs(ban: Ban) -> None:
    found = [
        f"{source.where(use)}: {ban.name}; use {ban.instead}"
        for source in sources(PACKAGE)
        if not any(fnmatch(source.path, PACKAGE + allowed) for allowed in ban.allowed)
        for use in _uses(source, ban.name)
    ]
    assert found == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [source.path for source in sources(PACKAGE) if VAGUE & set(source.module.split("."))] == []


def test_nothing_is_assigned_from_inside_a_function_to_a_module() -> None:
    found = [
        source.where(node) for source in sources() for node in ast.walk(source.tree) if isinstance(node, ast.Global)
    ]
    assert found == []


def test_whoever_catches_every_error_says_why() -> None:
    broad = [
        (source, node)
        for source in sources(PACKAGE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _dotted(node.type) in ("Exception", "BaseException"))
    ]
    assert [source.where(node) for source, node in broad if not source.says_why(node)] == []
    kept = [node for _, node in broad if not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)]
    assert len(kept) <= BROAD_MAX


def test_no_error_is_swallowed_without_a_word() -> None:
    found = [
        source.where(node)
        for source in sources(PACKAGE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(part, ast.Pass) for part in node.body)
        and not source.says_why(node)
        and not source.says_why(node.body[0])
    ]
    assert found == []


def test_an_import_inside_a_function_says_why() -> None:
    lazy = [
        (source, node)
        for source in sources(PACKAGE)
        for function in source.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert [source.where(node) for source, node in lazy if not source.says_why(node)] == []
    assert len([source for source, _ in lazy if "/cli/" not in source.path]) <= LAZY_MAX


def test_a_silenced_checker_is_told_which_rule_and_why() -> None:
    silenced = re.compile(r"#\s*type:\s*ignore(?!\[[\w, -]+\]\s+#\s*\w)|#\s*noqa(?!:\s*[A-Z]+\d+[\s,-]+\w)")
    found = [
        f"{source.path}:{number}"
        for source in sources(PACKAGE)
        for number, line in enumerate(source.lines, 1)
        if silenced.search(line)
    ]
    assert found == []


def test_a_module_keeps_no_state() -> None:
    """A list, dict or set at module level is a constant: upper case, and nothing in the module changes it."""
    found = []
    for source in sources(PACKAGE):
        for statement in source.tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign) or not _is_mutable(statement.value):
                continue
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if any(not name.isupper() and name != "__all__" for name in names) or _changes(source.tree, set(names)):
                found.append(source.where(statement))
    assert found == []


def _is_mutable(value: ast.expr | None) -> bool:
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _changes(tree: ast.Module, names: set[str]) -> bool:
    changing = {
        "append",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "clear",
        "update",
        "setdefault",
        "add",
        "discard",
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if name in names and verb in changing:
                return True
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in names:
                return True
            case _:
                continue
    return False
