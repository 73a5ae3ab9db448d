"""Reads and writes files below one folder and nowhere else: no `..` beyond it, no links, no devices, nothing large."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from watchkeeper.core.errors import CallerError

BYTES_MAX = 1024 * 1024
"""Of one file."""
STEPS_MAX = 20
"""Of one path below the folder."""


class FileRefused(CallerError):
    """A file is not read or written; the message says why."""

    code = "file_refused"


def below(folder: str, name: str) -> str:
    """Return where a file is, as a path from the top folder with slashes.

    Args:
        folder: Path from the top folder to the one that `name` starts at; empty for the top folder itself.
        name: As it was written; `..` is followed.

    Raises:
        FileRefused: it leads out of the top folder.
    """
    if not name or name.startswith("/") or "\\" in name or not name.isprintable():
        raise FileRefused(f"`{name[:100]}` must be the path of a file below the folder, with slashes")
    steps: list[str] = []
    for step in PurePosixPath(folder, name).parts:
        if step != "..":
            steps.append(step)
        elif steps:
            steps.pop()
        else:
            raise FileRefused(f"`{name[:100]}` leads out of the folder of prompts, and nothing outside it is read")
    if not steps or len(steps) > STEPS_MAX:
        raise FileRefused(f"`{name[:100]}` names no file")
    return "/".join(steps)


def read_bytes(root: Path, path: str) -> bytes:
    """Read an ordinary file that `below` has named.

    Raises:
        FileRefused: it is none, a link leads there, or it is too large.
        FileNotFoundError: it is not there.
    """
    with _folder(root, path) as (folder, name):
        try:
            # Without waiting for a writer, should it be a pipe.
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _refused(path, error) from None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileRefused(f"{path} is not an ordinary file")
        with os.fdopen(handle, "rb") as file:
            content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise FileRefused(f"{path} is larger than {BYTES_MAX // 1024} KiB")
    return content


def read_text(root: Path, path: str) -> str:
    """Read a text with its line breaks as `\\n`; one at the end belongs to the file and not to the text.

    Raises:
        FileRefused: as `read_bytes`, or it is not UTF-8.
        FileNotFoundError: it is not there.
    """
    try:
        text = read_bytes(root, path).decode("utf-8")
    except UnicodeDecodeError:
        raise FileRefused(f"{path} is not UTF-8 text") from None
    return text.replace("\r\n", "\n").removesuffix("\n")


def fits_a_file(text: str) -> bool:
    """Tell whether a text would be read as it was written."""
    return "\r" not in text and "\0" not in text and len(text.encode()) < BYTES_MAX


def write_text(root: Path, path: str, text: str) -> None:
    """Write a text so that `read_text` returns it; folders are made, and the file is replaced whole.

    Raises:
        FileRefused: a link leads there, or it cannot be written.
    """
    with _folder(root, path, make=True) as (folder, name):
        part = f".{name[:100]}.{secrets.token_hex(4)}.part"
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(f"{text}\n".encode())
                os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:  # whatever happened, nothing half written stays
                os.unlink(part, dir_fd=folder)
                raise
        except OSError as error:
            raise _refused(path, error) from None


@contextmanager
def _folder(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder that a file is in, step by step and through no link; yield it and the file's name."""
    *steps, name = path.split("/")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folder = os.open(root, flags)
    try:
        for step in steps:
            try:
                if make:
                    _make(step, folder)
                inner = os.open(step, flags | os.O_NOFOLLOW, dir_fd=folder)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise _refused(path, error) from None
            os.close(folder)
            folder = inner
        yield folder, name
    finally:
        os.close(folder)


def _make(step: str, folder: int) -> None:
    try:
        os.mkdir(step, dir_fd=folder)
    except FileExistsError:
        return


def _refused(path: str, error: OSError) -> FileRefused:
    why = {
        errno.ELOOP: "a link leads there, and links are not followed",
        errno.ENOTDIR: "a link or a file stands where a folder should be",
    }.get(error.errno or 0, error.strerror)
    return FileRefused(f"{path} is not read or written: {why}")
