"""Copies the two browser libraries from `node_modules` into the package: `python -m watchkeeper.console.assets`.

Needs nothing but the standard library, because it also runs while a wheel is built.
"""

import shutil
from pathlib import Path

FILES = {
    "node_modules/htmx.org/dist/htmx.min.js": "htmx.min.js",
    "node_modules/uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "node_modules/uplot/dist/uPlot.min.css": "uPlot.min.css",
}


def copy(root: Path) -> list[Path]:
    """Copy the files from a checkout whose `npm ci` has run; return where they are now.

    Raises:
        FileNotFoundError: `npm ci` has not run there.
    """
    folder = root / "src" / "watchkeeper" / "console" / "static" / "vendor"
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(root / source, folder / name)) for source, name in FILES.items()]


if __name__ == "__main__":
    copy(Path.cwd())
