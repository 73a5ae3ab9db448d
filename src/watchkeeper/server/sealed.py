"""A small file that only holders of the node key can read, replaced whole."""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchkeeper.core.errors import OperatorError
from watchkeeper.server.folder import DataFolder

_NONCE_BYTES = 12


class SealError(OperatorError):
    """A sealed file was made with another node key, or has been changed."""

    code = "seal_broken"


class SealedFile:
    """One file under AES-256-GCM; a reader sees the old content or the new, never a part."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._cipher = AESGCM(key)

    def write(self, content: bytes) -> None:
        """Replace the content durably."""
        nonce = os.urandom(_NONCE_BYTES)
        # Of two who write at once, neither takes the other's part away.
        part = self.path.with_name(f"{self.path.name}-{secrets.token_hex(6)}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(nonce + self._cipher.encrypt(nonce, content, self.path.name.encode()))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def read(self) -> bytes:
        """Return the content.

        Raises:
            SealError: it was sealed with another key, or has been changed.
            FileNotFoundError: there is no such file.
        """
        sealed = self.path.read_bytes()
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self.path.name.encode())
        except (InvalidTag, ValueError):
            raise SealError(
                f"{self.path} was sealed with another node key or has been changed. "
                "Restore the node.key that belongs to this data folder; the file is written anew at the next change."
            ) from None


class FollowedFile:
    """A sealed file that another process replaces."""

    def __init__(self, file: SealedFile) -> None:
        self._file = file
        self._stamp: tuple[int, int] = (0, 0)

    def news(self) -> bytes | None:
        """Return the content where it is another than at the last look; None where it is the same, or not there.

        Raises:
            SealError: it was sealed with another key, or has been changed; that is said at every look.
            OSError: it cannot be read.
        """
        try:
            found = self._file.path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp == self._stamp:
                return None
            content = self._file.read()
        except FileNotFoundError:
            return None
        self._stamp = stamp
        return content


def release_file(folder: DataFolder, key: bytes, release: str) -> SealedFile:
    """Return where a release's canonical recipe is kept for the workers."""
    return SealedFile(folder.releases / release, key)
