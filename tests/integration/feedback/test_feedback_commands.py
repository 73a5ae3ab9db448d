"""`watchkeeper feedback` and its API, over a keeper's socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control.commands import Command, Keeper
from tests.integration.control.recorded import a_call

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds


def made(ids: CallIds, clock: Clock) -> dict[str, Call]:
    return {
        "good": a_call(ids, clock, release="wk1-good", session="s1"),
        "bad": a_call(ids, clock, release="wk1-bad", environment="staging"),
        "other": a_call(ids, clock, feature="search", session="s1", release="wk1-other"),
    }


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


@pytest.fixture
def wk(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_feedback_on_a_call_is_kept_once_and_counted(wk: Command, keeper: Keeper, data: Path) -> None:
    good, bad = keeper.calls["good"].id, keeper.calls["bad"].id
    add = ("feedback", "add", good, "--name", "thumbs", "--score", "1", "--label", "up", "--value", "1.5", "--id", "f1")
    for _ in range(2):
        assert wk(*add, "--comment", "evil\x1b[2J", data=data) == 0, wk.err
        assert wk.out == f"kept f1: thumbs: score 1, up, 1.5 units of value on call {good} of release wk1-good\n"
    assert wk("feedback", "add", good, "--score", "0", "--id", "f1", data=data) == 1
    assert "says something else" in wk.err
    assert wk("feedback", "add", bad, "--name", "thumbs", "--score", "0", "--label", "down", data=data) == 0, wk.err
    assert wk("feedback", "list", "--call", good, data=data) == 0
    assert wk.out.split("\t")[1:5] == ["thumbs", "1", "up", good] and "\x1b" not in wk.out
    assert wk("feedback", "list", "--by", "release", "--name", "thumbs", data=data) == 0
    assert wk.out.splitlines() == [
        "support\tproduction\twk1-good\tthumbs\t1\t1.000\tup 1",
        "support\tstaging\twk1-bad\tthumbs\t1\t0.000\tdown 1",
    ]
    assert wk("call", good, data=data) == 0
    assert "thumbs: score 1, up, 1.5 units of value, by local: evil [2J" in wk.out.replace(
        "\N{REPLACEMENT CHARACTER}", " "
    )
    assert wk("cost", "units", data=data) == 0
    assert "\t1.5\t" in wk.out


def test_feedback_on_a_session_is_about_its_latest_call(wk: Command, keeper: Keeper, data: Path) -> None:
    assert wk("feedback", "add", "--session", "s1", "--label", "solved", data=data) == 0, wk.err
    assert wk.out.endswith("rating: solved on session s1 of release wk1-other\n")
    assert wk("feedback", "add", "--session", "s1", "--feature", "support", "--label", "solved", data=data) == 0
    assert wk.out.endswith("on session s1 of release wk1-good\n")
    found = wk.json("feedback", "list", "--session", "s1", "--label", "solved", data=data)
    assert isinstance(found, dict)
    assert [(one["call_id"], one["release"], one["by"]) for one in found["feedback"]] == [
        (None, "wk1-good", "local"),
        (None, "wk1-other", "local"),
    ]
    assert wk("call", keeper.calls["good"].id, data=data) == 0
    assert wk.out.count("rating: solved (on the session), by local") == 1, "another feature's session is another"


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--score", "1"), 2, "On what the feedback is"),
        (("CALL", "--session", "s1", "--score", "1"), 2, "On what the feedback is"),
        (("CALL",), 1, "say something"),
        (("CALL", "--score", "1.5"), 1, "less than or equal to 1"),
        (("CALL", "--value", "0"), 1, "0 units say nothing"),
        (("nonsense", "--score", "1"), 1, "not the id of a call"),
        (("01JBCDEFGHJKMNPQRSTVWXYZ00", "--score", "1"), 3, "There is no call"),
        (("--session", "nobody's", "--score", "1"), 3, "belongs to the session"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    wk: Command, keeper: Keeper, data: Path, arguments: tuple[str, ...], code: int, why: str
) -> None:
    given = [keeper.calls["good"].id if one == "CALL" else one for one in arguments]
    assert wk("feedback", "add", *given, data=data) == code
    assert why in wk.err
