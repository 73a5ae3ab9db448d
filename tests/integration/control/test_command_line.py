"""The command line over a keeper's socket and without a keeper: what it prints, where, and how it ends."""

import asyncio
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest
from tests.integration.control.commands import COMMAND, Command, Keeper, LoneCommand
from tests.integration.control.recorded import a_call, an_attempt

from watchkeeper.cli import show
from watchkeeper.cli.show import Column
from watchkeeper.config.load import default_text
from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.server.folder import DataFolder, FolderLock

KEY = re.compile(r"sk-wk-[0-9A-Za-z]{12}-[0-9A-Za-z]{40}")
CONTROL_CHARACTERS = "\x1b[2J\x07"


def usual_calls(ids: CallIds, clock: Clock) -> dict[str, Call]:
    """One that was answered, one that failed, one with what would steer a terminal in it."""
    return {
        "good": a_call(ids, clock, subject="sub_0", tags=["vip"], metadata={"plan": "gold"}),
        "failed": a_call(
            ids,
            clock,
            status="error",
            error_class="timeout",
            error_message="no first token in 8 s",
            attempts=[an_attempt(error_class="timeout", error_message="silence", http_status=0)],
        ),
        "hostile": a_call(
            ids,
            clock,
            tenant=f"evil{CONTROL_CHARACTERS}",
            request_body=json.dumps(
                {"messages": [{"role": "user", "content": f"Look: {CONTROL_CHARACTERS}\nnext\tline"}]}
            ).encode(),
        ),
    }


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    # A socket's path has room for about 100 characters, which the folders of tests can exceed.
    found = Keeper(tmp_path_factory.mktemp("k"), usual_calls)
    found.start()
    assert found.is_ready.wait(20)
    yield found
    found.stop()
    shutil.rmtree(found.folder.root)


# Calls


def test_calls_are_listed_newest_first_whole_and_by_tabs_into_a_pipe(wk: Command, keeper: Keeper) -> None:
    assert wk("calls", data=keeper.folder.root) == 0
    rows = [line.split("\t") for line in wk.out.splitlines()]
    assert [row[1] for row in rows] == [call.id for call in keeper.calls.values()][::-1]
    assert {len(row) for row in rows} == {12}
    assert rows[2][2:] == [
        "ok", "support", "acme", "openai/gpt-4o-mini", "1000", "100", "0.00021", "420", "", "Where is my refund?",
    ]  # fmt: skip
    assert rows[1][2] == "error timeout"


def test_what_was_recorded_cannot_steer_the_terminal(wk: Command, keeper: Keeper) -> None:
    for arguments in (("calls",), ("call", keeper.calls["hostile"].id)):
        assert wk(*arguments, data=keeper.folder.root) == 0
        assert "\x1b" not in wk.out
        assert "\x07" not in wk.out
        assert "evil" in wk.out


def test_calls_as_json_are_one_document(wk: Command, keeper: Keeper) -> None:
    found = wk.json("calls", "--status", "error", data=keeper.folder.root)
    assert isinstance(found, dict)
    assert [call["id"] for call in found["calls"]] == [keeper.calls["failed"].id]


@pytest.mark.parametrize(
    ("option", "count"),
    [
        (("--since", "1h"), 3),
        (("--until", "1h"), 0),
        (("--tenant", "acme"), 2),
        (("--search", "refund"), 2),
        (("--min-cost", "0.01"), 0),
        (("--limit", "1"), 1),
        (("--tag", "vip"), 1),
    ],
)
def test_an_option_narrows_the_list(wk: Command, keeper: Keeper, option: tuple[str, str], count: int) -> None:
    assert wk("calls", *option, data=keeper.folder.root) == 0
    assert len(wk.out.splitlines()) == count


def test_a_call_is_shown_whole(wk: Command, keeper: Keeper) -> None:
    assert wk("call", keeper.calls["good"].id, data=keeper.folder.root) == 0
    for text in (
        keeper.calls["good"].id, "ok (HTTP 200)", "support", "acme", "vip", "gold", "openai/gpt-4o-mini, HTTP 200",
        "420.0 ms", "$0.00021 (measured)", "input uncached: 1000 x $0.15 per million = $0.00015", "Where is my refund?",
        "On its way.",
    ):  # fmt: skip
        assert text in wk.out
    assert wk("call", keeper.calls["failed"].id, data=keeper.folder.root) == 0
    assert "timeout: no first token in 8 s" in wk.out
    assert "no response" in wk.out


