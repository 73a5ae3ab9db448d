"""Alerts over the control API and the command line, and the page about them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.control.commands import LoneCommand, new_folder
from tests.integration.control.receiver import Receiver, receiving
from tests.integration.control.test_alert_delivery import DRAFT, SECRET, message

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.config.notifications import Notifications
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.incidents.notifiers.webhook import WebhookNotifier
from watchkeeper.server.parts import Stores, build_services
from watchkeeper.store.control import ControlStore

PAGE = (Path(__file__).parents[3] / "docs/alerts.md").read_text("utf-8")


@dataclass
class Api:
    """The application as the machine's own operator asks it."""

    client: httpx.AsyncClient
    store: ControlStore
    tell: Notifications

    async def raised(self, **more: Any) -> str:
        row = await self.store.alerts.raise_alert(replace(DRAFT, **more), self.tell)
        assert row is not None
        return row.id

    async def get(self, path: str) -> dict[str, Any]:
        reply = await self.client.get(f"/api/v1/alerts{path}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        reply = await self.client.post(f"/api/v1/alerts{path}", json=body)
        return reply.status_code, reply.json()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def api(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Api]:
    folder = new_folder(tmp_path / "data")
    destination = {"name": "siem", "webhook": receiver.url, "secret": SECRET}
    config = Config.model_validate({"notifications": {"destinations": [destination]}})
    clock = SystemClock()
    async with Stores.opened(folder, clock, config, analytics_when_asked=True) as stores:
        secrets = NodeSecrets.load(folder.node_key)
        services = build_services(stores, secrets, clock, desired=None, gateway_url="", config=config)
        transport = httpx.ASGITransport(LocalDoor(build_api(services)))
        async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
            yield Api(client, stores.control, config.notifications)


async def test_alerts_are_listed_newest_first_by_state_and_kind(api: Api) -> None:
    first, second = await api.raised(), await api.raised(kind="runaway", key="session 1")
    await api.post(f"/{first}/resolve")
    assert [alert["id"] for alert in (await api.get(""))["alerts"]] == [second, first]
    assert [alert["id"] for alert in (await api.get("?open=true"))["alerts"]] == [second]
    assert [alert["id"] for alert in (await api.get("?kind=cost_anomaly"))["alerts"]] == [first]


async def test_an_alert_is_shown_with_what_was_sent_of_it(api: Api) -> None:
    alert = await api.get(f"/{await api.raised()}")
    assert alert["facts"] == DRAFT.facts
    assert (alert["resolved_at"], alert["resolved_by"], alert["feedback"]) == (None, None, None)
    [sent] = alert["messages"]
    assert (sent["destination"], sent["state"], sent["event"], sent["answer"]) == ("siem", "waiting", "raised", None)
    assert SECRET not in json.dumps(alert)


async def test_an_alert_is_resolved_once_and_judged_more_than_once(api: Api) -> None:
    alert_id = await api.raised()
    status, ended = await api.post(f"/{alert_id}/resolve")
    assert (status, ended["resolved_by"], ended["resolution"]) == (200, "local", "local resolved it.")
    assert (await api.post(f"/{alert_id}/resolve"))[0] == 409
    for feedback in ("noise", "planned"):
        assert (await api.post(f"/{alert_id}/feedback", feedback=feedback))[1]["feedback"] == feedback
    assert (await api.post(f"/{alert_id}/feedback", feedback="bad"))[0] == 422
    for path, body in (("resolve", {}), ("feedback", {"feedback": "noise"})):
        status, refused = await api.post(f"/alert-none/{path}", **body)
        assert (status, refused["error"]["code"]) == (404, "alert_not_found")


async def test_a_test_message_says_what_came_back_and_switches_the_destination_on(api: Api, receiver: Receiver) -> None:
    await api.store.outbox.switch_off("siem", receiver.url, "HTTP 410")
    receiver.answers = [500]
    status, result = await api.post("/test", destination="siem")
    assert (status, result["is_delivered"], result["answer"]) == (200, False, "HTTP 500")
    assert await api.store.outbox.off("siem", receiver.url) is not None
    status, result = await api.post("/test", destination="siem")
    assert (status, result["is_delivered"], result["answer"]) == (200, True, "HTTP 204")
    assert await api.store.outbox.off("siem", receiver.url) is None
    assert json.loads(receiver.got[-1][1])["type"] == "alert.test"
    status, refused = await api.post("/test", destination="sime")
    assert status == 404
    assert refused["error"]["message"].startswith("The configuration has no destination `sime`; did you mean `siem`?")


async def test_a_message_that_was_given_up_is_tried_again_by_hand(api: Api) -> None:
    await api.raised()
    [waiting] = (await api.get("/outbox"))["messages"]
    assert (await api.post(f"/outbox/{waiting['id']}/retry"))[0] == 409
    [claimed] = await api.store.outbox.claim("me")
    await api.store.outbox.failed(claimed.id, "me", "HTTP 503", again_in_s=None)
    [dead] = (await api.get("/outbox?dead=true"))["messages"]
    assert (dead["state"], dead["due_at"], dead["answer"]) == ("dead", None, "HTTP 503")
    status, revived = await api.post(f"/outbox/{dead['id']}/retry")
    assert (status, revived["state"], revived["id"]) == (200, "waiting", waiting["id"])
    assert (await api.post("/outbox/msg_none/retry"))[0] == 404


def test_the_command_line_lists_shows_resolves_and_judges(data: Path, lone_wk: LoneCommand) -> None:
    alert_id = _raise_in(data)
    assert lone_wk("alerts", "--open", data=data) == 0
    assert lone_wk.out.split("\t")[:4] == [alert_id, "open", "warning", "cost_anomaly"]
    assert lone_wk("alerts", "show", alert_id, data=data) == 0
    assert DRAFT.text in lone_wk.out and "Nobody was told" in lone_wk.out
    assert lone_wk("alerts", "judge", alert_id, "useful", data=data) == 0
    assert lone_wk("alerts", "resolve", alert_id, data=data) == 0
    assert lone_wk("alerts", "list", "--json", data=data) == 0
    [alert] = json.loads(lone_wk.out)["alerts"]
    assert (alert["feedback"], alert["resolved_by"]) == ("useful", "local")
    assert lone_wk("alerts", "test", "ops", data=data) == 3
    assert lone_wk("alerts", "outbox", "--dead", data=data) == 0 and lone_wk.out == ""
    assert lone_wk("alerts", "sho", alert_id, data=data) == 2
    assert "`watchkeeper alerts` has no verb 'sho'; did you mean `show`?" in lone_wk.err


def _raise_in(data: Path) -> str:
    async def raised() -> str:
        store = await ControlStore.open(f"sqlite:///{data}/control.db", SystemClock())
        row = await store.alerts.raise_alert(DRAFT, Notifications())
        await store.close()
        assert row is not None
        return row.id

    return asyncio.run(raised())


# The page


async def test_a_receiver_written_as_the_page_says_takes_each_message_once(receiver: Receiver) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    notifier = WebhookNotifier(SystemClock())
    for _ in range(2):
        await notifier.send(receiver.url, SECRET, message())
    await notifier.aclose()
    taken = [names["take"](headers, body, SECRET) for headers, body in receiver.got]
    assert taken[0]["type"] == "alert.test" and taken[1] is None
    assert set(taken[0]["data"]) == set(json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])["data"])
