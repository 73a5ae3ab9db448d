"""A folder holds a recipe: what is written is read again, what is right is not touched, nothing outside is reached."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.releases.authored_recipes import authored_recipes

from watchkeeper.releases import files
from watchkeeper.releases.authoring import RecipeRefused, authored, read_authored
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.comparing import same
from watchkeeper.releases.files import FileRefused
from watchkeeper.releases.folder import Folder, FolderRefused, find_folders, read_folder
from watchkeeper.releases.folder_writing import write_folder
from watchkeeper.releases.recipe import block_id, release_id

RELEASE = """\
# What support answers with.
feature: support
model: gpt-4o-mini                      # a route, or provider/model
messages:
  - {role: system, content: {file: system.md}}
  - {role: user, content: "{{ question }}"}

# Who asks.
variables: {company: {type: string}, question: {type: string}}
parameters: {temperature: 0}   # cold
blocks: {tone: {file: ../shared/tone.md}}
output: {schema: answer.schema.json, repair: once}
# The end.
"""
GENTLY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
DEEP: Any = []
for _ in range(20):
    DEEP = [DEEP]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    for name, text in {
        "support/release.yaml": RELEASE,
        "support/system.md": 'You answer for {{ company }}. {% include "tone" %}\n',
        "support/answer.schema.json": '{"type": "object"}\n',
        "shared/tone.md": "Be kind.\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def read(root: Path, name: str = "support", **blocks: str) -> Folder:
    return read_folder(root, name, blocks.get)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def changed(folder: Folder, **sections: Any) -> dict[str, Any]:
    return authored(read_authored(folder.authored)) | sections


@settings(GENTLY, max_examples=30)
@given(st.lists(authored_recipes(), min_size=1, max_size=3))
def test_a_folder_holds_one_recipe_after_the_other_exactly_and_writing_one_again_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory, recipes: list[dict[str, Any]]
) -> None:
    root = tmp_path_factory.mktemp("p")
    old: Folder | None = None
    for written in recipes:
        recipe = read_authored(written)
        (root / "support").mkdir(exist_ok=True)
        write_folder(root, "support", authored(recipe), old=old)
        old = read(root)
        assert release_id(read_authored(old.authored)) == release_id(recipe)
        before = contents(root)
        assert write_folder(root, "support", authored(recipe), old=old) == []
        assert contents(root) == before


@GENTLY
@given(authored_recipes())
def test_what_is_written_down_of_a_recipe_reads_as_the_same_recipe(written: dict[str, Any]) -> None:
    recipe = read_authored(written)
    assert release_id(read_authored(authored(recipe))) == release_id(recipe)


def test_only_what_changed_is_written_anew_and_comments_elsewhere_stay(prompts: Path) -> None:
    folder = read(prompts)
    now = changed(folder, parameters={"temperature": 1})
    assert write_folder(prompts, "support", now, old=folder) == ["support/release.yaml"]
    text = (prompts / "support/release.yaml").read_text()
    assert text == RELEASE.replace("parameters: {temperature: 0}   # cold", "parameters: {temperature: 1}")


def test_a_text_goes_into_the_file_that_holds_it_and_a_message_before_it_moves_no_file(prompts: Path) -> None:
    folder = read(prompts)
    first = {"role": "developer", "content": "Mind the law."}
    now = changed(folder, messages=[first, *folder.authored["messages"]], blocks={"tone": {"text": "Be brief."}})
    assert write_folder(prompts, "support", now, old=folder) == ["shared/tone.md", "support/release.yaml"]
    assert (prompts / "shared/tone.md").read_text() == "Be brief.\n"
    assert read(prompts).references[("messages", 1, "content")].path == "support/system.md"
    assert same(read(prompts).authored, now)


def test_a_pinned_block_stays_pinned(prompts: Path) -> None:
    (prompts / "support/release.yaml").write_text(RELEASE.replace("file: ../shared/tone.md", f"id: {block_id('Old.')}"))
    known = {block_id(text): text for text in ("Old.", "New.")}
    folder = read(prompts, **known)
    assert folder.authored["blocks"] == {"tone": {"text": "Old."}}
    write_folder(prompts, "support", changed(folder, blocks={"tone": {"text": "New."}}), old=folder)
    assert read(prompts, **known).references[("blocks", "tone")].written == {"id": block_id("New.")}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("../../secret.md", "leads out of the folder of prompts"),
        ("/etc/hostname", "must be the path of a file below the folder"),
        ("link.md", "links are not followed"),
        ("elsewhere/secret.md", "a link or a file stands where a folder should be"),
        ("pipe", "is not an ordinary file"),
        ("large.md", "is larger than 1024 KiB"),
        ("binary.md", "is not UTF-8 text"),
        ("nowhere.md", "the file nowhere.md is not there"),
        ("../support", "is not an ordinary file"),
        ("a\\b.md", "with slashes"),
        ("", "must be the path"),
    ],
)
def test_nothing_but_ordinary_small_texts_below_the_folder_is_read(prompts: Path, reference: str, words: str) -> None:
    outside = prompts.parent / f"{prompts.name}-outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (prompts.parent / "secret.md").write_text("secret")
    here = prompts / "support"
    (here / "link.md").symlink_to(outside / "secret.md")
    (here / "elsewhere").symlink_to(outside)
    os.mkfifo(here / "pipe")
    (here / "large.md").write_bytes(b"x" * (files.BYTES_MAX + 1))
    (here / "binary.md").write_bytes(b"\xff")
    (here / "release.yaml").write_text(RELEASE.replace("{file: system.md}", f"{{file: {reference!r}}}"))
    with pytest.raises(FolderRefused) as refused:
        read(prompts)
    assert words in str(refused.value) and "release.yaml:5: messages[0].content" in str(refused.value)


def test_nothing_is_written_through_a_link(prompts: Path) -> None:
    outside = prompts.parent / f"{prompts.name}-outside"
    outside.mkdir()
    folder = read(prompts)
    (prompts / "shared").rename(prompts / "moved")
    (prompts / "shared").symlink_to(outside)
    with pytest.raises(FileRefused, match="stands where a folder should be"):
        write_folder(prompts, "support", changed(folder, blocks={"tone": {"text": "Be brief."}}), old=folder)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("model: gpt-4o-mini", "modle: gpt-4o-mini", "release.yaml:3: modle: unknown key; did you mean `model`?"),
        ("role: user", "role: usr", "release.yaml:6: messages[1].role: must be `system`"),
        ("{temperature: 0}", "{until: 2026-11-03}", "release.yaml:10: parameters: holds `2026-11-03`"),
        ("repair: once", "repair: often", "release.yaml:12: output.repair: must be `no`, `once` or `twice`"),
        ("repair: once", "repiar: once", "release.yaml:12: output.repiar: unknown key; did you mean `repair`?"),
        ("{company: {type: string},", "{company: 3,", "release.yaml:9: variables.company: must be a mapping"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(
    prompts: Path, before: str, after: str, words: str
) -> None:
    assert before in RELEASE
    (prompts / "support/release.yaml").write_text(RELEASE.replace(before, after, 1))
    folder = read(prompts)
    with pytest.raises(RecipeRefused) as refused:
        read_authored(folder.authored)
    assert words in "\n".join(str(folder.problem(mistake)) for mistake in refused.value.mistakes)


def test_a_mistake_in_a_file_is_named_with_that_file(prompts: Path) -> None:
    problem = read(prompts).problem(Mistake("messages[0].content", "line 1: unexpected end"))
    assert str(problem) == f"{prompts}/support/system.md: messages[0].content: line 1: unexpected end"


@pytest.mark.parametrize("value", ["a\ud800b", float("inf"), 1 << 70, {3: "x"}, DEEP])
def test_what_no_file_could_hold_is_refused(value: Any) -> None:
    recipe = {"feature": "f", "model": "m", "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(RecipeRefused) as refused:
        read_authored(recipe | {"parameters": {"x": value}})
    assert refused.value.mistakes[0].place == "parameters"


def test_the_folder_of_a_feature_and_the_folder_of_prompts_are_told_apart(prompts: Path) -> None:
    assert find_folders(prompts) == (prompts, ["support"])
    assert find_folders(prompts / "support") == (prompts, ["support"])
    with pytest.raises(FolderRefused, match="watchkeeper release new"):
        find_folders(prompts / "shared")
