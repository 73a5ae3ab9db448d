"""`watchkeeper index`, over a keeper's socket and without a keeper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control.commands import Command, Keeper, LoneCommand, new_folder


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    found = Keeper(tmp_path_factory.mktemp("k"), lambda ids, clock: {})
    found.start()
    assert found.is_ready.wait(30)
    yield found
    found.stop()


@pytest.fixture
def data(keeper: Keeper) -> Path:
    return keeper.folder.root


@pytest.fixture
def wk(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nGoods can be sent back within 30 days.\n")
    (folder / "hours.md").write_text("# Hours\n\nWe are open from nine to five.\n")
    (folder / "logo.png").write_bytes(b"\x89PNG")
    return folder


def test_a_folder_becomes_an_index_that_is_searched(wk: Command, data: Path, shop: Path) -> None:
    assert wk("index", "build", str(shop), data=data) == 0, wk.err
    assert wk.out.startswith("built shop version ") and "2 documents, 2 passages, 2 of them embedded now" in wk.out
    assert "left out: logo.png is of a kind that is not read (.png)" in wk.err
    version = wk.out.split()[3].rstrip(":")
    assert wk("index", "build", str(shop), data=data) == 0
    assert wk.out == f"unchanged: shop version {version}: 2 documents, 2 passages, 0 of them embedded now\n"
    assert wk("index", "list", data=data) == 0
    assert wk.out.split("\t")[:5] == ["shop", "1", version, "2", "2"]
    assert wk("index", "show", "shop", data=data) == 0
    assert "logo.png" in wk.err
    assert wk("index", "search", "shop", "how do I send a thing back?", data=data) == 0
    assert "returns.md  Returns" in wk.out.splitlines()[0] and "30 days" in wk.out.splitlines()[1]
    (shop / "hours.md").write_text("# Hours\n\nWe are open from ten to five.\n")
    assert wk("index", "build", str(shop), "--version", "autumn", data=data) == 0
    assert "shop version autumn: 2 documents, 2 passages, 1 of them embedded now" in wk.out
    (shop / "hours.md").unlink()
    assert wk("index", "build", str(shop), "--version", "autumn", data=data) == 1
    assert "never changes" in wk.err
    assert wk("index", "remove", "shop", "autumn", data=data) == 0
    assert wk("index", "search", "shop", "x", "--version", "autumn", data=data) == 3
    assert wk("changes", data=data) == 0
    assert "index shop: version autumn removed" in wk.out


def test_what_cannot_be_done_is_said(wk: Command, data: Path, tmp_path: Path) -> None:
    assert wk("index", "show", "nothing", data=data) == 3
    assert "There is no index 'nothing'" in wk.err
    assert wk("index", "build", str(tmp_path / "none"), "--collection", "x", data=data) == 1
    assert "cannot be read" in wk.err
    (tmp_path / "paper.pdf").write_bytes(b"%PDF")
    assert wk("index", "build", str(tmp_path), "--collection", "x", data=data) == 1
    assert "paper.pdf is of a kind that is not read (.pdf); convert it to text first" in wk.err
    assert wk("index", "build", str(tmp_path), "--collection", "../x", data=data) == 1
    assert "cannot name an index" in wk.err
    (tmp_path / "a.md").write_text("a")
    assert wk("index", "build", str(tmp_path), "--collection", "x", "--version", "a/b", data=data) == 1
    assert "cannot name a version" in wk.err


def test_an_index_is_built_without_a_keeper(lone_wk: LoneCommand, tmp_path: Path, shop: Path) -> None:
    data = new_folder(tmp_path / "data").root
    assert lone_wk("index", "build", str(shop), data=data) == 0, lone_wk.err
    assert lone_wk("index", "search", "shop", "opening hours", "--top-k", "1", data=data) == 0, lone_wk.err
    assert "hours.md" in lone_wk.out


@pytest.fixture
def lone_wk(capsys: pytest.CaptureFixture[str]) -> LoneCommand:
    return LoneCommand(capsys)
