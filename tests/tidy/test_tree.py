"""The repository holds nothing that ties it to one machine, and nothing that nobody uses."""

import ast
import re
from importlib.util import resolve_name

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports
from tests.tidy.tree import PACKAGE, ROOT, Source, modules, sources, tracked

LOCKS = [path for path in tracked() if path.startswith("requirements/") and path.endswith(".txt")]
HOSTS = re.compile(
    rb"(?i)\b(?:files\.pythonhosted|pypi|test\.pypi|registry\.npmjs|registry\.yarnpkg)\.(?:org|com)\b|--(?:extra-)?index-url|--find-links"
)
MACHINE_PATHS = re.compile(rb"(?:^|[\s\"'=(:])(?:/(?:home|Users|root|work|mnt)/[\w.-]+|/tmp/[\w.-]+|[A-Z]:\\\\Users)")
HASH_LENGTH = 64

RUN_BY_NAME = frozenset(
    {
        "watchkeeper.cli.main",
        "watchkeeper.config.explain",
        "watchkeeper.config.reference",
        "watchkeeper.console.assets",
        "watchkeeper.evals.scorers.python_child",
        "watchkeeper.store.migrations.env",
        "watchkeeper.store.migrations.versions.v0001_first",
        "watchkeeper.store.migrations.versions.v0002_drills",
        "watchkeeper.store.migrations.versions.v0003_ledger",
        "watchkeeper.store.migrations.versions.v0004_prices",
        "watchkeeper.store.migrations.versions.v0005_alerts",
        "watchkeeper.store.migrations.versions.v0006_budget_edits_and_reviews",
        "watchkeeper.store.migrations.versions.v0007_access",
        "watchkeeper.store.migrations.versions.v0008_releases",
        "watchkeeper.store.migrations.versions.v0009_evals",
        "watchkeeper.store.migrations.versions.v0010_labels",
        "watchkeeper.store.migrations.versions.v0011_eval_schedules",
        "watchkeeper.store.migrations.versions.v0012_drift",
        "watchkeeper.store.migrations.versions.v0013_eval_pages",
    }
)
"""Modules that are started by name, and are imported by nothing."""


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # It would switch off every logger there is, which the tests behind it in this process look at.
    monkeypatch.setattr("importlinter.cli._configure_logging", lambda verbose: None)
    assert lint_imports(cache_dir=None) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("pattern", [HOSTS, MACHINE_PATHS], ids=["package host", "path of one machine"])
def test_no_tracked_file_names_a(pattern: re.Pattern[bytes]) -> None:
    found = [
        f"{path}: {match[0].decode(errors='replace')}"
        for path in tracked()
        if path != "tests/tidy/test_tree.py" and not path.endswith((".png", ".ico"))
        for match in pattern.finditer((ROOT / path).read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_file_gives_every_package_one_version_and_its_hashes(path: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / path).read_text("utf-8").strip())
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[\w.+!]+( ; [^\\]+)? \\\n", entry), entry[:100]
        hashes = re.findall(r"--hash=sha256:([0-9a-f]+)", entry)
        assert hashes and all(len(digest) == HASH_LENGTH for digest in hashes), entry[:100]


def test_every_module_is_used() -> None:
    used = set(RUN_BY_NAME)
    for source in (*sources(PACKAGE), *sources("tests/"), *sources("bench/"), *sources("scripts/")):
        used |= _mentions(source)
    unused = {
        name for name in modules() if name not in used and not _is_package(name) and not name.endswith(".__main__")
    }
    assert unused == set()


def _is_package(name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in modules()) or name == "watchkeeper"


def _mentions(source: Source) -> set[str]:
    """Modules that a file imports, or names in a string that is the whole of a module's name."""
    found: set[str] = set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                base = resolve_name("." * level + (module or ""), source.module) if level else module or ""
                found |= {base, *(f"{base}.{alias.name}" for alias in names)}
            case ast.Constant(value=str(text)) if text.startswith("watchkeeper."):
                found.add(text.partition(":")[0])
            case _:
                continue
    found.discard(source.module)
    return found
