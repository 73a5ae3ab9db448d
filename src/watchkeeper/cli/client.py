"""Asks the control API: the keeper's, over the socket in the data folder, or the same API in this process."""

import asyncio
import contextlib
import gc
import http.client
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode

from watchkeeper.cli.outcome import FAILED, NOT_FOUND, SET_UP, CommandFailed
from watchkeeper.cli.show import note
from watchkeeper.server import local_socket
from watchkeeper.server.folder import DataFolder, FolderError, FolderLock, write_for_owner_only

TIMEOUT_S = 60.0
HELD_S = 15.0
"""How long a folder may be held by a keeper that does not answer yet, or by another command."""
LOOK_EVERY_S = 0.1
PATIENCE_S = 3.0
"""After which whoever waits is told what for."""


class Refused(CommandFailed):
    """The API refused, in its own words; asking for the same again changes nothing."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: bytes | None = None
    within_s: float = TIMEOUT_S


def get(data: Path, path: str, **query: Any) -> dict[str, Any]:
    """Ask; parameters that are None or empty are left out.

    Raises:
        CommandFailed: the API refused, in its own words, or nobody can be asked.
    """
    return _ask(data, _Request("GET", _with_query(path, query)))


def get_from_keeper(data: Path, path: str, **query: Any) -> dict[str, Any]:
    """As `get`, for what means nothing without a running keeper."""
    found = _over_socket(DataFolder(data.resolve()), _Request("GET", _with_query(path, query)))
    if found is None:
        raise CommandFailed(
            f"No keeper runs on {data.resolve()}, so nothing new will arrive. Start it with `watchkeeper up`.",
            exit_code=SET_UP,
        )
    return found


def post(data: Path, path: str, **body: Any) -> dict[str, Any]:
    """Ask for a change; fields that are None are left out.

    Raises:
        CommandFailed: the API refused, in its own words, or nobody can be asked.
    """
    return _ask(data, _Request("POST", path, _content(body)))


def post_content(data: Path, path: str, content: bytes) -> dict[str, Any]:
    """As `post`, for a body that is written already."""
    return _ask(data, _Request("POST", path, content))


def post_patiently(data: Path, path: str, *, within_s: float, **body: Any) -> dict[str, Any]:
    """As `post`, for what a model must answer first."""
    return _ask(data, _Request("POST", path, _content(body), within_s))


def delete(data: Path, path: str) -> dict[str, Any]:
    """Ask for something to be ended.

    Raises:
        CommandFailed: the API refused, in its own words, or nobody can be asked.
    """
    return _ask(data, _Request("DELETE", path))


def download(data: Path, path: str, file: Path, **query: Any) -> int:
    """Ask for something large and write it into a file, which is replaced when all of it has come; return its bytes.

    Raises:
        CommandFailed: the API refused, in its own words, nobody can be asked, or the file cannot be written.
    """
    request = _Request("GET", _with_query(path, query))
    part_file = file.with_name(f".{file.name}.part")
    try:
        with part_file.open("wb") as into:
            _ask(data, request, into)
            size = into.tell()
        part_file.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}. Nothing was left behind.") from error
    finally:
        part_file.unlink(missing_ok=True)
    return size


def part(text: str) -> str:
    """Write what a person typed as one step of a path; `..` is a name like any other."""
    return quote(text.strip(), safe="").replace(".", "%2E")


def _content(body: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    chosen = {name: value for name, value in query.items() if value not in (None, "", ())}
    return f"{path}?{urlencode(chosen, doseq=True)}" if chosen else path


def _ask(data: Path, request: _Request, into: IO[bytes] | None = None) -> dict[str, Any]:
    """Ask whoever can be asked; what is answered well goes into a file, where there is one to take it."""
    folder = DataFolder(data.resolve())
    if not folder.node_key.exists():
        raise CommandFailed(
            f"There is no Watchkeeper data in {folder.root}. Start it with `watchkeeper up --data {folder.root}`, "
            "or name its folder with --data or WATCHKEEPER_DATA.",
            exit_code=SET_UP,
        )
    deadline = time.monotonic() + HELD_S
    while True:
        for ask in (_over_socket, _in_this_process):
            if (found := ask(folder, request, into)) is not None:
                return found
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"Another watchkeeper holds {folder.root}, and it does not answer. Wait until it has started, "
                f"or look into {folder.run}/keeper.log.",
                exit_code=SET_UP,
            )
        time.sleep(LOOK_EVERY_S)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over the socket in a data folder."""

    def __init__(self, path: Path, within_s: float) -> None:
        super().__init__("watchkeeper", timeout=within_s)
        self._path = path
        self._within_s = within_s

    def connect(self) -> None:
        """Open the connection."""
        self.sock = local_socket.connect(self._path, timeout_s=self._within_s)


def _over_socket(folder: DataFolder, request: _Request, into: IO[bytes] | None = None) -> dict[str, Any] | None:
    """Ask the keeper; None when none listens."""
    headers = {} if request.body is None else {"content-type": "application/json"}
    try:
        with contextlib.closing(_SocketConnection(folder.socket, request.within_s)) as connection:
            with _told_meanwhile(request.within_s):
                connection.request(request.method, request.path, request.body, headers)
                response = connection.getresponse()
            if into is not None and response.status < 400:
                shutil.copyfileobj(response, into)
                return {}
            return _read(response.status, response.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError:
        raise CommandFailed(
            f"The socket {folder.socket} belongs to another user. Run this as the user who started watchkeeper.",
            exit_code=SET_UP,
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailed(
            f"The keeper did not answer ({str(error) or type(error).__name__}); what was asked may or may not be done. "
            "Look, and try again."
        ) from error


@contextlib.contextmanager
def _told_meanwhile(within_s: float) -> Iterator[None]:
    """Say that the keeper is being waited for, once that takes long."""
    words = f"the keeper has not answered yet; what was asked may still be done. Waiting up to {within_s:.0f} s."
    timer = threading.Timer(PATIENCE_S, note, (words,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _in_this_process(folder: DataFolder, request: _Request, into: IO[bytes] | None) -> dict[str, Any] | None:
    """Answer without a keeper; None when somebody else holds the folder."""
    folder.check_version()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(folder))
        except FolderError:
            return None
        # What a command writes elsewhere, such as a folder of prompts, is for whom the person's own mask lets read it.
        stack.callback(os.umask, write_for_owner_only())
        if text := folder.close_to_others():
            note(text)
        stack.enter_context(_without_collections())
        # It loads what a keeper is made of, which a command that reaches a running keeper does not need.
        from watchkeeper.cli.hosting import answer

        status, content = asyncio.run(answer(folder, request.method, request.path, request.body, into=into))
        return {} if into is not None and status < 400 else _read(status, content)


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Look for no cycles among what is loaded, not at the end either: that was a third of a short command's time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _read(status: int, content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
    except ValueError:
        raise CommandFailed("What the keeper answered cannot be read; it may be ending. Look, and try again.") from None
    if "error" not in document or status < 400:
        return document
    error = document["error"]
    kind = Refused if status < 500 else CommandFailed
    raise kind(error["message"], exit_code=NOT_FOUND if status == 404 else FAILED, detail=error.get("detail"))
