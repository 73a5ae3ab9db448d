"""Where the `watchkeeper` command is."""

import shutil
import sys
from pathlib import Path


def watchkeeper() -> list[str]:
    """Return the command beside this interpreter, or the module when the package is not installed there."""
    beside = Path(sys.executable).with_name("watchkeeper")
    found = str(beside) if beside.exists() else shutil.which("watchkeeper")
    return [found] if found else [sys.executable, "-m", "watchkeeper.cli.main"]
