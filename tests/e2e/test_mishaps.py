"""What befalls a host: it is stopped under load, its disk is full, its keeper is away, all of it dies at once."""

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from tests.e2e.conftest import ask
from tests.e2e.load import Load
from tests.e2e.stored import stored

from watchkeeper.access.node import NodeSecrets
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.welcome import read_welcome, welcome_file
from watchkeeper.testing import Delivery, Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

Install = Callable[..., Installation]


def test_stopping_under_load_loses_no_call(install: Install, upstream: Upstream) -> None:
    upstream.always(Reply(delivery=Delivery(head_s=0.05, pace_s=0.02)))
    installation = install(workers=2)
    with Load(installation, clients=12) as load:
        time.sleep(1)
        assert installation.stop() == 0
    acknowledged = {call.id for call in load.acknowledged}
    assert len(acknowledged) > 20
    assert len(acknowledged) == len(upstream.received), "a call reached the upstream and its client got no answer"
    assert {received.outcome for received in upstream.received} == {"answered"}
    assert stored(installation.data)["calls"] == dict.fromkeys(acknowledged, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_stops_when_asked_and_leaves_no_process(install: Install, number: signal.Signals) -> None:
    installation = install()
    pids = [installation.pid, *installation.pids("keeper"), *installation.pids("worker")]
    assert installation.stop(number) == 0
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_the_gateway_serves_while_the_keeper_is_away_and_nothing_is_lost(install: Install) -> None:
    installation = install()
    [keeper] = installation.pids("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        replies = [ask(installation) for _ in range(20)]
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert {reply.status_code for reply in replies} == {200}
    installation.call(replies[-1].headers["x-wk-call-id"])
    installation.stop()
    assert stored(installation.data)["calls"] == {reply.headers["x-wk-call-id"]: 1 for reply in replies}


def test_a_killed_keeper_comes_back_and_the_gateway_does_not_notice(install: Install) -> None:
    installation = install()
    [keeper] = installation.pids("keeper")
    installation.kill(keeper)
    first = ask(installation)
    assert first.status_code == 200
    assert installation.call(first.headers["x-wk-call-id"], within_s=30)["status"] == "ok"
    assert installation.pids("keeper") != [keeper]


def set_file_size_limit(pid: int, size: int) -> None:
    """Let a process write no file beyond a size: it then sees what a full disk would show it, an error on writing."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def test_with_disk_durability_a_full_disk_refuses_calls_until_there_is_room(
    install: Install, upstream: Upstream
) -> None:
    installation = install(durability="disk")
    [worker] = installation.pids("worker")
    answered = [ask(installation)]
    set_file_size_limit(worker, 0)
    refused = ask(installation)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_recorded")
    readiness = httpx.get(f"http://127.0.0.1:{installation.port}/readyz")
    assert readiness.status_code == 503
    assert readiness.json()["why"]
    asked = len(upstream.received)
    assert ask(installation).status_code == 503
    assert len(upstream.received) == asked, "a call that cannot be recorded was paid for"
    time.sleep(2.5)  # longer than the worker takes between two publications of its counters
    set_file_size_limit(worker, resource.RLIM_INFINITY)
    answered.append(wait_until(lambda: reply if (reply := ask(installation)).status_code == 200 else None))
    wait_until(lambda: httpx.get(f"http://127.0.0.1:{installation.port}/readyz").status_code == 200)
    assert installation.pids("worker") == [worker], "the worker ended"
    installation.stop()
    rows = stored(installation.data)["calls"]
    assert {reply.headers["x-wk-call-id"] for reply in answered} <= set(rows)
    assert set(rows.values()) == {1}


def test_with_interval_durability_a_full_disk_is_waited_out(install: Install) -> None:
    installation = install(durability="interval")
    [worker] = installation.pids("worker")
    set_file_size_limit(worker, 0)
    replies = [ask(installation) for _ in range(30)]
    assert {reply.status_code for reply in replies} == {200}
    wait_until(lambda: httpx.get(f"http://127.0.0.1:{installation.port}/readyz").status_code == 503)
    set_file_size_limit(worker, resource.RLIM_INFINITY)
    wait_until(lambda: httpx.get(f"http://127.0.0.1:{installation.port}/readyz").status_code == 200)
    assert installation.pids("worker") == [worker], "the worker ended"
    installation.stop()
    assert stored(installation.data)["calls"] == {reply.headers["x-wk-call-id"]: 1 for reply in replies}


def test_what_was_spooled_while_no_keeper_ran_is_stored_at_the_next_start(install: Install) -> None:
    installation = install()
    [keeper] = installation.pids("keeper")
    os.kill(keeper, signal.SIGSTOP)
    replies = [ask(installation) for _ in range(10)]
    # The whole tree dies, as when the host loses power; the disk keeps what was written to it.
    time.sleep(0.5)
    for pid in (installation.pid, keeper, *installation.pids("worker")):
        installation.kill(pid)
    installation.stop()
    installation.start()
    assert installation.call(replies[-1].headers["x-wk-call-id"])["status"] == "ok"
    installation.stop()
    assert stored(installation.data)["calls"] == {reply.headers["x-wk-call-id"]: 1 for reply in replies}


def test_no_other_account_can_read_what_was_recorded(install: Install) -> None:
    before = os.umask(0o022)
    try:
        installation = install()
    finally:
        os.umask(before)
    installation.call(ask(installation).headers["x-wk-call-id"])
    installation.stop()
    found = [installation.data, *installation.data.rglob("*")]
    assert len(found) > 20
    assert [str(path) for path in found if path.stat().st_mode & 0o077] == []


def test_the_first_key_survives_a_restart(install: Install) -> None:
    installation = install()
    key = installation.key
    installation.stop()
    installation.start()
    with OpenAI(base_url=installation.base_url, api_key=key, max_retries=0) as client:
        assert client.models.list().data


def test_the_first_key_is_in_the_log_of_the_first_start_only_and_forgotten_once_used(install: Install) -> None:
    installation = install()
    key = installation.key
    folder = DataFolder(installation.data)
    file = welcome_file(folder, NodeSecrets.load(folder.node_key))
    installation.stop()
    installation.start()
    assert key not in installation.output
    assert f"{key[:18]}-..." in installation.output
    assert read_welcome(file).key == key, "a terminal could still be shown it"
    assert ask(installation, key=key).status_code == 200
    installation.stop()
    installation.start()
    assert key not in installation.output
    assert read_welcome(file).key == ""
    assert ask(installation, key=key).status_code == 200


def test_a_data_folder_of_a_newer_version_is_left_alone(install: Install) -> None:
    installation = install()
    installation.stop()
    (installation.data / "VERSION").write_text("999\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in installation.data.rglob("*") if path.is_file())
    done = installation.cli("up", "--config", str(installation.config))
    assert done.returncode != 0
    assert "999" in done.stderr
    assert "Traceback" not in done.stderr
    after = sorted((path, path.stat().st_mtime_ns) for path in installation.data.rglob("*") if path.is_file())
    assert after == before
