"""One data folder: one process, one version, one key."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from watchkeeper.server.folder import FORMAT, DataFolder, FolderError, FolderLock
from watchkeeper.server.sealed import SealedFile, SealError


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def test_a_folder_from_a_newer_version_is_refused_and_left_as_it_was(folder: DataFolder) -> None:
    mark = folder.root / "VERSION"
    mark.write_text(f"{FORMAT + 1}\n")
    with pytest.raises(FolderError, match="Start the version that wrote it"):
        folder.create()
    assert mark.read_text() == f"{FORMAT + 1}\n"


def test_a_folder_with_a_garbled_version_is_refused(folder: DataFolder) -> None:
    (folder.root / "VERSION").write_text("soon")
    with pytest.raises(FolderError, match="'soon'"):
        folder.create()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(FolderError, match="--data"):
        DataFolder(tmp_path / "data").create()
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777, 0o711])
def test_a_folder_that_others_can_look_into_is_closed_and_that_is_said_once(folder: DataFolder, mode: int) -> None:
    folder.root.chmod(mode)
    assert f"({mode:o})" in folder.close_to_others()
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert folder.close_to_others() == ""


def test_a_folder_that_all_accounts_share_is_left_as_it_is(folder: DataFolder) -> None:
    folder.root.chmod(0o1777)
    assert "a folder of its own" in folder.close_to_others()
    assert folder.root.stat().st_mode & 0o7777 == 0o1777


def test_a_second_process_is_told_who_holds_the_folder(folder: DataFolder) -> None:
    code = (
        "import sys; from pathlib import Path; from watchkeeper.server.folder import *\n"
        "with FolderLock(DataFolder(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(FolderError, match=f"process {other.pid}"), FolderLock(folder):
        pass
    other.kill()
    other.wait()
    with FolderLock(folder):
        pass


def test_a_sealed_file_opens_with_its_key_only_and_shows_tampering(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    SealedFile(path, b"k" * 32).write(b"routes and secrets")
    assert b"secrets" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert SealedFile(path, b"k" * 32).read() == b"routes and secrets"
    with pytest.raises(SealError):
        SealedFile(path, b"x" * 32).read()
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(SealError):
        SealedFile(path, b"k" * 32).read()


def test_two_who_write_a_sealed_file_at_once_both_succeed_and_leave_one_whole(tmp_path: Path) -> None:
    path, contents = tmp_path / "release", [bytes([letter]) * 10_000 for letter in range(16)]
    with ThreadPoolExecutor(8) as writers:
        for written in [writers.submit(SealedFile(path, b"k" * 32).write, one) for one in contents * 4]:
            written.result()
    assert SealedFile(path, b"k" * 32).read() in contents
    assert list(tmp_path.iterdir()) == [path]
