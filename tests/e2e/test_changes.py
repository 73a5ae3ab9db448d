"""What an operator changes while it runs, and the starts that are refused."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.e2e.conftest import ask, config_for

from watchkeeper.testing import Upstream, wait_until
from watchkeeper.testing.harness import Installation, free_port

SECOND = "  second: {targets: [scripted/gpt-4o-mini]}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, started_upstream: Upstream) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("shared"), config_for(started_upstream)) as installation:
        yield installation


@pytest.fixture
def running(shared: Installation, upstream: Upstream) -> Iterator[Installation]:
    """An installation that all tests here share; its configuration is put back after each."""
    yield shared
    shared.config.write_text(config_for(upstream))
    wait_until(lambda: (ask(shared).status_code, ask(shared, model="second").status_code) == (200, 404))


def test_an_edit_is_served_without_a_restart(running: Installation, upstream: Upstream) -> None:
    assert ask(running, model="second").status_code == 404
    running.config.write_text(config_for(upstream, routes=SECOND))
    wait_until(lambda: ask(running, model="second").status_code == 200)


def test_other_hosts_read_the_metrics_once_they_are_opened(running: Installation, upstream: Upstream) -> None:
    address, elsewhere = f"http://127.0.0.1:{running.port}/metrics", {"x-forwarded-for": "192.0.2.7"}
    assert httpx.get(address, headers=elsewhere).status_code == 403
    running.config.write_text(config_for(upstream) + "metrics: {open: true}\n")
    wait_until(lambda: httpx.get(address, headers=elsewhere).status_code == 200)


@pytest.mark.parametrize(
    "broken",
    [
        "routes: {",
        "routes: {gpt-4o-mini: {targets: [nobody/gpt-4o-mini]}}\n",
        "routess: {}\n",
        "",
    ],
    ids=["not YAML", "unknown provider", "unknown key", "emptied"],
)
def test_a_broken_edit_is_refused_and_the_last_good_one_serves_on(
    running: Installation, upstream: Upstream, broken: str
) -> None:
    running.config.write_text(broken)
    wait_until(lambda: (running.ask("/api/v1/health") or {}).get("config", {}).get("refused"))
    assert ask(running).status_code == 200
    running.config.write_text(config_for(upstream, routes=SECOND))
    wait_until(lambda: ask(running, model="second").status_code == 200)


def test_a_rotated_secret_file_is_served_without_an_edit(
    running: Installation, upstream: Upstream, tmp_path: Path
) -> None:
    secret = tmp_path / "provider-key"
    with_file = config_for(upstream).replace("sk-fake", f'{{file: "{secret}"}}')
    running.config.write_text(with_file)
    wait_until(lambda: "cannot be read" in ((running.ask("/api/v1/health") or {})["config"]["refused"] or ""))
    for value in ("sk-fake-first", "sk-fake-second"):
        secret.write_text(value)
        wait_until(partial(_presents, running, upstream, value))


def _presents(running: Installation, upstream: Upstream, credential: str) -> bool:
    """Make a call, and tell whether it came upstream with a credential."""
    assert ask(running).status_code == 200
    return upstream.received[-1].header("authorization") == f"Bearer {credential}"


def test_a_new_key_works_and_a_revoked_one_does_not_any_more(running: Installation) -> None:
    key = running.make_key("--feature", "support", "--tenant", "acme")
    wait_until(lambda: ask(running, key=key).status_code == 200)
    rows = running.cli_json("keys", "list")["keys"]
    [public_id] = [row["public_id"] for row in rows if row["tenant"] == "acme"]
    assert running.cli("keys", "revoke", public_id).returncode == 0
    refused = wait_until(lambda: reply if (reply := ask(running, key=key)).status_code != 200 else None)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert ask(running).status_code == 200


def test_a_second_process_on_the_same_data_folder_is_told_who_is_there(running: Installation) -> None:
    done = running.cli("up", "--config", str(running.config), *free_ports())
    assert done.returncode != 0
    assert f"process {running.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert ask(running).status_code == 200


def test_a_port_in_use_is_named(running: Installation) -> None:
    other = running.config.parent / "other"
    done = running.cli("up", "--data", str(other), "--config", str(running.config), "--port", str(running.port))
    assert done.returncode != 0
    assert str(running.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_checking_a_configuration_names_line_and_remedy(tmp_path: Path) -> None:
    installation = Installation(tmp_path, "routes:\n  a: {target: [x/y]}\n")
    done = installation.cli("check", str(installation.config))
    assert done.returncode == 4
    said = done.stdout + done.stderr
    assert "watchkeeper.yaml:2" in said
    assert "targets" in said


def free_ports() -> list[str]:
    return ["--port", str(free_port()), "--console-port", str(free_port())]


def test_a_data_folder_far_down_works_like_any_other(tmp_path: Path, upstream: Upstream) -> None:
    """Systems take no socket path beyond about a hundred bytes."""
    deep = tmp_path / "/".join(["a-folder-with-a-long-name"] * 5)
    deep.mkdir(parents=True)
    with Installation(deep, config_for(upstream)) as installation:
        reply = ask(installation)
        wait_until(lambda: installation.cli("call", reply.headers["x-wk-call-id"]).returncode == 0)
