"""The secret of one data folder, and the keys that are derived from it for each purpose."""

import os
import secrets
from pathlib import Path
from typing import Literal, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchkeeper.core.errors import OperatorError

SECRET_BYTES = 32

Purpose = Literal[
    "keys", "subjects", "spool", "snapshot", "sessions", "welcome", "live", "indexes", "bundles", "replays", "evals",
    "online evals",
]  # fmt: skip


class NodeKeyError(OperatorError):
    """The node key is missing or damaged, and what it sealed cannot be read without it."""

    code = "node_key"


class NodeSecrets:
    """Derives one key per purpose (HKDF-SHA256, RFC 5869), so that knowing one tells nothing of another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the node key.

        Raises:
            NodeKeyError: there is none, or it is not 32 bytes long.
        """
        try:
            secret = path.read_bytes()
        except FileNotFoundError:
            raise NodeKeyError(
                f"{path} is missing. Without it nothing in the data folder can be read: restore it from a backup, "
                "or start on an empty folder with --data."
            ) from None
        if len(secret) != SECRET_BYTES:
            raise NodeKeyError(
                f"{path} is damaged: {len(secret)} bytes instead of {SECRET_BYTES}. Restore it from a backup."
            )
        return cls(secret)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the node key, or make one for a new data folder; only its owner may read it.

        Raises:
            NodeKeyError: it is damaged.
        """
        part = path.with_suffix(".part")
        if not path.exists():
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        return cls.load(path)

    def derive(self, purpose: Purpose) -> bytes:
        """Return the 32-byte key of one purpose; always the same for one data folder."""
        info = f"watchkeeper {purpose} 1".encode()
        return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info).derive(self._secret)
