"""What the pages on releases and environments show works as it stands there, typed into a shell."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration.control.commands import new_folder
from tests.integration.control.released import variant

from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.authoring import read_authored
from watchkeeper.store.control import ControlStore

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
CONFIG = """\
providers: {openai: {base_url: "https://api.openai.com/v1"}}
routes: {default: {targets: [openai/gpt-4o-mini]}}
"""
RULES = "environments: {production: {approvals: 1, gate: [answers]}}\n"


def blocks(page: str) -> Iterator[tuple[str, str]]:
    yield from ((found[1], found[2]) for found in BLOCK.finditer((DOCS / page).read_text("utf-8")))


class Shell:
    """A folder to work in, with `watchkeeper` on its path and no keeper running."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = new_folder(home / "data")
        (home / "bin").mkdir()
        command = home / "bin/watchkeeper"
        command.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "from watchkeeper.cli.main import main; main()" "$@"\n'
        )
        command.chmod(0o700)
        self.configure(CONFIG)

    def configure(self, text: str) -> None:
        (self.home / "watchkeeper.yaml").write_text(text)
        self.data.last_config.write_text(str(self.home / "watchkeeper.yaml"))

    def type(self, line: str) -> str:
        """Run one line; it must fail where a comment says that it is refused, and only there."""
        environment = os.environ | {
            "PATH": f"{self.home}/bin:{os.environ['PATH']}",
            "WATCHKEEPER_DATA": str(self.data.root),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(["sh", "-c", line], cwd=self.home, env=environment, capture_output=True, text=True)
        assert (done.returncode != 0) == line.rstrip().endswith("# refused"), f"{line}\n{done.stdout}{done.stderr}"
        assert "Please report" not in done.stderr
        return done.stdout + done.stderr

    def push(self, text: str, author: str) -> str:
        """Push a release as somebody else would over the API."""

        async def push() -> str:
            store = await ControlStore.open(f"sqlite:///{self.data.control_db}", SystemClock())
            parent = await store.releases.head("support")
            recipe = read_authored(variant(text, model="default"))
            row, _ = await store.releases.push(recipe, parent=parent, author=author, message=text)
            await store.close()
            return row.id

        return asyncio.run(push())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_page_on_releases_is_a_walk_that_works(shell: Shell) -> None:
    said = ""
    for kind, text in blocks("releases.md"):
        named = re.match(r"# (prompts/\S+)\n", text)
        if named is not None:
            (shell.home / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (shell.home / named[1]).write_text(text.removeprefix(named[0]))
        elif kind == "sh":
            said += "".join(shell.type(line) for line in text.strip().splitlines())
    assert "support: pushed, wk1-" in said
    assert "no place was changed by both" in said
    assert "both changed parameters.max_tokens" in said
    text = (shell.home / "prompts/support/release.yaml").read_text()
    assert "max_tokens: 100" in text and "# a route, or provider/model" in text
    assert (shell.home / "prompts/support/system.md").read_text().startswith("You speak for")


def test_the_page_on_environments_is_a_walk_that_works(shell: Shell) -> None:
    shell.push("You answer for {{ company }} in {{ language }}.", "ana")
    said = ""
    for kind, text in blocks("environments.md"):
        if kind == "yaml":
            rules = yaml.safe_load(text)["environments"]
            assert set(Config.model_validate({"environments": rules}).environments) == {
                "production",
                "staging",
                "canada",
            }
            shell.configure(f"{CONFIG}{text}")
            shell.push("You answer for {{ company }} in {{ language }}, shortly.", "ben")
        else:
            said += "".join(shell.type(line) for line in text.strip().splitlines())
    for words in (
        "Nothing stood before what is live",
        "no worker runs here",
        "nobody has been asked: `watchkeeper release request support",
        "the check answers has not been run for it",
        "production is frozen by local since",
    ):
        assert words in said, words


def test_rules_that_cannot_be_read_let_nothing_through(shell: Shell) -> None:
    shell.configure(CONFIG + RULES)
    shell.push("You answer for {{ company }} in {{ language }}.", "ana")
    assert "What is missing" in shell.type("watchkeeper release promote support --to production # refused")
    shell.configure(f"{CONFIG}{RULES}nonsense: [")
    assert "not YAML" in shell.type("watchkeeper release promote support --to production # refused")
    assert shell.type("watchkeeper release history support") == ""
