"""An alert in a whole installation: raised by what happened, delivered to a receiver, also over a kill."""

import json
from pathlib import Path

from standardwebhooks import Webhook
from tests.e2e.conftest import ask, config_for

from watchkeeper.testing import Document, Upstream, wait_until
from watchkeeper.testing.harness import Installation

SECRET = "whsec_" + "QUJD" * 11


def told(receiver: Upstream) -> list[dict[str, object]]:
    """What a receiver was told: only what is signed counts."""
    posted = [asked for asked in receiver.received if asked.header("webhook-id")]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    found = [Webhook(SECRET).verify(asked.body, {name: str(asked.header(name)) for name in names}) for asked in posted]
    return [document | {"message": asked.header("webhook-id")} for document, asked in zip(found, posted, strict=True)]


def test_a_call_without_a_price_is_told_once_also_when_the_keeper_is_killed(tmp_path: Path, upstream: Upstream) -> None:
    with Upstream() as receiver:
        receiver.elsewhere(Document({}))
        config = config_for(upstream).replace(", price_list: openai", "") + (
            f'notifications: {{destinations: [{{name: siem, webhook: "{receiver.origin}/hook", secret: {SECRET}}}]}}\n'
        )
        with Installation(tmp_path, config) as installation:
            reply = ask(installation)
            assert installation.call(reply.headers["x-wk-call-id"])["cost"]["status"] == "unpriced"
            assert installation.cli_json("alerts", "test", "siem")["is_delivered"]
            for _ in range(2):
                [keeper] = installation.pids("keeper")
                installation.kill(keeper)
                wait_until(lambda: (installation.ask("/api/v1/alerts?open=true") or {}).get("alerts"))
            [alert] = installation.cli_json("alerts", "list")["alerts"]
            assert (alert["kind"], alert["key"]) == ("price_unknown", "scripted/gpt-4o-mini")
            wait_until(lambda: len(told(receiver)) == 2)
            assert [document["type"] for document in told(receiver)] == ["alert.test", "alert.raised"]
            [message] = installation.cli_json("alerts", "show", alert["id"])["messages"]
            assert (message["state"], message["id"]) == ("delivered", told(receiver)[1]["message"])
            assert SECRET not in json.dumps([alert, message]) + installation.log("keeper")
