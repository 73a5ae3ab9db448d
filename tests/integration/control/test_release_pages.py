"""What the pages on releases and environments show works as it stands there, typed line by line."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration.control.commands import Command, LoneCommand
from tests.integration.control.released import ReleaseKeeper, variant

from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.authoring import read_authored
from watchkeeper.server.folder import DataFolder
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


class Desk:
    """A folder to work in, and a keeper to ask."""

    def __init__(self, home: Path, keeper: ReleaseKeeper, wk: Command) -> None:
        self.home = home
        self.data = keeper.folder
        self._keeper = keeper
        self._wk = wk
        self.configure(CONFIG)

    def configure(self, text: str) -> None:
        self._keeper.config = Config.model_validate(yaml.safe_load(text))

    def type(self, line: str) -> str:
        """Run one line; it must fail where a comment says that it is refused, and only there."""
        command, *arguments = shlex.split(line, comments=True)
        if command != "watchkeeper":
            subprocess.run([command, *arguments], cwd=self.home, check=True)
            return ""
        code = self._wk(*arguments, data=self.data.root)
        assert (code != 0) == line.rstrip().endswith("# refused"), f"{line}\n{self._wk.out}{self._wk.err}"
        assert "Please report" not in self._wk.err
        return self._wk.out + self._wk.err


def push(data: DataFolder, text: str, author: str) -> str:
    """Push a release as somebody else would over the API."""

    async def pushed() -> str:
        store = await ControlStore.open(f"sqlite:///{data.control_db}", SystemClock())
        parent = await store.releases.head("support")
        recipe = read_authored(variant(text, model="default"))
        row, _ = await store.releases.push(recipe, parent=parent, author=author, message=text)
        await store.close()
        return row.id

    return asyncio.run(pushed())


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, wk: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    # A socket's path has room for about 100 characters, which the folders of tests can exceed.
    keeper = ReleaseKeeper(tmp_path_factory.mktemp("k"))
    keeper.start()
    assert keeper.is_ready.wait(20)
    home = tmp_path_factory.mktemp("desk")
    monkeypatch.chdir(home)
    yield Desk(home, keeper, wk)
    keeper.stop()


def test_the_page_on_releases_is_a_walk_that_works(desk: Desk) -> None:
    said = ""
    for kind, text in blocks("releases.md"):
        named = re.match(r"# (prompts/\S+)\n", text)
        if named is not None:
            (desk.home / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (desk.home / named[1]).write_text(text.removeprefix(named[0]))
        elif kind == "sh":
            said += "".join(desk.type(line) for line in text.strip().splitlines())
    assert "support: pushed, wk1-" in said
    assert "no place was changed by both" in said
    assert "both changed parameters.max_tokens" in said
    text = (desk.home / "prompts/support/release.yaml").read_text()
    assert "max_tokens: 100" in text and "# a route, or provider/model" in text
    assert (desk.home / "prompts/support/system.md").read_text().startswith("You speak for")


def test_the_page_on_environments_is_a_walk_that_works(desk: Desk) -> None:
    push(desk.data, "You answer for {{ company }} in {{ language }}.", "ana")
    said = ""
    for kind, text in blocks("environments.md"):
        if kind == "yaml":
            desk.configure(f"{CONFIG}{text}")
            push(desk.data, "You answer for {{ company }} in {{ language }}, shortly.", "ben")
        else:
            said += "".join(desk.type(line) for line in text.strip().splitlines())
    for words in (
        "Nothing stood before what is live",
        "no worker runs here",
        "nobody has been asked: `watchkeeper release request support",
        "the check answers has not been run for it",
        "production is frozen by local since",
    ):
        assert words in said, words


def test_without_a_keeper_rules_that_cannot_be_read_let_nothing_through(
    tmp_path: Path, data: Path, lone_wk: LoneCommand
) -> None:
    config = tmp_path / "watchkeeper.yaml"
    config.write_text(CONFIG + RULES)
    DataFolder(data).last_config.write_text(str(config))
    push(DataFolder(data), "You answer for {{ company }} in {{ language }}.", "ana")
    command = ("release", "promote", "support", "--to", "production")
    assert lone_wk(*command, data=data) == 1 and "What is missing" in lone_wk.err
    config.write_text(f"{CONFIG}{RULES}nonsense: [")
    assert lone_wk(*command, data=data) == 4 and "not YAML" in lone_wk.err
