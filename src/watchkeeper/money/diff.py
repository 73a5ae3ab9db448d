"""What would change in the price book, in words and per cent, and whether it is too much at once."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

from watchkeeper.core.money import usd
from watchkeeper.money.edition import Edition, Entry, ListFacts, Row
from watchkeeper.money.moments import hours_written, written

MOVED_SHARE_MAX = Decimal("0.20")
"""Of the entries; when more would change or go, somebody shall look at them and say so."""
SHRINK_SHARE_MAX = Decimal("0.10")
"""An edition that lacks more than this part of the models is more likely to be broken."""
COUNTED_FROM = 20
"""A book with fewer entries is small enough to be looked at whole."""

_UNITS = {
    "input_uncached": "input",
    "cache_read": "cache read",
    "cache_write_5m": "cache write 5 min",
    "cache_write_1h": "cache write 1 h",
    "output_text": "output",
    "output_reasoning": "reasoning",
    "audio_in": "audio in",
    "audio_out": "audio out",
    "image_in": "image in",
    "image_out": "image out",
    "server_tools": "server tools",
}
_FOLLOWS = {
    "cache_read": "input_uncached",
    "cache_write_5m": "input_uncached",
    "cache_write_1h": "cache_write_5m",
    "audio_in": "input_uncached",
    "image_in": "input_uncached",
    "output_reasoning": "output_text",
    "audio_out": "output_text",
    "image_out": "output_text",
}
"""A unit that costs what another one does is not told apart from it."""

Kind = Literal["added", "changed", "removed"]


class PriceChange(NamedTuple):
    """One entry that would change."""

    kind: Kind
    old: Entry | None
    new: Entry | None
    words: tuple[str, ...]
    """Each a statement about one of its rows."""
    percent: Decimal | None
    """The largest move of a single price, in per cent of the old one, with one decimal; None where none moved."""

    @property
    def entry(self) -> Entry:
        """The entry as it would be, or was."""
        found = self.new or self.old
        assert found is not None
        return found


class BookDiff(NamedTuple):
    """What applying an edition or a file would change."""

    source: str
    changes: tuple[PriceChange, ...]
    """In the order of list and model."""
    doubts: tuple[str, ...]
    """Why it should not be applied without a look; empty where nothing speaks against it."""
    list_changes: tuple[str, ...] = ()
    """What changes of the lists themselves: which there are, whose addresses are theirs, which they borrow from."""

    def count(self, kind: Kind) -> int:
        """How many entries would change in one way."""
        return sum(change.kind == kind for change in self.changes)


def against_edition(believed: Iterable[Entry], lists: Mapping[str, ListFacts], edition: Edition) -> BookDiff:
    """Compare the entries and lists that are believed with all of an edition's."""
    old = {entry.key: entry for entry in believed}
    new = {entry.key: entry for entry in edition.entries}
    changes = _changes(old, new)
    doubts = tuple(_doubts(changes, len(old), len(new)))
    return BookDiff(edition.source, changes, doubts, tuple(_list_changes(lists, edition.lists)))


def against_file(
    believed: Iterable[Entry], corrections: Iterable[Entry], entries: Iterable[Entry], *, source: str
) -> BookDiff:
    """Compare what an operator's earlier files said with what a new one says, of the models that it names.

    Args:
        believed: The edition that it lies on.
        corrections: What earlier files said.
        entries: What the file says; one without rows takes back what was said.
        source: The file's name.
    """
    below = {entry.key: entry for entry in believed}
    named = {entry.key: entry for entry in entries}
    old = {entry.key: entry for entry in corrections if entry.key in named}
    changes = _changes(old, {key: entry for key, entry in named.items() if entry.rows}, below)
    return BookDiff(source, changes, tuple(_doubts(changes, len(below), len(below))))


def _changes(
    old: Mapping[tuple[str, str], Entry],
    new: Mapping[tuple[str, str], Entry],
    below: Mapping[tuple[str, str], Entry] | None = None,
) -> tuple[PriceChange, ...]:
    changes: list[PriceChange] = []
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before is None and now is not None:
            changes.append(_added(now, below.get(key) if below is not None else None))
        elif now is None and before is not None:
            changes.append(PriceChange("removed", before, None, ("no price any more",), None))
        elif before is not None and now is not None and not now.says_the_same(before):
            changes.append(_changed(before, now))
    return tuple(changes)


def _list_changes(old: Mapping[str, ListFacts], new: Mapping[str, ListFacts]) -> Iterable[str]:
    for name in sorted(old.keys() | new.keys()):
        before, now = old.get(name), new.get(name)
        if before is None or now is None:
            yield f"the list {name} is {'new' if before is None else 'gone'}"
            continue
        if before.address != now.address:
            yield f"the list {name} is for other addresses: {before.address} -> {now.address}"
        if before.borrows != now.borrows:
            lenders = [", ".join(facts.borrows) or "none" for facts in (before, now)]
            yield f"the list {name} takes what it lacks from others: {' -> '.join(lenders)}"


