"""`watchkeeper release` on real folders: conflicts as people meet them; nothing of anybody's is overwritten."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from tests.integration.control.commands import Command
from tests.integration.control.released import SUPPORT, ReleaseKeeper

from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.cli.release_at import moment_of
from watchkeeper.config.schema import Config

CONFIG = Config.model_validate(
    {
        "providers": {"openai": {"base_url": "https://api.openai.com/v1"}},
        "routes": {"gpt-4o-mini": {"targets": ["openai/gpt-4o-mini"]}},
        "environments": {"production": {"approvals": 1}},
    }
)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseKeeper]:
    found = ReleaseKeeper(tmp_path_factory.mktemp("k"))
    found.config = CONFIG
    found.start()
    assert found.is_ready.wait(20)
    yield found
    found.stop()


class Person:
    """Somebody with a folder of prompts."""

    def __init__(self, home: Path, feature: str, wk: Command, data: Path) -> None:
        self.prompts = home
        self.folder = home / feature
        self.feature = feature
        self._wk = wk
        self._data = data
        self.code = 0

    def do(self, *arguments: str, fails: bool = False) -> str:
        self.code = code = self._wk("release", *arguments, data=self._data)
        assert (code != 0) == fails, f"{self._wk.out}{self._wk.err}"
        return self._wk.out + self._wk.err

    def tries(self, *arguments: str) -> None:
        assert self._wk("rollout", "start", *arguments, "--env", "staging", data=self._data) == 0, self._wk.err

    def json(self, *arguments: str) -> Any:
        return self._wk.json("release", *arguments, data=self._data)

    def push(self, *, fails: bool = False) -> str:
        return self.do("push", str(self.prompts), "-m", "x", fails=fails)

    def pull(self, *more: str, fails: bool = False) -> str:
        return self.do("pull", str(self.prompts), self.feature, *more, fails=fails)

    def edit(self, before: str, after: str, name: str = "release.yaml") -> None:
        path = self.folder / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def contents(self) -> dict[str, bytes]:
        found = (path for path in self.prompts.rglob("*") if path.is_file())
        return {str(path.relative_to(self.prompts)): path.read_bytes() for path in found}


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path, wk: Command, keeper: ReleaseKeeper) -> tuple[Person, Person]:
    """Two who work on the same feature, which has one release."""
    feature = f"f{abs(hash(request.node.name)) % 10**12}"
    data = keeper.folder.root
    ana = Person(tmp_path / "ana", feature, wk, data)
    ana.folder.mkdir(parents=True)
    recipe = {**SUPPORT, "feature": feature, "output": {"schema": "answer.schema.json"}}
    recipe["messages"] = [{"role": "system", "content": {"file": "system.md"}}, SUPPORT["messages"][1]]
    (ana.folder / "release.yaml").write_text("# ours\n" + yaml.safe_dump(recipe, sort_keys=False) + "# end\n")
    (ana.folder / "system.md").write_text("You answer for {{ company }}, in {{ language }}.\nBe brief.\n")
    (ana.folder / "answer.schema.json").write_text('{"type": "object"}\n')
    ana.push()
    ben = Person(tmp_path / "ben", feature, wk, data)
    shutil.copytree(ana.prompts, ben.prompts)
    return ana, ben


def test_pull_after_push_changes_no_byte_and_push_after_pull_keeps_no_release(pair: tuple[Person, Person]) -> None:
    ana, ben = pair
    before = ana.contents()
    assert "unchanged" in ana.pull() and ana.contents() == before
    assert "unchanged" in ana.push() and ana.contents() == before
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    ben.pull()
    after = ben.contents()
    assert "unchanged" in ben.push() and "unchanged" in ben.pull() and ben.contents() == after
    assert after[f"{ben.feature}/system.md"] == ana.contents()[f"{ana.feature}/system.md"]
    assert after[f"{ben.feature}/release.yaml"] == before[f"{ana.feature}/release.yaml"], "comments and form are kept"


def test_a_push_from_an_older_release_is_refused_and_pull_brings_both_together(pair: tuple[Person, Person]) -> None:
    ana, ben = pair
    ana.edit("max_tokens: 200", "max_tokens: 300")
    ana.push()
    ben.edit("Be brief.", "Be kind.", "system.md")
    before = ben.contents()
    said = ben.push(fails=True)
    assert "by local came since" in said and "- 200" in said and "+ 300" in said and "+ Be kind." in said
    assert "no place was changed by both" in said and ben.contents() == before
    assert "wrote" in ben.pull()
    assert "max_tokens: 300" in (ben.folder / "release.yaml").read_text()
    assert (ben.folder / "system.md").read_text().endswith("Be kind.\n"), "what ben wrote stays"
    assert "pushed" in ben.push() and "wrote" in ana.pull()
    assert (ana.folder / "system.md").read_text() == (ben.folder / "system.md").read_text()


@pytest.mark.parametrize("take", ["theirs", "mine"])
def test_a_place_that_both_changed_is_named_and_nothing_is_written_until_somebody_decides(
    pair: tuple[Person, Person], take: str
) -> None:
    ana, ben = pair
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.edit("max_tokens: 200", "max_tokens: 300")
    ana.push()
    ben.edit("Be brief.", "Be kind.", "system.md")
    before = ben.contents()
    assert "both changed messages[0].content:" in ben.push(fails=True)
    assert "both changed messages[0].content:" in ben.pull(fails=True)
    assert ben.contents() == before
    ben.pull("--take", take)
    assert (ben.folder / "system.md").read_text().endswith("Be long.\n" if take == "theirs" else "Be kind.\n")
    assert "max_tokens: 300" in (ben.folder / "release.yaml").read_text(), "what only ana changed comes either way"
    assert ("unchanged" if take == "theirs" else "pushed") in ben.push()


def test_a_folder_that_forgot_what_it_was_made_from_overwrites_nothing(pair: tuple[Person, Person]) -> None:
    ana, ben = pair
    (ben.folder / ".watchkeeper-release").unlink()
    assert "unchanged" in ben.push(), "the very recipe is the latest release"
    (ben.folder / ".watchkeeper-release").unlink()
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    ben.push(fails=True)
    assert "wrote" in ben.pull(), "its recipe is a release, so what it was made from is known"
    (ben.folder / ".watchkeeper-release").unlink()
    ana.edit("Be long.", "Be longer.", "system.md")
    ana.push()
    ben.edit("max_tokens: 200", "max_tokens: 7")
    before = ben.contents()
    said = ben.pull(fails=True)
    assert "messages[0].content" in said and "parameters.max_tokens" in said and ben.contents() == before


def test_going_back_to_what_was_is_a_push_like_any_other(pair: tuple[Person, Person]) -> None:
    ana, ben = pair
    first = ana.json("show", ana.feature)["id"]
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    ana.edit("Be long.", "Be brief.", "system.md")
    assert f"pushed, {first}" in ana.push()
    assert ana.json("show", ana.feature)["is_head"]
    ben.edit("Be brief.", "Be kind.", "system.md")
    assert "pushed" in ben.push(), "ben's was made from what is the latest again"


def test_a_mistake_is_named_with_file_and_line_and_the_other_features_are_pushed(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    other = ana.prompts / "other"
    shutil.copytree(ana.folder, other)
    (other / ".watchkeeper-release").unlink()
    text = (other / "release.yaml").read_text()
    (other / "release.yaml").write_text(text.replace(f"feature: {ana.feature}", "feature: other2"))
    ana.edit("role: user", "role: usr")
    ana.edit("{{ company }}", "{{ compny }}", "system.md")
    said = ana.push(fails=True)
    assert f"{ana.feature}/release.yaml:8: messages[1].role: must be" in said, said
    assert "other2: pushed" in said and f"{ana.feature} was not pushed; 1 other were." in said
    ana.edit("role: usr", "role: user")
    said = ana.push(fails=True)
    assert f"{ana.feature}/system.md: messages[0].content: `compny`: not declared under `variables`" in said
    found = ana._wk("release", "push", str(ana.prompts), "--json", data=ana._data)
    assert found == 1 and '"outcome": "refused"' in ana._wk.out and '"outcome": "unchanged"' in ana._wk.out


def test_two_folders_of_one_feature_are_refused_before_anything_is_pushed(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    ana.edit("Be brief.", "Be long.", "system.md")
    shutil.copytree(ana.folder, ana.prompts / "copy")
    head = ana.json("show", ana.feature)["id"]
    assert "both hold the feature" in ana.push(fails=True)
    assert ana.json("show", ana.feature)["id"] == head


def test_an_empty_folder_is_filled_and_an_unknown_feature_is_not_made_up(
    pair: tuple[Person, Person], tmp_path: Path
) -> None:
    ana, _ = pair
    fresh = tmp_path / "fresh"
    assert "wrote" in ana.do("pull", str(fresh), ana.feature)
    written = {path.name for path in (fresh / ana.feature).iterdir()}
    assert written == {"release.yaml", "system.md", "answer.schema.json", ".watchkeeper-release"}
    assert "unchanged" in ana.do("push", str(fresh))
    assert "There is no release of a feature 'nobody'" in ana.do("pull", str(tmp_path / "x"), "nobody", fails=True)
    assert "no release" in ana.do("pull", str(tmp_path / "y"), "../escape", fails=True)
    assert not (tmp_path / "escape").exists()


def test_a_difference_of_two_releases_and_of_a_folder_is_shown_by_place(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    first = ana.json("show", ana.feature)["id"]
    ana.edit("Be brief.", "Be very brief.", "system.md")
    assert [change["place"] for change in ana.json("diff", str(ana.prompts))["features"][0]["changes"]] == [
        "messages[0].content"
    ]
    ana.push()
    ana.do("promote", ana.feature, first[:14], "--to", "staging")
    for before in (first, f"{ana.feature}@staging"):
        [change] = ana.json("diff", before, ana.feature)["changes"]
        assert [line["sign"] for line in change["lines"]] == [" ", "-", "+"]
    said = ana.do("diff", "staging", ana.json("show", ana.feature)["id"], "--feature", ana.feature)
    assert "- Be brief." in said and "+ Be very brief." in said
    assert "nothing differs" in ana.do("diff", first, first)
    assert "is no folder" in ana.do("diff", "nowhere", fails=True)


def test_what_was_pushed_cannot_steer_a_terminal(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    ana.edit("Be brief.", "Be \x1b[2Jbrief.", "system.md")
    ana.do("push", str(ana.prompts), "-m", "evil \x1b]0;title\x07")
    for command in (("show", ana.feature), ("list", ana.feature), ("diff", str(ana.prompts))):
        assert "\x1b" not in ana.do(*command)


def test_a_release_goes_through_the_environments_with_reviews_and_freezes(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    feature = ana.feature
    first = ana.json("show", feature)["id"]
    assert f"{feature} is {first} in staging" in ana.do("promote", feature, "--to", "staging", "-m", "try")
    assert "live in staging already" in ana.do("promote", feature, "--to", "staging", fails=True)
    said = ana.do("promote", feature, "--from", "staging", "--to", "production", fails=True)
    assert f"watchkeeper release request {feature} {first} --to production" in said
    request = str(ana.json("request", feature, "--to", "production", "-m", "please")["id"])
    assert "local to approve of it and nobody has yet: `watchkeeper release app" in ana.do("reviews", request)
    said = ana.do("approve", request, "-m", "mine")
    assert "the vote of local does not count" in said and "release approve" not in said
    assert f"{request}\topen" in ana.do("reviews", "--feature", feature, "--open")
    assert "reject by local" in ana.do("reject", request)
    ana.do("freeze", "development", feature, "-m", "sale")
    assert f"frozen for {feature} by local" in ana.do("promote", feature, "--to", "development", fails=True)
    assert feature in ana.do("environments")
    assert "not frozen" in ana.do("unfreeze", "development", feature)
    assert "--passed or --failed" in ana.do("gate", first, "--name", "a", fails=True)
    assert "a passed for" in ana.do("gate", first, "--name", "a", "--run", "r", "--passed")
    history = ana.json("history", feature)["standings"]
    assert [(row["kind"], row["environment"], row["reason"]) for row in history] == [("promote", "staging", "try")]
    moment = history[0]["since"].replace("Z", "+00:00")
    assert first in ana.do("at", feature, moment, "--env", "staging")
    assert "nothing of" in ana.do("at", feature, "2020-01-01 10:00", "--env", "staging")
    assert "taken off" in ana.do("withdraw", feature, "--env", "staging", "-m", "over")
    assert first in ana.do("rollback", feature, "--env", "staging")
    assert "did you mean `staging`" in ana.do("promote", feature, "--to", "stagin", fails=True)


def test_a_rollout_does_not_hide_who_brought_the_release_that_stands(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    feature = ana.feature
    ana.do("promote", feature, "--to", "staging", "-m", "because", "--eval-run", "run-7")
    time.sleep(0.5)
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    ana.tries(feature, ana.json("show", feature)["id"], "--kind", "shadow", "--reason", "look")
    time.sleep(0.5)
    [brought, tried] = reversed(ana.json("history", feature)["standings"])
    said = ana.do("at", feature, tried["since"], "--env", "staging", "--tz", "Asia/Tokyo")
    moment = datetime.fromisoformat(brought["since"]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"stands since {moment:%Y-%m-%d %H:%M:%S}" in said and "Asia/Tokyo (+0900): promote by local" in said
    assert "because, run run-7" in said and "last of all: shadow_start by local: look" in said
    assert "UTC" not in said


def test_what_was_live_of_something_unknown_or_ahead_is_refused(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    feature, past = ana.feature, "2020-01-01 10:00"
    known = f"did you mean `{feature}`?\n"
    assert known in ana.do("at", feature + "x", past, fails=True) and ana.code == 3
    assert known in ana.do("history", feature + "x", fails=True) and ana.code == 3
    assert "did you mean `staging`?" in ana.do("at", feature, past, "--env", "stagin", fails=True) and ana.code == 3
    assert "did you mean `staging`?" in ana.do("at", "*", past, "--env", "stagin", fails=True) and ana.code == 3
    assert "did you mean `staging`?" in ana.do("history", feature, "--env", "stagin", fails=True) and ana.code == 3
    assert "is not yet" in ana.do("at", feature, "2099-01-01 10:00", fails=True) and ana.code == 2


def test_a_freeze_of_something_unknown_is_refused_and_one_that_is_left_is_named(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    feature = ana.feature
    for verb in ("freeze", "unfreeze"):
        assert f"did you mean `{feature}`?" in ana.do(verb, "staging", feature + "x", fails=True) and ana.code == 3
    ana.do("freeze", "staging", feature)
    ana.do("freeze", "staging")
    assert f"staging is still frozen for {feature}; `watchkeeper release unfreeze staging" in ana.do(
        "unfreeze", "staging"
    )
    assert "still" not in ana.do("unfreeze", "staging", feature)


def test_a_check_that_no_environment_asks_for_is_noted(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    assert "No environment asks for a check 'speed'" in ana.do("gate", ana.feature, "--name", "speed", "--passed")


def test_a_rollback_of_what_was_never_live_says_so_and_one_after_a_withdrawal_too(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    said = ana.do("rollback", ana.feature, "--env", "staging", fails=True)
    assert f"Nothing is live of {ana.feature} in staging; nothing was changed." in said
    ana.do("promote", ana.feature, "--to", "staging")
    ana.do("withdraw", ana.feature, "--env", "staging")
    assert "in staging, instead of nothing, from" in ana.do("rollback", ana.feature, "--env", "staging")


def test_the_list_says_where_an_older_release_of_a_feature_is_live(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    first = ana.json("show", ana.feature)["id"]
    ana.do("promote", ana.feature, "--to", "staging")
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    ana.do("promote", ana.feature, "--to", "development")
    assert f"\tdevelopment, staging ({first[:12]})\t" in ana.do("list")


def test_what_was_done_to_releases_stands_in_the_list_of_changes(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    ana.do("promote", ana.feature, "--to", "staging")
    ana.do("request", ana.feature, "--to", "production")
    ana.do("freeze", "staging", ana.feature)
    ana.do("unfreeze", "staging", ana.feature)
    ana.do("gate", ana.feature, "--name", "a", "--passed")
    assert ana._wk("changes", "--feature", ana.feature, data=ana._data) == 0, ana._wk.err
    assert ana._wk.out.count("\trelease\t") == 6


def test_a_canary_begins_with_the_same_command(pair: tuple[Person, Person]) -> None:
    ana, _ = pair
    ana.do("promote", ana.feature, "--to", "staging")
    ana.edit("Be brief.", "Be long.", "system.md")
    ana.push()
    said = ana.do("promote", ana.feature, "--to", "staging", "--canary")
    assert "has begun; `watchkeeper rollout show" in said
    assert ana.json("history", ana.feature)["standings"][0]["rollout"]["kind"] == "canary"
    assert "canary of" in ana.do("rollback", ana.feature, "--env", "staging")


def test_the_command_waits_until_the_workers_have_it_and_says_when_one_has_not(
    pair: tuple[Person, Person], keeper: ReleaseKeeper
) -> None:
    ana, _ = pair
    keeper.workers = {"w1": 0, "w2": 0, "w3": 0}
    try:
        assert "3 of 3 workers have it" in ana.do("promote", ana.feature, "--to", "staging")
        keeper.is_followed = False
        started = time.monotonic()
        assert "0 of 3 workers have it after 2 s" in ana.do("withdraw", ana.feature, "--env", "staging")
        assert 2 <= time.monotonic() - started < 4
        keeper.is_followed = True
        assert ana.json("rollback", ana.feature, "--env", "staging")["arrived"] == 3
    finally:
        keeper.workers, keeper.is_followed = {}, True


@pytest.mark.parametrize(
    ("text", "tz", "expected"),
    [
        ("2026-11-03 14:05", "UTC", "2026-11-03T14:05:00+00:00"),
        ("2026-11-03 14:05", "Europe/Berlin", "2026-11-03T14:05:00+01:00"),
        ("2026-11-03T14:05:30.000001Z", "Europe/Berlin", "2026-11-03T14:05:30.000001+00:00"),
        ("2026-10-25 02:30+01:00", "Europe/Berlin", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_a_moment_is_read_exactly(text: str, tz: str, expected: str) -> None:
    assert moment_of(text, tz).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "tz", "words"),
    [
        ("2026-10-25 02:30", "Europe/Berlin", "showed 2026-10-25 02:30 twice"),
        ("2026-03-29 02:30", "Europe/Berlin", "never showed 2026-03-29 02:30"),
        ("last Tuesday", "UTC", "is no moment"),
        ("2026-11-03 14:05", "Mars/Crater", "is no moment"),
        ("2026-11-03 14:05", "../../etc/passwd", "is no moment"),
    ],
)
def test_a_moment_that_is_none_or_two_is_refused(text: str, tz: str, words: str) -> None:
    with pytest.raises(CommandFailed, match=words):
        moment_of(text, tz)
