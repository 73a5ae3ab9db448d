"""`watchkeeper eval share`: a link is printed once, listed without what opens it, and taken back."""

import json
from pathlib import Path

from tests.integration.control.commands import LoneCommand


def test_a_link_is_made_listed_and_taken_back(lone_wk: LoneCommand, data: Path) -> None:
    assert lone_wk("eval", "share", "support", "--days", "3", "--name", "the team", data=data) == 0
    path = lone_wk.out.strip().splitlines()[-1]
    assert path.startswith("/share/") and len(path) == len("/share/") + 43
    assert lone_wk("eval", "shares", "--json", data=data) == 0
    (link,) = json.loads(lone_wk.out)["shares"]
    assert (link["feature"], link["name"], link["is_good"]) == ("support", "the team", True)
    assert path.rpartition("/")[2] not in lone_wk.out
    assert lone_wk("eval", "unshare", link["id"], data=data) == 0
    assert "took back" in lone_wk.out
    assert lone_wk("eval", "shares", "support", data=data) == 0
    assert "taken back" in lone_wk.out and "the team" in lone_wk.out
