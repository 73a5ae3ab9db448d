"""Folders of prompts beside what the control has: read, pushed, and brought together."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from watchkeeper.cli import client
from watchkeeper.cli.outcome import NOT_FOUND, CommandFailed
from watchkeeper.config.problems import Problem, dotted
from watchkeeper.releases.authoring import Authored, RecipeRefused, authored, read_authored
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.comparing import Side, changes, merge, same
from watchkeeper.releases.described import described
from watchkeeper.releases.folder import (
    Folder,
    FolderRefused,
    read_folder,
    read_made_from,
    write_made_from,
)
from watchkeeper.releases.folder_writing import write_folder
from watchkeeper.releases.recipe import release_id

Outcome = Literal["pushed", "unchanged", "refused", "conflict", "pulled", "not pushed yet", "compared"]
FAILURES = frozenset({"refused", "conflict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of one folder."""

    folder: str
    feature: str
    outcome: Outcome
    release: str = ""
    """That the folder is made from now, or is compared with."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Written, as paths from the folder of prompts."""
    conflicts: tuple[str, ...] = ()
    """Places that both sides have changed."""
    changes: tuple[dict[str, Any], ...] = ()
    """The folder's, since what it was made from, or against what it is compared with."""
    their_changes: tuple[dict[str, Any], ...] = ()
    author: str = ""
    """Of the release that is in the way."""

    @property
    def has_failed(self) -> bool:
        """Tell whether somebody must do something first."""
        return self.outcome in FAILURES

    def document(self) -> dict[str, Any]:
        """The same as plain data."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


class Prompts:
    """The folders below one folder of prompts, and the control in a data folder."""

    def __init__(self, data: Path, root: Path) -> None:
        self._data = data
        self._root = root
        self._blocks: dict[str, str | None] = {}

    def feature_of(self, name: str) -> str:
        """Return the feature that a folder is about; empty where it does not say."""
        try:
            return read_folder(self._root, name, lambda _: "").feature
        except FolderRefused:
            return ""

    def push(self, name: str, message: str) -> Done:
        """Make a folder's recipe the latest release of its feature, if it was made from the latest one."""
        try:
            folder = self._read(name)
        except FolderRefused as error:
            return self._refused(name, error)
        parent = "" if folder.made_from is None else folder.made_from.release
        wish = {"recipe": folder.authored, "parent": parent, "message": message}
        try:
            found = client.post(self._data, "/api/v1/releases", **wish)
        except CommandFailed as error:
            return self._not_pushed(folder, error)
        release = found["release"]["id"]
        write_made_from(folder, release)
        return Done(
            folder=name,
            feature=folder.feature,
            outcome="pushed" if found["is_new"] or parent not in ("", release) else "unchanged",
            release=release,
            warnings=self._warnings(folder, found["warnings"]),
        )

    def pull(self, name: str, feature: str, take: Side | None) -> Done:
        """Bring what came since into a folder; nothing is written where both sides have changed the same place."""
        head = self._release(feature)
        if head is None or head["feature"] != feature:
            return Done(folder=name, feature=feature, outcome="not pushed yet")
        theirs, latest = head["recipe"], head["id"]
        if not (self._root / name / "release.yaml").exists():
            (self._root / name).mkdir(parents=True, exist_ok=True)
            written = write_folder(self._root, name, theirs)
            write_made_from(self._read(name), latest)
            return Done(folder=name, feature=feature, outcome="pulled", release=latest, files=tuple(written))
        try:
            folder = self._read(name)
            mine = self._understood(folder)
        except FolderRefused as error:
            return self._refused(name, error)
        base = self._made_from(folder, mine)
        merged = merge(_as_loosely(base, mine), mine, _as_loosely(theirs, mine), take)
        if merged.conflicts:
            return Done(
                folder=name,
                feature=feature,
                outcome="conflict",
                release=latest,
                conflicts=tuple(dotted(place) for place in merged.conflicts),
                changes=_between(base, mine),
                their_changes=_between(base, theirs),
                author=head["author"],
            )
        written = [] if same(mine, merged.value) else write_folder(self._root, name, merged.value, old=folder)
        write_made_from(self._read(name), latest)
        return Done(
            folder=name,
            feature=feature,
            outcome="pulled" if written else "unchanged",
            release=latest,
            files=tuple(written),
        )

    def compare(self, name: str) -> Done:
        """Say what a push of a folder would change."""
        try:
            folder = self._read(name)
            mine = self._understood(folder)
        except FolderRefused as error:
            return self._refused(name, error)
        head = self._release(folder.feature)
        if head is None:
            return Done(folder=name, feature=folder.feature, outcome="not pushed yet", changes=_between({}, mine))
        made_from = folder.made_from
        return Done(
            folder=name,
            feature=folder.feature,
            outcome="compared",
            release=head["id"],
            changes=_between(_as_loosely(head["recipe"], mine), mine),
            their_changes=()
            if made_from is None or made_from.release == head["id"]
            else _between(self._made_from(folder, mine), head["recipe"]),
            author=head["author"],
        )

    def _read(self, name: str) -> Folder:
        return read_folder(self._root, name, self._block)

    def _block(self, block: str) -> str | None:
        if block not in self._blocks:
            found = self._asked(f"/api/v1/blocks/{client.part(block)}")
            self._blocks[block] = None if found is None else found["text"]
        return self._blocks[block]

    def _release(self, named: str) -> dict[str, Any] | None:
        return self._asked(f"/api/v1/releases/{client.part(named)}")

    def _asked(self, path: str) -> dict[str, Any] | None:
        try:
            return client.get(self._data, path)
        except CommandFailed as error:
            if error.exit_code != NOT_FOUND:
                raise
            return None

    def _understood(self, folder: Folder) -> Authored:
        """Write a folder's recipe as the control would: what means the same is the same. Raises FolderRefused."""
        try:
            return authored(read_authored(folder.authored))
        except RecipeRefused as error:
            raise FolderRefused(folder.problem(mistake) for mistake in error.mistakes) from None

    def _made_from(self, folder: Folder, mine: Authored) -> Authored:
        """Return what both sides were made from; where nothing says so, a release that is the folder's very recipe."""
        made_from = read_made_from(self._root, folder.name)
        named = made_from.release if made_from is not None else release_id(read_authored(mine))
        found = self._release(named)
        return {} if found is None else found["recipe"]

    def _refused(self, name: str, error: FolderRefused) -> Done:
        return Done(
            folder=name, feature=self.feature_of(name), outcome="refused", problems=tuple(map(str, error.problems))
        )

    def _not_pushed(self, folder: Folder, error: CommandFailed) -> Done:
        detail = error.detail or {}
        if "mistakes" in detail:
            problems = [_located(folder, one) for one in detail["mistakes"]]
            return Done(
                folder=folder.name, feature=folder.feature, outcome="refused", problems=tuple(map(str, problems))
            )
        if "head" not in detail:
            raise error
        mine, theirs = detail["mine"], detail["theirs"]
        return Done(
            folder=folder.name,
            feature=folder.feature,
            outcome="conflict",
            release=detail["head"],
            conflicts=tuple(one["place"] for one in mine if one["place"] in {other["place"] for other in theirs}),
            changes=tuple(mine),
            their_changes=tuple(theirs),
            author=detail["author"],
        )

    def _warnings(self, folder: Folder, warnings: Iterable[dict[str, str]]) -> tuple[str, ...]:
        return tuple(str(_located(folder, warning)) for warning in warnings)


def _as_loosely(recipe: Authored, mine: Authored) -> Authored:
    """Leave out what a push settled and the folder leaves open: which version of an index is the newest."""
    settled, wanted = recipe.get("retrieval"), mine.get("retrieval")
    if not settled or not wanted or settled.get("collection") != wanted.get("collection"):
        return recipe
    left = {name: value for name, value in settled.items() if name in wanted or name not in ("version", "embedding")}
    return recipe | {"retrieval": left}


def _located(folder: Folder, mistake: dict[str, str]) -> Problem:
    return folder.problem(Mistake(mistake["place"], mistake["message"]))


def _between(before: Authored, after: Authored) -> tuple[dict[str, Any], ...]:
    return tuple(described(change) for change in changes(before, after))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