def test_a_call_as_json_keeps_the_contract(wk: Command, keeper: Keeper) -> None:
    found = wk.json("call", keeper.calls["good"].id, data=keeper.folder.root)
    assert isinstance(found, dict)
    assert {
        "id", "feature", "tenant", "subject", "release", "route", "status", "request", "response", "attempts", "timing",
        "usage", "cost",
    } <= set(found)  # fmt: skip
    assert isinstance(found["cost"]["amount_usd"], str)


def on_a_terminal(arguments: list[str], width: int) -> list[str]:
    """Run a command on a terminal of some width and return the lines it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:
        # The other end of the terminal has been closed: the command is done.
        pass
    os.close(ours)
    assert process.wait() == 0, shown
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_on_a_terminal_every_row_fits_and_no_id_is_cut(keeper: Keeper, width: int) -> None:
    title, *rows = on_a_terminal(["calls", "--data", str(keeper.folder.root)], width)
    assert title.split()[:3] == ["time", "(UTC)", "id"]
    assert [re.findall(r"[0-9A-Z]{26}", row) for row in rows] == [
        [call.id] for call in list(keeper.calls.values())[::-1]
    ]
    assert max(map(len, [title, *rows])) <= width
    assert ("question" in title) == (width >= 120)


@pytest.mark.parametrize(
    ("width", "widths"),
    [(100, [4, 40, 8]), (40, [4, 24, 8]), (28, [4, 12, 8]), (25, [4, 19, None]), (5, [4, 12, None])],
)
def test_columns_shrink_before_they_leave_and_the_first_stay(width: int, widths: list[int | None]) -> None:
    columns = [Column("id"), Column("text", shrinks_to=12), Column("extra", leaves=1)]
    assert show.fitting(columns, [4, 40, 8], width) == widths


# Keys


@pytest.mark.parametrize("place", ["keeper", "no keeper"])
def test_a_key_is_the_last_line_and_never_shown_again(
    wk: Command, lone_wk: Command, keeper: Keeper, data: Path, place: str
) -> None:
    root, wk = (keeper.folder.root, wk) if place == "keeper" else (data, lone_wk)
    assert wk("keys", "create", "--feature", "support", "--tenant", "acme", "--expires", "30d", data=root) == 0
    *_, key = wk.out.splitlines()
    assert KEY.fullmatch(key)
    assert wk("keys", "list", data=root) == 0
    assert key not in wk.out
    [row] = [line.split("\t") for line in wk.out.splitlines() if line.startswith(key[6:18])]
    assert row[1:3] == ["support", "acme"]
    assert row[-1].startswith("valid until ")


def test_a_key_is_rotated_and_revoked_by_its_id(wk: Command, keeper: Keeper) -> None:
    root = keeper.folder.root
    wk("keys", "create", "--feature", "support", data=root)
    old = wk.out.splitlines()[-1]
    assert wk("keys", "rotate", old[:18], "--overlap", "10m", data=root) == 0
    new = wk.out.splitlines()[-1]
    assert wk("keys", "revoke", new[6:18], data=root) == 0
    wk("keys", "list", data=root)
    states = {line.split("\t")[0]: line.split("\t")[-1] for line in wk.out.splitlines()}
    assert states[new[6:18]].startswith("revoked ")
    assert states[old[6:18]].endswith(f", replaced by {new[6:18]}")
    assert wk("keys", "revoke", new[6:18], data=root) == 1
    assert "already" in wk.err


def test_who_rotates_a_key_is_told_how_long_the_old_one_is_accepted(wk: Command, keeper: Keeper) -> None:
    root = keeper.folder.root
    wk("keys", "create", "--feature", "support", "--expires", "30m", data=root)
    old = wk.out.splitlines()[-1][6:18]
    assert wk("keys", "rotate", old, data=root) == 0
    said, *_, key = wk.out.splitlines()
    wk("keys", "list", data=root)
    [state] = [line.split("\t")[-1] for line in wk.out.splitlines() if line.startswith(old)]
    ends = state.removeprefix("valid until ").partition(",")[0]
    assert said == f"the old key {old} is accepted until {ends} UTC; `watchkeeper keys revoke {old}` ends it now"
    made = wk.json("keys", "rotate", key[6:18], "--overlap", "0s", data=root)
    assert isinstance(made, dict)
    assert made["replaces"] == key[6:18]
    assert made["replaced_until"][:16].replace("T", " ") <= ends


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
def test_a_whole_key_is_not_taken_where_the_list_of_processes_shows_it(wk: Command, keeper: Keeper, verb: str) -> None:
    root = keeper.folder.root
    wk("keys", "create", "--feature", "support", data=root)
    key = wk.out.splitlines()[-1]
    assert wk("keys", verb, key, data=root) == 2
    assert f"Give its id: `watchkeeper keys {verb} {key[6:18]}`." in wk.err
    assert key[19:] not in wk.err
    wk("keys", "list", data=root)
    assert any(line.startswith(key[6:18]) and line.endswith("\tvalid") for line in wk.out.splitlines())


def test_new_secrets_as_json_are_one_document(wk: Command, keeper: Keeper) -> None:
    made = wk.json("keys", "create", "--feature", "support", data=keeper.folder.root)
    assert isinstance(made, dict)
    assert KEY.fullmatch(made["key"])
    token = wk.json("tokens", "create", "ci", data=keeper.folder.root)
    assert isinstance(token, dict)
    assert token["token"].startswith("wk-api-")


# People


def test_users_and_tokens_come_and_go(wk: Command, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    root = keeper.folder.root
    with (keeper.folder.root / "password").open("w+") as file:
        file.write("correct horse battery\n")
        file.seek(0)
        monkeypatch.setattr(sys, "stdin", file)
        assert wk("users", "add", "ana@example.com", data=root) == 0
    assert wk("users", "add", "ana@example.com", "--password", "correct horse battery", data=root) == 1
    assert wk("users", "disable", "ana@example.com", data=root) == 0
    assert wk("users", "list", data=root) == 0
    assert re.fullmatch(r"ana@example\.com\t[\d: -]+\twith a password\tadmin of every feature\tdisabled\n", wk.out)
    assert wk("users", "enable", "ana@example.com", data=root) == 0
    assert wk("users", "password", "ana@example.com", "--password", "another good one", data=root) == 0
    assert wk("users", "link", data=root) == 0
    assert re.fullmatch(r"/login\?token=[\w-]{43}\n", wk.out)
    assert wk("tokens", "create", "ci", data=root) == 0
    token_id = wk.out.split()[1]
    assert wk("tokens", "revoke", token_id, data=root) == 0
    assert wk("tokens", "list", data=root) == 0
    assert any(line.startswith(f"{token_id}\tci\t") and "\trevoked " in line for line in wk.out.splitlines())
    assert wk("changes", data=root) == 0
    assert [line.split("\t")[1:] for line in wk.out.splitlines()][-1] == [
        "local", "token", f"revoked API token {token_id}", ANY,
    ]  # fmt: skip


def test_roles_are_given_shown_and_taken(wk: Command, keeper: Keeper) -> None:
    root = keeper.folder.root
    password = ("--password", "correct horse battery")
    assert wk("users", "add", "cleo", "--role", "author", "--feature", "support", *password, data=root) == 0
    assert wk.out == "added cleo, author of support\n"
    assert wk("users", "grant", "cleo", "cost_owner", data=root) == 0
    assert wk.out == "cleo is cost_owner of every feature, author of support\n"
    assert wk("users", "show", "cleo", data=root) == 0
    assert re.search(r"^author\tsupport\tlocal\t[\d: -]+$", wk.out, re.MULTILINE)
    assert wk("users", "withdraw", "cleo", "author", "--feature", "support", data=root) == 0
    assert wk.out == "cleo is cost_owner of every feature\n"
    assert wk("users", "withdraw", "cleo", "author", "--feature", "support", data=root) == 3
    assert "is not author of support; nothing was changed" in wk.err
    assert wk("users", "grant", "nobody", "author", data=root) == 3
    assert wk("users", "grant", "cleo", "emperor", data=root) == 2
    assert "emperor" in wk.err
    assert wk("changes", "--kind", "user", data=root) == 0
    assert wk.out.splitlines()[-1].endswith(
        'took from cleo: author of support\tgrants: ["cost_owner of every feature", "author of support"] → '
        '["cost_owner of every feature"]'
    )
    assert wk("changes", "--feature", "support", "--actor", "local", "--kind", "user", data=root) == 0
    assert len(wk.out.splitlines()) == 1


def test_a_token_is_made_for_what_it_needs(wk: Command, keeper: Keeper) -> None:
    root = keeper.folder.root
    limits = ("--scope", "read", "--scope", "promote", "--feature", "support", "--expires", "90d")
    assert wk("tokens", "create", "limited", *limits, data=root) == 0
    assert "(limited) for read, promote, support, until " in wk.out
    assert wk("tokens", "list", data=root) == 0
    assert "\tread, promote\tsupport\tvalid until " in wk.out
    assert wk("tokens", "create", "wrong", "--scope", "fly", data=root) == 2
    assert wk("tokens", "create", "wrong", "--expires", "soon", data=root) == 2
    assert "write a span such as" in wk.err


def test_the_way_of_a_call_is_told_without_reading_its_text(wk: Command, keeper: Keeper) -> None:
    root = keeper.folder.root
    assert wk("changes", "--kind", "access", data=root) == 0
    read_before = wk.out
    for known in keeper.calls.values():
        assert wk("route", "why", known.id, data=root) == 0
    assert wk("changes", "--kind", "access", data=root) == 0
    assert wk.out == read_before
    call = next(iter(keeper.calls.values())).id
    assert wk("call", call, data=root) == 0
    assert wk("changes", "--kind", "access", data=root) == 0
    assert f"read call {call}" in wk.out


# Failures


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("call", "nonsense"), 3, "26 digits"),
        (("call", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), 3, "There is no call"),
        (("call", "../../etc/passwd"), 3, "'../../etc/passwd' is not a call id"),
        (("call", "01ARZ3NDEKTSV4RRFFQ69G5FAV/request"), 3, "is not a call id"),
        (("keys", "revoke", "nosuchkey"), 3, "keys list"),
        (("keys", "rotate", "../../x"), 3, "There is no key '../../x'"),
        (("tokens", "revoke", "none"), 3, "tokens list"),
        (("tokens", "revoke", "../../x"), 3, "There is no valid API token '../../x'"),
        (("tokens", "revoke", ".."), 3, "There is no valid API token '..'"),
        (("tokens", "revoke", ""), 3, "There is no valid API token ''"),
        (("tokens", "revoke", "wk-api-abc"), 2, "tokens list"),
        (("users", "disable", "nobody"), 3, "users list"),
        (("users", "disable", "../ana?x=#y"), 3, "../ana?x=#y"),
        (("calls", "--since", "yesterday"), 1, "15m, 1h or 7d"),
        (("calls", "--status", "broken"), 1, "ok, error or cancelled"),
        (("calls", "--min-cost", "much"), 1, "min_cost"),
        (("calls", "--limit", "-1"), 2, "--limit"),
        (("calls", "--limit", "many"), 2, "--limit"),
        (("calls", "--fetaure", "x"), 2, "Did you mean --feature?"),
        (("calls", "--follow", "--json"), 2, "Choose one"),
        (("keys", "create"), 2, "--feature"),
        (("keys", "create", "--feature", "a b"), 1, "feature"),
        (("keys", "create", "--feature", "a", "--expires", "soon"), 2, "30d"),
        (("keys", "rotate", "x", "--overlap", "-1h"), 2, "--overlap"),
        (("keys", "lst"), 2, 'Did you mean "list"?'),
        (("kyes",), 2, 'Did you mean "keys"?'),
        (("users", "add", "local", "--password", "long enough, really"), 1, "another name"),
        (("users", "add", "ana", "--password", "short"), 1, "at least 10"),
        (("up", "--port", "0"), 2, "--port"),
    ],
)
def test_what_cannot_be_done_is_said_in_two_lines_with_its_code(
    wk: Command, keeper: Keeper, arguments: tuple[str, ...], code: int, says: str
) -> None:
    assert wk(*arguments, data=keeper.folder.root) == code
    assert wk.out == ""
    assert wk.err.startswith("watchkeeper: ")
    assert 1 <= wk.err.count("\n") <= 2
    assert says in wk.err


def test_a_folder_that_is_none_is_named_and_not_made(wk: Command, tmp_path: Path) -> None:
    assert wk("keys", "list", data=tmp_path / "nothing") == 4
    assert "watchkeeper up" in wk.err
    assert not (tmp_path / "nothing").exists()


def test_what_a_command_makes_no_other_account_can_read(lone_wk: LoneCommand, data: Path) -> None:
    data.chmod(0o755)
    assert lone_wk("calls", data=data) == 0
    assert "now only its owner can" in lone_wk.err
    assert [path for path in (data, data / "analytics") if path.stat().st_mode & 0o077] == []
    assert lone_wk("calls", data=data) == 0
    assert "now only its owner can" not in lone_wk.err  # the embedded store may have words of its own about the host


def test_a_command_that_asks_for_no_calls_waits_for_no_engine(lone_wk: LoneCommand, data: Path) -> None:
    assert lone_wk("keys", "list", data=data) == 0
    code = (
        "import sys; from watchkeeper.cli.main import build; from watchkeeper.cli.outcome import run\n"
        "assert run(build(), sys.argv[1:]) == 0\n"
        "print([name for name in ('chdb', 'clickhouse_connect', 'alembic', 'genai_prices') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "keys", "list", "--data", str(data)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (data / "analytics").exists()


def test_a_store_that_cannot_be_opened_is_a_matter_of_the_set_up(lone_wk: LoneCommand, data: Path) -> None:
    (data / "analytics").write_text("not a folder")
    assert lone_wk("calls", data=data) == 4, lone_wk.err
    assert "analytics" in lone_wk.err
    assert lone_wk("keys", "list", data=data) == 0


def test_a_folder_of_a_newer_version_is_refused(wk: Command, data: Path) -> None:
    (data / "VERSION").write_text("999\n")
    assert wk("keys", "list", data=data) == 4
    assert "999" in wk.err


def test_a_folder_that_is_held_by_somebody_who_does_not_answer_is_named(
    wk: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeeper.cli.client.HELD_S", 0.3)
    with FolderLock(DataFolder(data)):
        assert wk("keys", "list", data=data) == 4
    assert "does not answer" in wk.err


def test_a_command_waits_for_another_one_to_finish(lone_wk: Command, data: Path) -> None:
    lock = FolderLock(DataFolder(data))
    lock.__enter__()
    threading.Timer(1, lock.__exit__, (None, None, None)).start()
    assert lone_wk("keys", "list", data=data) == 0


def test_a_keeper_that_breaks_off_is_told_and_not_asked_again(wk: Command, data: Path) -> None:
    folder = DataFolder(data)
    asked: list[bytes] = []

    async def serve() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.close()

        async with await asyncio.start_unix_server(hang_up, folder.socket):
            code = await asyncio.to_thread(wk, "keys", "create", "--feature", "a", data=data)
            assert code == 1

    asyncio.run(serve())
    assert "may or may not be done" in wk.err
    assert len(asked) == 1


def test_following_without_a_keeper_says_that_nothing_will_arrive(wk: Command, data: Path) -> None:
    assert wk("calls", "--follow", data=data) == 4
    assert "nothing new will arrive" in wk.err


def test_a_fault_of_ours_is_told_in_words_and_kept_in_a_file(
    wk: Command, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (data / "VERSION").unlink()
    (data / "VERSION").mkdir()
    assert wk("keys", "list", data=data) == 1
    [kept] = tmp_path.glob("watchkeeper-*.txt")
    assert str(kept) in wk.err
    assert "Traceback" not in wk.err
    assert "Traceback" in kept.read_text()


def test_a_reader_that_leaves_early_is_no_failure(keeper: Keeper) -> None:
    command = subprocess.Popen(
        [*COMMAND, "calls", "--json", "--data", str(keeper.folder.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait() == 0


# Configuration


def test_a_good_configuration_is_good_and_explained(wk: Command, data: Path) -> None:
    (data / "watchkeeper.yaml").write_text(default_text())
    assert wk("check", data=data) == 0
    assert "is good: 1 providers, 1 features, 2 routes" in wk.out
    assert wk("config", "explain", data=data) == 0
    assert "durability\tinterval\twatchkeeper.yaml:" in wk.out


def test_a_broken_configuration_is_refused_with_its_lines(wk: Command, data: Path) -> None:
    path = data / "broken.yaml"
    path.write_text("routes:\n  a: {target: [x/y]}\n")
    assert wk("check", str(path), data=data) == 4
    assert "broken.yaml:2" in wk.err
    assert "did you mean `targets`?" in wk.err
    assert wk("check", str(path), "--json", data=data) == 4
    assert json.loads(wk.out)["ok"] is False


def test_the_schema_is_one_document(wk: Command, data: Path) -> None:
    schema = wk.json("config", "schema", data=data)
    assert isinstance(schema, dict)
    assert {"providers", "features", "routes", "durability"} <= set(schema["properties"])


def test_health_tells_that_no_keeper_runs(lone_wk: Command, data: Path) -> None:
    assert lone_wk("health", data=data) == 1
    assert "not running" in lone_wk.err


# Help


def test_help_is_printed_without_the_parts_that_commands_need() -> None:
    check = (
        "import sys; from watchkeeper.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'httpx', 'pydantic', 'fastapi', 'sqlalchemy', 'chdb', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in done.stdout


def test_a_command_over_the_socket_loads_no_database(keeper: Keeper) -> None:
    check = (
        "import sys; from watchkeeper.cli.main import main\n"
        f"try: main(['keys', 'list', '--data', {str(keeper.folder.root)!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'httpx', 'pydantic', 'fastapi', 'sqlalchemy', 'chdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
