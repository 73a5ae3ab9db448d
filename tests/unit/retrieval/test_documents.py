"""Every file of a folder becomes documents, or is named with the reason."""

import os
from pathlib import Path

import pytest

from watchkeeper.releases import documents
from watchkeeper.releases.documents import Document, read_folder


def reasons(root: Path) -> dict[str, str]:
    return {one.path: one.reason for one in read_folder(root).left_out}


def ids(root: Path) -> list[str]:
    return [document.id for document in read_folder(root).documents]


def test_texts_pages_and_records_become_documents(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "guide.md").write_text("# Returns\n\nWithin 30 days.\n")
    (tmp_path / "sub" / "note.txt").write_bytes("\ufeffGrüße\r\nWelt".encode())
    (tmp_path / "page.html").write_text(
        "<head><title>Fees &amp; more</title><style>p{}</style></head>"
        "<body><h2>Late</h2><p>Two\neuros<script>x()</script>"
    )
    (tmp_path / "faq.jsonl").write_text('{"id": "a1", "title": "Hours", "text": "Nine to five."}\n{"city": "Bonn"}\n')
    (tmp_path / "list.json").write_text('[{"id": 7, "content": "seven"}, "plain"]')
    (tmp_path / "table.csv").write_text("id,name,price\nx,Pen,2\ny,Ink,\n")
    (tmp_path / "wide.txt").write_bytes("weit".encode("utf-16"))
    found = read_folder(tmp_path)
    assert found.left_out == []
    assert found.documents == [
        Document("faq.jsonl#a1", "Hours", "Nine to five."),
        Document("faq.jsonl#2", "city: Bonn", "city: Bonn"),
        Document("guide.md", "Returns", "# Returns\n\nWithin 30 days.\n"),
        Document("list.json#7", "seven", "seven"),
        Document("list.json#2", "plain", "plain"),
        Document("page.html", "Fees & more", "## Late\n\nTwo euros"),
        Document("table.csv#x", "Pen", "id: x\nname: Pen\nprice: 2"),
        Document("table.csv#y", "Ink", "id: y\nname: Ink"),
        Document("wide.txt", "wide", "weit"),
        Document("sub/note.txt", "note", "Grüße\nWelt"),
    ]


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("good")
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "binary.txt").write_bytes(b"ab\0cd")
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "bare").write_text("x")
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "none.jsonl").write_text("\n")
    (tmp_path / "lines.jsonl").write_text('{"text": "kept"}\nnonsense\n[1]\n{"text": ""}\n')
    (tmp_path / "twice.json").write_text('[{"id": 1, "text": "a"}, {"id": 1, "text": "b"}]')
    (tmp_path / "cell.csv").write_text("text\n" + "x" * 200_000)
    (tmp_path / ".git").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "away.md").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe.txt")
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(1 << 30)
    found = reasons(tmp_path)
    assert ids(tmp_path) == ["good.md", "lines.jsonl#1", "twice.json#1"]
    assert found.pop("broken.json").startswith("is not JSON: ")
    assert found.pop("deep.json").startswith("is not JSON: ")
    assert found.pop("lines.jsonl#2").startswith("is not JSON: ")
    assert found == {
        ".git": "is hidden",
        "away.md": "is a link, and links are not followed",
        "bare": "is of a kind that is not read (no suffix)",
        "binary.txt": "is binary, not text",
        "cell.csv#1": "is not CSV from here on: field larger than field limit (131072)",
        "empty.md": "is empty",
        "huge.txt": "is larger than 8 MiB",
        "latin.txt": "is not UTF-8 text: byte 2 is wrong",
        "lines.jsonl#3": "is not an object with fields",
        "lines.jsonl#4": "is empty",
        "loop": "is a link, and links are not followed",
        "none.jsonl": "holds no records",
        "paper.pdf": "is of a kind that is not read (.pdf); convert it to text first",
        "pipe.txt": "is neither a file nor a folder",
        "twice.json#2": "has an id that another record has: twice.json#1",
    }


def test_a_folder_that_is_too_large_is_read_up_to_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FILES_MAX", 3)
    monkeypatch.setattr(documents, "DOCUMENTS_MAX", 2)
    monkeypatch.setattr(documents, "TEXT_LETTERS_MAX", 9)
    for name, text in (("a", "four"), ("b", "sixsix"), ("c", "four"), ("d", "four")):
        (tmp_path / f"{name}.txt").write_text(text)
    assert ids(tmp_path) == ["a.txt", "c.txt"]
    assert reasons(tmp_path) == {
        "b.txt": "does not fit: the documents together may have 9 letters",
        "d.txt": "comes after 3 files, which is as many as are read",
    }


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path / "none")
