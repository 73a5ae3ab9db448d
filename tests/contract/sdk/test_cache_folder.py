"""What is kept on disk serves while the gateway is down, and nobody can change it who has only the folder."""

import errno
import json
import logging
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.contract.sdk.giving import KEY, SEED, Giver, bundle_of, recipe

from watchkeeper import Prompts
from watchkeeper.releases.bundle import BundleRefused
from watchkeeper.releases.recipe import release_id
from watchkeeper.sdk.disk import FILES_MAX, Disk, Kept
from watchkeeper.sdk.errors import Unavailable
from watchkeeper.testing import FakeClock

Application = Callable[..., Prompts]


def one(folder: Path, pattern: str = "support*") -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_a_new_process_serves_what_was_kept_while_the_gateway_is_down(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    pinned = recipe("Pinned {{ question }}")
    giver.gives("support@staging", bundle_of(recipe(), environment="staging"))
    giver.gives(f"support@{release_id(pinned)}", bundle_of(pinned, environment=""))
    first = application()
    for which in ("", "staging", release_id(pinned)):
        first.prompt("support", which)
    known_at = clock.unix_ns()
    giver.stop()
    clock.advance(3600)
    later = application()
    for which in ("", "staging", release_id(pinned)):
        rendered = later.prompt("support", which).render(question="?")
        assert rendered.is_stale
        assert rendered.stale_since is not None
        assert int(rendered.stale_since.timestamp() * 1e9) == known_at
    with pytest.raises(Unavailable, match="could not be asked for search"):
        later.prompt("search")


def test_only_the_owner_can_read_what_is_kept_and_the_key_is_not_in_it(
    application: Application, cache_dir: Path
) -> None:
    application().prompt("support")
    for path in cache_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert KEY.rpartition("-")[2] not in path.read_text()
    assert stat.S_IMODE(cache_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("Be brief.", "Be evil.."),
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace('"confirmed_ns":1', '"confirmed_ns":2'),
        lambda text: json.dumps({**json.loads(text), "mac": "0" * 64}),
    ],
    ids=["its words", "its end", "all of it", "its time", "its seal"],
)
def test_a_file_that_somebody_changed_is_refused_by_name_and_written_anew(
    application: Application, giver: Giver, cache_dir: Path, change: Callable[[str], str]
) -> None:
    application().prompt("support")
    path = one(cache_dir)
    path.write_text(change(path.read_text()))
    giver.stop()
    with pytest.raises(Unavailable, match="has been altered") as caught:
        application().prompt("support")
    assert str(path) in str(caught.value)
    giver.start()
    assert not application().prompt("support").render(question="?").is_stale
    giver.stop()
    assert application().prompt("support").render(question="?").is_stale


def test_one_file_cannot_stand_for_another(application: Application, giver: Giver, cache_dir: Path) -> None:
    giver.gives("other", bundle_of(recipe("Other {{ question }}", feature="other")))
    prompts = application()
    prompts.prompt("support")
    prompts.prompt("other")
    one(cache_dir).write_bytes(one(cache_dir, "other*").read_bytes())
    giver.stop()
    with pytest.raises(Unavailable, match="has been altered"):
        application().prompt("support")


def test_what_one_gateway_gave_cannot_stand_for_what_another_gives(tmp_path: Path) -> None:
    first = Disk(tmp_path, origin="http://first", api_key=KEY)
    second = Disk(tmp_path, origin="http://second", api_key=KEY)
    first.write(Kept("f", "{}", "", 1))
    second.path("f").write_bytes(first.path("f").read_bytes())
    with pytest.raises(BundleRefused, match="altered"):
        second.read("f")


@pytest.mark.parametrize("what", ["pin", "bundle"])
def test_who_writes_the_folder_cannot_bring_in_a_gateway_of_his_own(
    application: Application, giver: Giver, cache_dir: Path, what: str
) -> None:
    application().prompt("support")
    forger = Giver(b"f" * 32)
    forged = Disk(cache_dir, origin=giver.url.removesuffix("/v1"), api_key="sk-wk-abcdefghijkl-" + "x" * 40)
    if what == "pin":
        forged.pin(forger.signer.public_key)
    else:
        forged.write(Kept("support", forger.gives("support", bundle_of(recipe("Evil"))).decode(), "", 1))
    giver.stop()
    with pytest.raises(Unavailable, match="altered") as caught:
        application().prompt("support")
    assert str(one(cache_dir, "*.pin" if what == "pin" else "support*")) in str(caught.value)


