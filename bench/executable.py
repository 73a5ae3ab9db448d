"""Where the `watchkeeper` command is."""

import shutil
import sys
from pathlib import Path

from watchkeeper.testing.harness import COMMAND


def watchkeeper() -> list[str]:
    """Return the command beside this interpreter, or the same by way of the interpreter where none is there."""
    beside = Path(sys.executable).with_name("watchkeeper")
    found = str(beside) if beside.exists() else shutil.which("watchkeeper")
    return [found] if found else [*COMMAND]
