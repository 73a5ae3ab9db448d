"""The book of holds outlives its process; what is in it is what no record tells of."""

from pathlib import Path

import pytest

from watchkeeper.gateway.budgets import holdbook as module
from watchkeeper.gateway.budgets.holdbook import HoldBook, read_holds
from watchkeeper.gateway.tab import NO_SLOT
from watchkeeper.money.leases import Held


def held(book: HoldBook, name: str) -> int:
    return book.enter(name, 7, [("a|x", 5), ("b|é", 6)])


def test_holds_are_in_the_book_until_their_records_are_written(tmp_path: Path) -> None:
    book = HoldBook(tmp_path / "w.1")
    first, second = held(book, "first"), held(book, "second")
    assert read_holds(book.path)[1] == [Held(name, 7, (("a|x", 5), ("b|é", 6))) for name in ("first", "second")]
    book.leave(first, 1)
    book.leave(second, 2)
    assert len(read_holds(book.path)[1]) == 2
    book.forget_written(1)
    assert [one.call_id for one in read_holds(book.path)[1]] == ["second"]


def test_a_closed_book_stays_only_where_something_is_in_it(tmp_path: Path) -> None:
    empty, full = HoldBook(tmp_path / "e"), HoldBook(tmp_path / "f")
    held(full, "lost")
    empty.close()
    full.close()
    assert not empty.path.exists()
    pid, found = read_holds(full.path)
    assert pid > 0 and [one.call_id for one in found] == ["lost"]


def test_a_full_book_and_a_long_entry_hold_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOTS", 2)
    book = HoldBook(tmp_path / "w.1")
    assert [held(book, name) == NO_SLOT for name in "abc"] == [False, False, True]
    other = HoldBook(tmp_path / "w.2")
    assert other.enter("x", 1, [("k" * 5_000, 1)]) == NO_SLOT
    assert read_holds(other.path)[1] == []


def test_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    book = HoldBook(tmp_path / "w.1")
    held(book, "good")
    book.enter("bad", 7, [("a", 1)])
    content = bytearray(book.path.read_bytes())
    place = content.index(b"bad")
    content[place - 3 : place] = b"\xff\xff\xff"
    (tmp_path / "copy").write_bytes(content[:-100])
    assert [one.call_id for one in read_holds(tmp_path / "copy")[1]] == ["good"]
    (tmp_path / "nothing").write_bytes(b"")
    assert read_holds(tmp_path / "nothing") == (0, [])
