"""The page on the command line names what there is."""

import re

import pytest
from tests.tidy.tree import ROOT

from watchkeeper.cli.outcome import DONE, FAILED, INTERRUPTED, NOT_FOUND, SET_UP, WRONG_USAGE
from watchkeeper.cli.table import COMMANDS, GROUPS, NOUNS, VERBS, noun_of

PAGE = (ROOT / "docs/cli.md").read_text("utf-8")


def names() -> list[str]:
    """Every command as it is typed."""
    alone = [path.rpartition(":")[2] for path in COMMANDS] + [noun_of(path) for path in GROUPS]
    return alone + [f"{noun_of(path)} {path.rpartition(':')[2].rstrip('_').replace('_', '-')}" for path in VERBS]


@pytest.mark.parametrize("name", names())
def test_a_command_is_on_the_page(name: str) -> None:
    assert re.search(rf"`{name}( [^`]*)?`", PAGE)


def test_the_page_names_no_command_that_is_none() -> None:
    first_cells = re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE)
    named = [match for cell in first_cells for match in re.findall(r"`(\w+(?: [a-z][a-z-]*)?)(?: [^`]*)?`", cell)]
    assert len(named) >= len(names())
    assert [name for name in named if name not in names()] == []


def test_every_noun_has_verbs() -> None:
    assert set(map(noun_of, VERBS)) == {*NOUNS, *map(noun_of, GROUPS)}


def test_the_exit_codes_are_on_the_page() -> None:
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert listed == [DONE, FAILED, WRONG_USAGE, NOT_FOUND, SET_UP, INTERRUPTED]
