"""What quotes a text: it is left out with the text, for who may not read that."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.control.recorded import a_call, an_attempt, clock_and_ids, record
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.access.roles import Grant
from watchkeeper.store.analytics import AnalyticsStore

NAMED = "Jane Doe"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """One call, which names a person in its headers, its errors and its output."""
    clock, ids = clock_and_ids()
    clock.advance(60)
    call = a_call(
        ids,
        clock,
        request_headers=[(b"x-wk-variables", b'{"name": "%s"}' % NAMED.encode())],
        attempts=[an_attempt(error_class="invalid_request", error_message=f"{NAMED} is too long")],
        status="error",
        error_class="invalid_request",
        error_code="variables",
        error_message=f"there is no attribute {NAMED}",
        output_status="failed",
        output_path=f"/{NAMED}",
        output_error=f"{NAMED} is not a number",
    )
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('withheld')}/analytics")
    record(store, [call], token="all")
    clock.advance(60)
    yield Recorded(store, clock, {"support": [call]})
    store.close()


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        yield found


async def test_what_quotes_a_text_that_may_not_be_read_is_left_out_with_it(house: Staffed) -> None:
    call = house.calls["support"][0]
    viewer = await house.user("cleo", Grant("viewer", "support"))
    reader = await house.user("ana", Grant("author", "support"))
    found = (await house.ask(f"/api/v1/calls/{call.id}", viewer)).json()
    assert found["http"]["request_headers"] == []
    assert found["error"] == {"class": "invalid_request", "code": "variables", "message": ""}
    assert [attempt["error_message"] for attempt in found["attempts"]] == [""]
    assert (found["output"]["status"], found["output"]["path"], found["output"]["error"]) == ("failed", "", "")
    assert found["http"]["is_request_cut"] is False
    api = [f"/api/v1/calls/{call.id}{more}" for more in ("", "?text=false")]
    pages = [f"/calls/{call.id}{more}" for more in ("", "?view=raw", "?view=timing", "?view=replay")]
    for path in (*api, *pages, f"/api/v1/calls/{call.id}/charges"):
        reply = await house.ask(path, viewer)
        assert reply.status_code == 200
        assert NAMED not in reply.text, path
    assert "<code>variables</code>" in (await house.ask(pages[0], viewer)).text
    for path in (api[0], *pages[:2]):
        assert NAMED in (await house.ask(path, reader)).text, path
    unread = (await house.ask(api[1], reader)).json()
    assert (unread["http"]["request_headers"], unread["output"]["path"]) == ([], "")
    assert NAMED in unread["error"]["message"], "why it failed is told to who may read the rest"
