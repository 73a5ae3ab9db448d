"""Drills on a running installation: a fault is met in earnest, is marked, and ends by itself; the cache is purged."""

from collections.abc import Iterator

import httpx
import pytest
from tests.e2e.conftest import ask, config_for
from tests.e2e.load import BODY

from watchkeeper.testing import Upstream, wait_until
from watchkeeper.testing.harness import Installation

PATIENT = "{targets: [scripted/gpt-4o-mini], retries: {attempts: 1}, breaker: {failures: 1000}"
ROUTES = f"""
  drilled: {PATIENT}}}
  kept: {PATIENT}, cache: {{exact: {{ttl: 10m, scope: [tenant, subject]}}}}}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, started_upstream: Upstream) -> Iterator[Installation]:
    config = config_for(started_upstream, routes=ROUTES)
    with Installation(tmp_path_factory.mktemp("drills"), config) as installation:
        yield installation


@pytest.fixture(autouse=True)
def _quiet(upstream: Upstream) -> None:
    """The scripted upstream answers plainly."""


def test_a_call_meets_a_fault_is_marked_and_the_fault_ends_by_itself(running: Installation) -> None:
    assert ask(running, model="drilled").status_code == 200
    started = running.cli("fault", "start", "server_error", "drilled", "--for", "3s", "--status", "503")
    assert started.returncode == 0, started.stderr
    [fault] = running.cli_json("fault", "list")["faults"]
    assert f"started {fault['id']}: server_error in 100% of the calls to drilled\n" in started.stdout
    failed = wait_until(lambda: reply if (reply := ask(running, model="drilled")).status_code != 200 else None)
    [attempt] = running.call(failed.headers["x-wk-call-id"])["attempts"]
    assert attempt["http_status"] == 503
    assert fault["id"] in attempt["error_message"]
    assert ask(running).status_code == 200, "another route is left alone"
    assert wait_until(lambda: ask(running, model="drilled").status_code == 200)
    [fault] = running.cli_json("fault", "list")["faults"]
    assert (fault["state"], fault["stopped_by"]) == ("ended", None)
    [change] = [change for change in running.cli_json("changes")["changes"] if change["kind"] == "fault"]
    assert fault["id"] in change["summary"]


def test_a_fault_is_stopped_early_and_touches_only_whom_it_names(running: Installation) -> None:
    key = running.make_key("--feature", "support")
    public_id = key.split("-")[2]
    fault = running.cli_json("fault", "start", "reset", "drilled", "--for", "1h", "--key", public_id)
    wait_until(lambda: ask(running, key=key, model="drilled").status_code == 502)
    assert ask(running, model="drilled").status_code == 200
    listed = running.cli("fault", "list").stdout.splitlines()[0].split("\t")
    assert (listed[0], listed[1][:12], listed[5]) == (fault["id"], "active until", f"key {public_id}")
    stopped = running.cli("fault", "stop", fault["id"])
    assert stopped.stdout == f"stopped {fault['id']} (reset on drilled)\n"
    wait_until(lambda: ask(running, key=key, model="drilled").status_code == 200)
    assert running.cli("fault", "stop", fault["id"]).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("reset", "driled", "--for", "1m"), 3, "did you mean `drilled`?"),
        (("rset", "drilled", "--for", "1m"), 1, "did you mean `reset`?"),
        (("reset", "drilled", "--for", "25h"), 1, "lasts_s"),
        (("reset", "drilled", "--for", "soon"), 2, "such as 90s"),
        (("reset", "drilled"), 2, "--for"),
        (("reset", "drilled", "--for", "1m", "--share", "0%"), 2, "such as 10%"),
        (("reset", "drilled", "--for", "1m", "--share", "a tenth"), 2, "such as 10%"),
        (("reset", "drilled", "--for", "1m", "--key", "nosuchkey"), 3, "There is no key `nosuchkey`"),
        (("reset", "drilled", "--for", "1m", "--key", "sk-wk-FAKEkey00001-" + "f" * 40), 2, "`--key FAKEkey00001`"),
    ],
)
def test_a_drill_that_makes_no_sense_is_refused_in_words(
    running: Installation, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = running.cli("fault", "start", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert words in done.stderr


def test_without_a_keeper_no_drill_begins(running: Installation, upstream: Upstream) -> None:
    with Installation(running.data.parent / "other", config_for(upstream)) as other:
        other.stop()
        done = other.cli("fault", "start", "reset", "gpt-4o-mini", "--for", "1m")
        assert (done.returncode, "watchkeeper up" in done.stderr) == (4, True), done.stderr
        assert other.cli_json("fault", "list") == {"faults": []}


def test_a_persons_answers_leave_the_cache_and_nobody_elses(running: Installation) -> None:
    for subject in ("ana@example.com", "ben@example.com"):
        assert cached(running, subject) == "miss"
        assert cached(running, subject) == "hit"
    done = running.cli("cache", "purge", "--tenant", "acme", "--subject", "ana@example.com")
    assert done.returncode == 0, done.stderr
    assert "ana@" not in done.stdout
    wait_until(lambda: cached(running, "ana@example.com") == "miss")
    assert cached(running, "ben@example.com") == "hit"
    assert running.cli("cache", "purge", "--all").stdout.startswith("purged every answer: ")
    wait_until(lambda: cached(running, "ben@example.com") == "miss")


@pytest.mark.parametrize("arguments", [(), ("--all", "--tenant", "acme")])
def test_a_purge_must_say_whose_answers(running: Installation, arguments: tuple[str, ...]) -> None:
    done = running.cli("cache", "purge", *arguments)
    assert (done.returncode, "nothing was dropped" in done.stderr) == (2, True)


def cached(installation: Installation, subject: str) -> str:
    """Make one call for a person of one tenant, and tell whether the cache answered."""
    reply = httpx.post(
        f"{installation.base_url}/chat/completions",
        content=BODY.replace(b"gpt-4o-mini", b"kept"),
        headers={"authorization": f"Bearer {installation.key}", "x-wk-tenant": "acme", "x-wk-subject": subject},
        timeout=20,
    )
    assert reply.status_code == 200
    return reply.headers["x-wk-cache"]
