"""Bundles kept in a folder, for when the gateway is down. Each file carries an HMAC under the API key's secret.

Whoever can write the folder and does not have the key can neither change a bundle, nor put one in the place of another,
nor change the pinned public key. A file is replaced whole; several processes may share the folder.
"""

import contextlib
import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from watchkeeper.releases.bundle import DOCUMENT_BYTES_MAX, BundleRefused

FILES_MAX = 200
"""Bundles in a folder; the ones that were written the longest ago go first."""
LEFTOVERS_MAX = 20
"""Unfinished files that are left alone; more are from processes that have died."""
_READABLE_MAX = 60

_log = logging.getLogger("watchkeeper.sdk")


class Kept(Struct, frozen=True):
    """A bundle as it was fetched."""

    name: str
    """What it was asked for as."""
    document: str
    """Signed."""
    etag: str
    confirmed_ns: int
    """When the gateway last said that this is what it serves (Unix time)."""


class _Pin(Struct, frozen=True):
    public_key: str


class _File(Struct, frozen=True):
    content: msgspec.Raw
    mac: str


Form = TypeVar("Form", Kept, _Pin)


class Disk:
    """Keeps what one key has fetched from one gateway."""

    def __init__(self, folder: Path, *, origin: str, api_key: str) -> None:
        self._folder = folder
        self._owner = f"{origin}\n{api_key.rpartition('-')[0]}\n"
        self._key = hmac.digest(api_key.encode(), b"watchkeeper sdk cache 1", hashlib.sha256)
        self._is_troubled = False

    def read(self, name: str) -> Kept | None:
        """Return what is kept under a name; None when nothing is, or it cannot be read.

        Raises:
            BundleRefused: the file was altered, or written with another key; the error names it.
        """
        path = self.path(name)
        content = self._read(path)
        if content is None:
            return None
        kept = _decoded(content, Kept, path)
        if kept.name != name:
            raise _altered(path)
        return kept

    def write(self, kept: Kept) -> None:
        """Keep a bundle; where that cannot be done, it is logged once and nothing else changes."""
        path = self.path(kept.name)
        if not path.exists():
            self._make_room()
        self._write(path, msgspec.json.encode(kept))

    def forget(self, name: str) -> None:
        """Remove what is kept under a name."""
        with contextlib.suppress(OSError):
            self.path(name).unlink(missing_ok=True)

    def pinned(self) -> str:
        """Return the public key that was pinned at the first fetch; empty when none was.

        Raises:
            BundleRefused: the file was altered, or written with another key; the error names it.
        """
        content = self._read(self.pin_path)
        return "" if content is None else _decoded(content, _Pin, self.pin_path).public_key

    def pin(self, public_key: str) -> None:
        """Keep the public key of a gateway that was asked for the first time."""
        self._write(self.pin_path, msgspec.json.encode(_Pin(public_key)))

    @property
    def pin_path(self) -> Path:
        """Where the pinned key is."""
        return self._folder / f"gateway-{self._digest('pin')}.pin"

    def path(self, name: str) -> Path:
        """Where a bundle is."""
        readable = re.sub(r"[^A-Za-z0-9@._-]", "_", name)[:_READABLE_MAX]
        return self._folder / f"{readable}-{self._digest(name)}.json"

    def _digest(self, name: str) -> str:
        return hashlib.sha256((self._owner + name).encode()).hexdigest()[:16]

    def _mac(self, path: Path, content: bytes) -> str:
        """Bind the content to its place, so that one file cannot stand for another."""
        return hmac.digest(self._key, path.name.encode() + b"\n" + content, hashlib.sha256).hex()

    def _read(self, path: Path) -> bytes | None:
        try:
            with path.open("rb") as file:
                written = file.read(2 * DOCUMENT_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._note(f"{path} cannot be read: {error.strerror}")
            return None
        content, mac = _file(written, path)
        if not hmac.compare_digest(self._mac(path, content), mac):
            raise _altered(path)
        return content

    def _write(self, path: Path, content: bytes) -> None:
        written = msgspec.json.encode(_File(msgspec.Raw(content), self._mac(path, content)))
        part = self._folder / f".{secrets.token_hex(8)}.part"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            self._is_troubled = False
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self._note(f"{path} cannot be written: {error.strerror}. Prompts come from memory only")

    def _make_room(self) -> None:
        for pattern, most in (("*.json", FILES_MAX - 1), (".*.part", LEFTOVERS_MAX)):
            aged = []
            for path in self._folder.glob(pattern):
                with contextlib.suppress(OSError):  # another process may have removed it
                    aged.append((path.stat().st_mtime_ns, path))
            for _, path in sorted(aged, reverse=True)[most:]:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _note(self, trouble: str) -> None:
        if not self._is_troubled:
            self._is_troubled = True
            _log.warning("%s.", trouble)


def _file(written: bytes, path: Path) -> tuple[bytes, str]:
    try:
        file = msgspec.json.decode(written, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _altered(path) from None
    return bytes(file.content), file.mac


def _decoded(content: bytes, form: type[Form], path: Path) -> Form:
    try:
        return msgspec.json.decode(content, type=form)
    except msgspec.MsgspecError:
        raise _altered(path) from None


def _altered(path: Path) -> BundleRefused:
    return BundleRefused(
        f"{path} has been altered since it was written, or was written with another API key. It is not used. Remove "
        "it, or let the gateway be reached, and it is written anew."
    )
