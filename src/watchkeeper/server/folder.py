"""The data folder: what lies where, which version wrote it, and who holds it."""

import fcntl
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from watchkeeper.core.errors import OperatorError

FORMAT = 1
"""Raised when an older version could not read what this one writes."""


OWNER_ONLY = 0o700
HOST_BYTES = 8


def write_for_owner_only() -> int:
    """From now on, what this process and its children make can be read by its owner only; return the former mask."""
    return os.umask(0o777 & ~OWNER_ONLY)


class FolderError(OperatorError):
    """The data folder cannot be used as it is; nothing in it was changed."""

    code = "data_folder"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths inside one data folder."""

    root: Path

    @property
    def control_db(self) -> Path:
        """SQLite file of the control database, unless the configuration names another."""
        return self.root / "control.db"

    @property
    def analytics(self) -> Path:
        """Folder of the embedded analytics store."""
        return self.root / "analytics"

    @property
    def spool(self) -> Path:
        """One folder of segments for each worker."""
        return self.root / "spool"

    @property
    def run(self) -> Path:
        """What belongs to the running processes only."""
        return self.root / "run"

    @property
    def snapshot(self) -> Path:
        """The compiled control state, sealed with the node key."""
        return self.root / "snapshot"

    @property
    def live(self) -> Path:
        """Which release each feature serves in each environment, sealed with the node key."""
        return self.root / "live"

    @property
    def releases(self) -> Path:
        """A file for each release, sealed with the node key."""
        return self.root / "releases"

    @property
    def serving(self) -> Path:
        """What each worker serves: the version of `live` that it has."""
        return self.run / "serving"

    @property
    def heartbeat(self) -> Path:
        """Touched by the keeper while it is there."""
        return self.run / "keeper.alive"

    @property
    def indexes(self) -> Path:
        """Versions of indexes as files that workers map, a folder for each collection."""
        return self.root / "indexes"

    @property
    def socket(self) -> Path:
        """Where the keeper answers the command line."""
        return self.run / "keeper.sock"

    @property
    def ledger_socket(self) -> Path:
        """Where the keeper grants leases to workers."""
        return self.run / "ledger.sock"

    @property
    def holds(self) -> Path:
        """What calls under way have set aside, a file for each life of a worker."""
        return self.run / "holds"

    @property
    def meters(self) -> Path:
        """What each worker has counted."""
        return self.run / "meters"

    @property
    def breakers(self) -> Path:
        """State of the targets' breakers, which all workers share."""
        return self.run / "breakers"

    @property
    def node_key(self) -> Path:
        """The secret that everything in this folder is sealed with."""
        return self.root / "node.key"

    @property
    def config(self) -> Path:
        """The configuration written at the first start when none was named."""
        return self.root / "watchkeeper.yaml"

    @property
    def last_config(self) -> Path:
        """Holds the path of the configuration that the latest start was given."""
        return self.root / "last-config"

    def host_id(self) -> str:
        """Return what tells this folder's workers from those of others that share the databases; made when first asked.

        Raises:
            OSError: it cannot be kept.
        """
        path = self.root / "host"
        if not path.exists():
            part = self.root / "host.part"
            part.write_text(f"{secrets.token_hex(HOST_BYTES)}\n")
            part.replace(path)
        return path.read_text().strip()

    def create(self) -> None:
        """Make the folder ready, or check that this version can use what is there.

        Raises:
            FolderError: a newer version wrote it, or it cannot be written to.
        """
        try:
            self.root.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
            for path in (self.run, self.spool, self.meters, self.holds, self.releases, self.serving):
                path.mkdir(mode=OWNER_ONLY, exist_ok=True)
            self.check_version()
            mark = self.root / "VERSION"
            if not mark.exists():
                mark.write_text(f"{FORMAT}\n")
        except OSError as error:
            raise FolderError(
                f"The data folder {self.root} cannot be used: {error.strerror}. Name another with --data."
            ) from error

    def close_to_others(self) -> str:
        """Take every right on the folder from everybody but its owner.

        Returns:
            What the operator should know: that a right was taken, or why it could not be; empty when there was none.
        """
        found = self.root.stat()
        mode = stat.S_IMODE(found.st_mode)
        if not mode & ~OWNER_ONLY & 0o777:
            return ""
        if mode & stat.S_ISVTX or found.st_uid != os.geteuid():
            return (
                f"Other accounts can look into the data folder {self.root} ({mode:o}), which is not this account's "
                "alone. What is made in it from now on they cannot read; better give it a folder of its own."
            )
        self.root.chmod(OWNER_ONLY)
        return f"Other accounts could look into the data folder {self.root} ({mode:o}); now only its owner can (700)."

    def check_version(self) -> None:
        """Refuse a folder that a newer version has written.

        Raises:
            FolderError: it has.
        """
        mark = self.root / "VERSION"
        found = mark.read_text().strip() if mark.exists() else str(FORMAT)
        if not found.isdigit() or int(found) > FORMAT:
            raise FolderError(
                f"The data folder {self.root} has format {found[:20]!r} and this version reads up to {FORMAT}. "
                "Start the version that wrote it, or name another folder with --data. Nothing was changed."
            )


class FolderLock:
    """Held by the process that runs on a data folder; freed by the system when it ends, however it ends."""

    def __init__(self, folder: DataFolder) -> None:
        self._path = folder.root / "watchkeeper.lock"
        self._handle: int | None = None

    def __enter__(self) -> Self:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise FolderError(
                f"Another watchkeeper (process {holder}) is running on {self._path.parent}. "
                "Stop it first, or start this one with its own --data folder and ports."
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
