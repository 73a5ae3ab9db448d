"""Who may give feedback and who sees what of it, over the API and on a call's page."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.access.roles import Grant

HOSTILE = "<script>alert('x')</script> & {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("seen-feedback"))


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        yield found


def about(house: Staffed, feature: str, **fields: Any) -> dict[str, Any]:
    return {"call_id": house.calls[feature][0].id, "name": "thumbs", "score": 1, "label": feature} | fields


async def test_only_who_operates_a_feature_speaks_about_its_calls(house: Staffed) -> None:
    robot = await house.token("robot", "operate", features=["support"])
    allowed = await house.ask("/api/v1/feedback", robot, method="POST", json=about(house, "support", id="a"))
    assert (allowed.status_code, allowed.json()["by"]) == (201, "token:robot")
    refused = await house.ask("/api/v1/feedback", robot, method="POST", json=about(house, "payroll", id="b"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    reader = await house.token("reader", "read")
    refused = await house.ask("/api/v1/feedback", reader, method="POST", json=about(house, "support", id="c"))
    assert refused.status_code == 403


async def test_lists_and_sums_hold_what_one_may_read_and_no_more(house: Staffed) -> None:
    for feature in ("support", "payroll"):
        wish = about(house, feature, id=f"seen-{feature}", comment=HOSTILE)
        assert (await house.ask_locally("/api/v1/feedback", method="POST", json=wish)).status_code in (200, 201)
    reader = await house.token("reader", "read", features=["support"])
    listed = (await house.ask("/api/v1/feedback", reader)).json()["feedback"]
    assert {one["feature"] for one in listed} == {"support"}
    assert {one["comment"] for one in listed} == {""}, "a comment is a body"
    summed = (await house.ask("/api/v1/feedback/by-release", reader)).json()["releases"]
    assert {one["feature"] for one in summed} == {"support"}
    assert (await house.ask("/api/v1/feedback?feature=payroll", reader)).status_code == 403
    assert (await house.ask("/api/v1/feedback?feature=payroll", await house.token("none", "money"))).status_code == 403
    whole = await house.token("whole", "read", "read_bodies", features=["support"])
    assert HOSTILE in {one["comment"] for one in (await house.ask("/api/v1/feedback", whole)).json()["feedback"]}


async def test_a_calls_page_and_document_show_what_was_said_of_it(house: Staffed) -> None:
    call = house.calls["support"][0].id
    wish = about(house, "support", id="on-page", comment=HOSTILE, value="2.5")
    assert (await house.ask_locally("/api/v1/feedback", method="POST", json=wish)).status_code == 201
    ana = await house.user("ana", Grant("operator"))
    page = (await house.ask(f"/calls/{call}", ana)).text
    assert "<h2>Feedback</h2>" in page and str(escape(HOSTILE)) in page and HOSTILE not in page
    assert "2.5 units of value" in page
    document = (await house.ask(f"/api/v1/calls/{call}", await house.token("all", "read", "read_bodies"))).json()
    assert [one["comment"] for one in document["feedback"] if one["id"] == "on-page"] == [HOSTILE]
    reader = await house.token("reader", "read")
    document = (await house.ask(f"/api/v1/calls/{call}", reader)).json()
    assert {one["comment"] for one in document["feedback"]} == {""}
    other = (await house.ask(f"/calls/{house.calls['payroll'][1].id}", ana)).text
    assert "on-page" not in other and "<h2>Feedback</h2>" not in other


async def test_the_page_of_patterns_shows_hostile_feedback_unharmed(house: Staffed) -> None:
    page = (await house.ask("/patterns", await house.user("ana", Grant("admin")))).text
    assert 'class="feedback"' in page and "<script>alert(1)</script>" not in page
