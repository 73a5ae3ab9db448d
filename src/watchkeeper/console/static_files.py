"""The files that pages load, under addresses that change with their content."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PREFIX = "/static"
_FOREVER = "public, max-age=31536000, immutable"


class PageFiles(StaticFiles):
    """Serves the package's `static` folder; a file asked for by its version may be kept for good."""

    def __init__(self) -> None:
        self._folder = Path(str(files("watchkeeper.console") / "static"))
        super().__init__(directory=self._folder)
        self._hrefs = _hrefs(self._folder)

    def href(self, name: str) -> str:
        """Return the address of a file, its version included.

        Raises:
            KeyError: there is no such file; `vendor/` is filled when the package is built or set up.
        """
        return self._hrefs[name]

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304) and scope["query_string"].startswith(b"v="):
            response.headers["cache-control"] = _FOREVER
        return response


def _hrefs(folder: Path) -> Mapping[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(folder).as_posix()
            version = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
            found[name] = f"{PREFIX}/{name}?v={version}"
    return found