def _added(now: Entry, below: Entry | None) -> PriceChange:
    """Describe a new entry by what it costs, or by what moves where it lies on one of an edition."""
    moves: list[Decimal] = []
    words: list[str] = []
    for row in now.rows:
        covered = _covered(row, below)
        words.append(row_words(row) if covered is None else _moved(covered, row, moves))
    return PriceChange("added", None, now, tuple(words), max(moves, key=abs, default=None))


def _covered(row: Row, below: Entry | None) -> Row | None:
    """Return the row of an edition that holds when another begins to, for the same tier and at any hour."""
    begins = row.valid_from_ns or 0
    found = [
        one
        for one in (below.rows if below is not None else ())
        if one.service_tier == row.service_tier and one.hours_s is None and (one.valid_from_ns or 0) <= begins
    ]
    return found[-1] if found else None


def _changed(before: Entry, now: Entry) -> PriceChange:
    words: list[str] = [] if before.match == now.match else ["other names mean it"]
    moves: list[Decimal] = []
    old = {row.conditions: row for row in before.rows}
    new = {row.conditions: row for row in now.rows}
    for conditions, row in new.items():
        if conditions not in old:
            words.append(f"new: {row_words(row)}")
        elif old[conditions] != row:
            words.append(_moved(old[conditions], row, moves))
    words += [f"no longer: {row_words(row)}" for conditions, row in old.items() if conditions not in new]
    if not words:
        words.append("its rows are in another order")
    return PriceChange("changed", before, now, tuple(words), max(moves, key=abs, default=None))


def _moved(old: Row, new: Row, moves: list[Decimal]) -> str:
    parts: list[str] = []
    for bucket, name in _UNITS.items():
        before, now = old.per_million.get(bucket), new.per_million.get(bucket)
        if before == now or (_follows(new, bucket) and (before is None or _follows(old, bucket))):
            continue
        parts.append(f"{name} {_dollars(before)} -> {_dollars(now)}{_percent(before, now, moves)}")
    if old.request != new.request:
        parts.append(f"each call {_dollars(old.request)} -> {_dollars(new.request)}")
    if old.above != new.above:
        parts.append(f"for long inputs {_above(old) or 'the same'} -> {_above(new) or 'the same'}")
    return f"{', '.join(parts) or 'the same prices'} per million{_when(new)}"


def row_words(row: Row) -> str:
    """Say what a row costs and when it holds."""
    parts = [f"{name} {_dollars(row.per_million[bucket])}" for bucket, name in _UNITS.items() if _tells(row, bucket)]
    text = f"{', '.join(parts)} per million" if parts else "no price for tokens"
    if row.request:
        text += f", {_dollars(row.request)} for each call"
    return text + (f", {_above(row)}" if row.above else "") + _when(row)


def _tells(row: Row, bucket: str) -> bool:
    return bucket in row.per_million and not _follows(row, bucket)


def _follows(row: Row, bucket: str) -> bool:
    other = _FOLLOWS.get(bucket)
    return (
        other is not None
        and row.per_million.get(bucket) == row.per_million.get(other)
        and row.above.get(bucket) == row.above.get(other)
    )


def _above(row: Row) -> str:
    steps: dict[int, list[str]] = {}
    for bucket, tiers in row.above.items():
        for tokens, nusd in tiers:
            if not _follows(row, bucket):
                steps.setdefault(tokens, []).append(f"{_UNITS.get(bucket, bucket)} {_dollars(nusd)}")
    return "; ".join(f"above {tokens} tokens {', '.join(parts)}" for tokens, parts in sorted(steps.items()))


def _when(row: Row) -> str:
    text = f", {row.service_tier} tier" if row.service_tier else ""
    if row.valid_from_ns is not None:
        text += f", from {written(row.valid_from_ns)}"
    if row.valid_to_ns is not None:
        text += f", until {written(row.valid_to_ns)}"
    return text + (f", {hours_written(row.hours_s)} UTC" if row.hours_s is not None else "")


def _percent(before: int | None, now: int | None, moves: list[Decimal]) -> str:
    if not before or now is None:
        return ""
    move = (Decimal(now - before) * 100 / before).quantize(Decimal("0.1"), ROUND_HALF_UP)
    moves.append(move)
    return f" ({move:+}%)"


def _dollars(nusd: int | None) -> str:
    return "no price" if nusd is None else f"${usd(nusd)}"


def _doubts(changes: Iterable[PriceChange], old_size: int, new_size: int) -> Iterable[str]:
    if old_size < COUNTED_FROM:
        return
    moved = sum(change.kind != "added" for change in changes)
    if moved > MOVED_SHARE_MAX * old_size:
        yield f"{moved} of {old_size} entries would change, which is more than {MOVED_SHARE_MAX:.0%}"
    if old_size - new_size > SHRINK_SHARE_MAX * old_size:
        yield f"{new_size} entries would be left of {old_size}, which is less by more than {SHRINK_SHARE_MAX:.0%}"
