"""`watchkeeper labels` and `watchkeeper eval add-cases`, over a keeper's socket."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control.commands import Command, Keeper
from tests.integration.control.recorded import a_call

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds

QUESTION = b'{"model":"m","messages":[{"role":"user","content":"I am ana@example.com. Refund\\u001b[2J?"}]}'
VARIABLES = b'{"model":"feature/shop","messages":[],"variables":{"company":"Acme","question":"Is it blue?"}}'


def made(ids: CallIds, clock: Clock) -> dict[str, Call]:
    calls = {name: a_call(ids, clock, request_body=QUESTION) for name in ("one", "two", "three")}
    calls["of-a-release"] = a_call(ids, clock, feature="shop", request_body=VARIABLES)
    calls["of-a-suite"] = a_call(ids, clock, feature="shop", request_body=VARIABLES, origin="eval")
    return calls


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    found = Keeper(tmp_path_factory.mktemp("k"), made)
    found.start()
    assert found.is_ready.wait(30)
    yield found
    found.stop()


@pytest.fixture
def data(keeper: Keeper) -> Path:
    return keeper.folder.root


def test_who_labels_calls_of_a_release_sees_what_was_asked_and_none_that_a_suite_has_made(
    wk: Command, data: Path
) -> None:
    assert wk("labels", "create", "--query", "feature=shop", data=data) == 0, wk.err
    number = wk.out.split()[1].rstrip(":")
    assert wk.out.startswith(f"queue {number}: 1 of 1 answers")
    assert wk("labels", "next", number, data=data) == 0, wk.err
    assert "Is it blue?" in wk.out


def test_answers_are_labelled_from_the_terminal(wk: Command, data: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"question": "Q?", "answer": "A.", "value": 1}\n')
    create = ("labels", "create", "--query", "feature=support", "--second", "0%", "--gold", str(gold))
    assert wk(*create, "--title", "Kindness", data=data) == 0, wk.err
    number = wk.out.split()[1].rstrip(":")
    assert wk.out.startswith(f"queue {number}: 3 of 3 answers, Kindness")
    assert wk("labels", "next", number, data=data) == 0, wk.err
    assert "\x1b" not in wk.out and "labels give" in wk.out
    assert wk("labels", "give", number, "x", data=data) == 1
    assert "'x' is no label" in wk.err and "p (Pass)" in wk.err
    for key in ("p", "f"):
        assert wk("labels", "give", number, key, "--comment", "so", data=data) == 0, wk.err
    assert wk("labels", "undo", number, data=data) == 0, wk.err
    for key in ("p", "s", "n"):
        assert wk("labels", "give", number, key, data=data) == 0, wk.err
    assert "nothing is left for you" in wk.out
    assert wk("labels", "give", number, "p", data=data) == 1
    assert wk("labels", "agreement", number, data=data) == 0, wk.err
    assert wk.out.splitlines()[0].startswith("Krippendorff's alpha: cannot be told")
    assert wk("labels", "agreement", data=data) == 0 and wk.out == ""
    file = tmp_path / "labels.jsonl"
    assert wk("labels", "export", number, "--to", str(file), data=data) == 0, wk.err
    assert all(json.loads(line)["labels"][0]["by"] == "local" for line in file.read_text().splitlines())
    assert wk("labels", "close", number, data=data) == 0
    assert wk("labels", "next", number, data=data) == 1 and "is closed" in wk.err
    assert wk("labels", "list", data=data) == 0 and "\tclosed\t" in wk.out
    assert wk("labels", "create", data=data) == 2


def test_calls_become_lines_of_a_file_once_and_without_addresses(
    wk: Command, keeper: Keeper, data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "suites" / "support" / "answers.cases.jsonl"
    ids = [one.id for one in keeper.calls.values()]
    add = ("eval", "add-cases", str(file), "--call", ids[0], "--call", ids[1])
    assert wk(*add, "--dry-run", data=data) == 0, wk.err
    assert not file.exists() and "2 cases would be added" in wk.out
    assert wk(*add, "--reference", "answer", data=data) == 0, wk.err
    assert "taken out: <EMAIL_1>" in wk.out and "ana@example.com" not in wk.out + wk.err
    assert "does not find names" in wk.err
    assert wk("eval", "add-cases", str(file), "--query", "feature=support", data=data) == 0, wk.err
    assert "added 1 cases" in wk.out and "2 were in it already" in wk.out
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["call"] for line in lines] == [ids[0], ids[1], ids[2]]
    assert "ana@example.com" not in file.read_text()


def test_calls_become_a_version_of_a_suite(wk: Command, keeper: Keeper, data: Path) -> None:
    call = keeper.calls["one"].id
    assert wk("eval", "add-cases", "support/live", "--call", call, data=data) == 0, wk.err
    assert "added 1 cases to support/live" in wk.out
    for wrong in (("eval", "add-cases", "x.yaml", "--call", call), ("eval", "add-cases", "a/b")):
        assert wk(*wrong, data=data) == 2
