"""What differs between two recipes, place by place, and how two changes of one recipe come together.

Recipes are compared as people write them (`authoring.Authored`). Messages and tools are compared one by one, by their
position; any other list is one value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from watchkeeper.config.problems import Place

LISTS = ("messages", "tools")
"""Keys whose lists are compared item by item."""

ChangeKind = Literal["added", "removed", "changed"]
Side = Literal["mine", "theirs"]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""In the place of a value that one side does not have."""
_json = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which two recipes differ."""

    place: Place
    before: Any
    """`MISSING` where it was added."""
    after: Any
    """`MISSING` where it was removed."""

    @property
    def kind(self) -> ChangeKind:
        """What happened there."""
        if self.before is MISSING:
            return "added"
        return "removed" if self.after is MISSING else "changed"


@dataclass(frozen=True, slots=True)
class Merged:
    """What two changes of one recipe come to."""

    value: Any
    """Where both changed the same place, it holds mine."""
    conflicts: tuple[Place, ...]
    """The places that both have changed, each in another way."""


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same in JSON: true is not 1."""
    if one is MISSING or other is MISSING:
        return one is other
    return _json(one) == _json(other)


def changes(before: Any, after: Any) -> list[Change]:
    """List every place at which two recipes differ, as deep as it goes, in the order of the later one."""
    return list(_changes(before, after, ()))


def merge(base: Any, mine: Any, theirs: Any, take: Side | None = None) -> Merged:
    """Bring two changes of one recipe together.

    Args:
        base: What both were made from.
        mine: One of them.
        theirs: The other.
        take: Whose value holds where both have changed a place; those places are then no conflicts.
    """
    merging = _Merging(take)
    value = merging.merged(base, mine, theirs, ())
    return Merged(value, tuple(merging.conflicts) if take is None else ())


def _changes(before: Any, after: Any, place: Place) -> Iterator[Change]:
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*after, *before)):
            yield from _changes(before.get(key, MISSING), after.get(key, MISSING), (*place, key))
    elif _by_position(before, after, place=place):
        for index in range(max(len(before), len(after))):
            yield from _changes(_item(before, index), _item(after, index), (*place, index))
    else:
        yield Change(place, before, after)


class _Merging:
    """Brings changes together and gathers what cannot be."""

    def __init__(self, take: Side | None) -> None:
        self._take = take
        self.conflicts: list[Place] = []

    def merged(self, base: Any, mine: Any, theirs: Any, place: Place) -> Any:
        if same(mine, theirs) or same(base, theirs):
            return mine
        if same(base, mine):
            return theirs
        if isinstance(mine, dict) and isinstance(theirs, dict) and (base is MISSING or isinstance(base, dict)):
            return self._mapping({} if base is MISSING else base, mine, theirs, place)
        was = [] if base is MISSING else base
        if _by_position(was, mine, theirs, place=place) and _keep_their_places(was, mine, theirs):
            items = [
                self.merged(_item(was, index), _item(mine, index), _item(theirs, index), (*place, index))
                for index in range(max(len(mine), len(theirs)))
            ]
            return [item for item in items if item is not MISSING]
        self.conflicts.append(place)
        return theirs if self._take == "theirs" else mine

    def _mapping(self, base: Any, mine: Any, theirs: Any, place: Place) -> Any:
        found = {
            key: self.merged(base.get(key, MISSING), mine.get(key, MISSING), theirs.get(key, MISSING), (*place, key))
            for key in dict.fromkeys((*mine, *theirs))
        }
        return {key: value for key, value in found.items() if value is not MISSING}


def _by_position(*lists: Any, place: Place) -> bool:
    return len(place) == 1 and place[0] in LISTS and all(isinstance(one, list) for one in lists)


def _keep_their_places(base: list[Any], mine: list[Any], theirs: list[Any]) -> bool:
    """Tell whether two changes of a list leave it clear which item is which: at most one side has added or removed some
    at the end, and what it has removed the other has not changed."""
    if len(mine) == len(theirs):
        return True
    short, long = sorted((mine, theirs), key=len)
    if len(base) == len(short):
        return True
    return len(base) == len(long) and all(same(base[index], long[index]) for index in range(len(short), len(long)))


def _item(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else MISSING