def test_a_gateway_that_signs_with_another_key_is_refused_and_what_was_known_serves_on(
    application: Application, giver: Giver, cache_dir: Path, clock: FakeClock
) -> None:
    application().prompt("support")
    giver.signer = Giver(b"f" * 32).signer
    giver.gives("support", bundle_of(recipe("Evil {{ question }}")))
    rendered = application().prompt("support").render(question="?")
    assert rendered.messages[1]["content"] == "Answer: ?"
    assert rendered.is_stale
    one(cache_dir, "*.pin").unlink()
    for path in cache_dir.glob("*.json"):
        path.unlink()
    assert application().prompt("support").render(question="?").messages[1]["content"] == "Evil ?"


def test_a_key_that_was_given_is_not_pinned_but_held_to(application: Application, giver: Giver) -> None:
    assert application(public_key=Giver(SEED).signer.public_key).prompt("support").render(question="?").release
    with pytest.raises(Exception, match="signs with another key"):
        application(public_key=Giver(b"f" * 32).signer.public_key, cache_dir=None).prompt("support")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_said_once_and_hinders_nothing(
    application: Application,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    real = os.open

    def full(path: object, *arguments: int) -> int:
        if str(path).endswith(".part"):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments)  # type: ignore[arg-type] # as given

    monkeypatch.setattr(os, "open", full)
    with caplog.at_level(logging.WARNING):
        prompts = application()
        prompts.prompt("support").render(question="?")
        clock.advance(3600)
        prompts.prompt("support").render(question="?")
    said = [record.getMessage() for record in caplog.records if "cannot be written" in record.getMessage()]
    assert len(said) == 1
    assert os.strerror(number) in said[0]


def test_a_cache_that_is_a_file_hinders_nothing(application: Application, cache_dir: Path) -> None:
    cache_dir.write_text("not a folder")
    assert application().prompt("support").render(question="?").release


def test_a_clock_that_goes_back_makes_nothing_younger_than_it_is(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    application().prompt("support")
    giver.stop()
    earlier = clock.unix_ns() - 86_400_000_000_000
    clock.set_unix_ns(earlier)
    rendered = application().prompt("support").render(question="?")
    assert rendered.is_stale
    assert rendered.stale_since is not None
    assert int(rendered.stale_since.timestamp() * 1e9) == earlier


def test_many_processes_share_a_folder(application: Application, giver: Giver, cache_dir: Path) -> None:
    start = multiprocessing.get_context("fork")
    workers = [start.Process(target=_fetch_often, args=(giver.url, cache_dir)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    giver.stop()
    assert application().prompt("support").render(question="?").is_stale
    assert not list(cache_dir.glob(".*.part"))


def _fetch_often(url: str, cache_dir: Path) -> None:
    for _ in range(20):
        Prompts(url, KEY, cache_dir=cache_dir).prompt("support").render(question="?")


def test_a_folder_keeps_a_bounded_number_of_bundles(tmp_path: Path) -> None:
    disk = Disk(tmp_path, origin="http://gateway", api_key=KEY)
    for number in range(FILES_MAX + 20):
        disk.write(Kept(f"f{number}", "{}", "", 1))
        os.utime(disk.path(f"f{number}"), ns=(number, number))
    assert len(list(tmp_path.glob("*.json"))) == FILES_MAX
    assert disk.read("f0") is None
    assert disk.read(f"f{FILES_MAX + 19}") is not None


def test_another_key_or_gateway_has_files_of_its_own(tmp_path: Path) -> None:
    disk = Disk(tmp_path, origin="http://gateway", api_key=KEY)
    disk.write(Kept("f", "{}", "", 1))
    assert Disk(tmp_path, origin="http://other", api_key=KEY).read("f") is None
    assert Disk(tmp_path, origin="http://gateway", api_key="sk-wk-mmmmmmmmmmmm-" + "s" * 40).read("f") is None


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "cache", origin="http://gateway", api_key=KEY)
    disk.write(Kept("../../evil/\0name", "{}", "", 1))
    assert disk.read("../../evil/\0name") == Kept("../../evil/\0name", "{}", "", 1)
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "cache"]


def test_a_file_of_a_newer_form_is_refused_not_misread(tmp_path: Path) -> None:
    disk = Disk(tmp_path, origin="http://gateway", api_key=KEY)
    disk.write(Kept("f", "{}", "", 1))
    assert msgspec.json.decode(disk.path("f").read_bytes())["content"]["name"] == "f"
