"""What `watchkeeper up` prints of the first key, and where."""

import io
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from watchkeeper.server.sealed import SealedFile
from watchkeeper.server.welcome import Welcome, greeting, show_welcome

KEY = "sk-wk-FAKEkey00001-" + "fake" * 10
FRESH = Welcome(key_id="FAKEkey00001", key=KEY, model="m", login_path="/login?token=t")


class Screen(io.StringIO):
    """A terminal, or the log of a service."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def file(tmp_path: Path) -> SealedFile:
    made = SealedFile(tmp_path / "welcome", b"w" * 32)
    made.write(msgspec.json.encode(FRESH))
    return made


def _shown(file: SealedFile, *, is_terminal: bool) -> str:
    screen = Screen(is_terminal=is_terminal)
    show_welcome(file, screen, gateway="http://127.0.0.1:4000", console="http://127.0.0.1:4080")
    return screen.getvalue()


def test_the_log_of_a_service_gets_the_first_key_once(file: SealedFile) -> None:
    assert f"Bearer {KEY}" in _shown(file, is_terminal=False)
    again = _shown(file, is_terminal=False)
    assert KEY not in again
    assert "sk-wk-FAKEkey00001-...  (shown at the first start)" in again


def test_a_terminal_is_shown_the_first_key_at_each_start_until_it_is_used(file: SealedFile) -> None:
    assert KEY in _shown(file, is_terminal=True)
    assert KEY in _shown(file, is_terminal=True)
    file.write(msgspec.json.encode(msgspec.structs.replace(FRESH, key="", is_key_shown=True)))
    assert KEY not in _shown(file, is_terminal=True)


def test_who_has_no_key_is_told_how_to_make_one() -> None:
    said = greeting(Welcome(), gateway="http://127.0.0.1:4000", console="http://127.0.0.1:4080", shows_key=False)
    assert "Make a key:  watchkeeper keys create --feature NAME" in said
    assert "sign in" not in said
    assert said.endswith("\nCtrl-C stops it.\n")


def test_the_supervisor_loads_nothing_of_what_the_processes_that_it_starts_need() -> None:
    check = (
        "import sys, watchkeeper.server.up\n"
        "heavy = {'chdb', 'fastapi', 'httpx', 'numpy', 'sqlalchemy', 'uvicorn', 'watchkeeper.gateway.app'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
