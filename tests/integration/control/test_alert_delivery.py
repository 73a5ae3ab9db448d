"""Alerts from their raising to a receiver, over both databases and real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from tests.integration.control.receiver import DROPS, HANGS, Answer, Receiver, receiving

from watchkeeper.config.notifications import Destination, Notifications
from watchkeeper.core.alert import AlertDraft, Findings, Mark, Over
from watchkeeper.core.clock import SystemClock
from watchkeeper.incidents.message import BODY_BYTES_MAX, Message, body
from watchkeeper.incidents.notifiers.services import ServiceNotifier, without_secrets
from watchkeeper.incidents.notifiers.webhook import WebhookNotifier
from watchkeeper.incidents.outcome import ATTEMPTS_MAX, FIRST_WAIT_S, WAIT_MAX_S, Delivered, Failed, Gone, wait_s
from watchkeeper.incidents.post import Post
from watchkeeper.server.delivery import Delivery
from watchkeeper.store.alerts import AlertOver, AlertRow, AlertUnknown
from watchkeeper.store.control import ControlStore
from watchkeeper.store.outbox import CLAIM_S, MessageNotDead, MessageUnknown
from watchkeeper.testing import FakeClock

SECRET = "whsec_" + "QUJD" * 11
START = datetime(2026, 1, 1, tzinfo=UTC)
DRAFT = AlertDraft(
    kind="cost_anomaly",
    key="feature support",
    severity="warning",
    title="support costs 3 times what it does",
    text="It cost $30.00 in the hour to 14:00 UTC.",
    facts={"cost_usd": "30", "baseline_usd": "10"},
)


def telling(receiver: Receiver, **more: object) -> Notifications:
    siem = Destination.model_validate({"name": "siem", "webhook": receiver.url, "secret": SECRET, **more})
    return Notifications(destinations=[siem])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def post(clock: FakeClock) -> AsyncIterator[Post]:
    found = Post(clock)
    yield found
    await found.aclose()


class Desk:
    """A keeper's part of the delivery; where chance decides a wait, it is the longest."""

    def __init__(self, store: ControlStore, post: Post, tell: Notifications) -> None:
        self.store = store
        self.tell = tell
        self.delivery = Delivery(store.alerts, store.outbox, post, lambda: self.tell, uniform=lambda _, most: most)

    async def raised(self, draft: AlertDraft = DRAFT) -> AlertRow:
        row = await self.store.alerts.raise_alert(draft, self.tell)
        assert row is not None
        return row

    async def states(self) -> list[tuple[str, int, str]]:
        return [(row.state, row.attempts, row.answer) for row in await self.store.outbox.list_messages()]


@pytest.fixture
def desk(store: ControlStore, post: Post, receiver: Receiver) -> Desk:
    return Desk(store, post, telling(receiver))


# From the outbox to the receiver


async def test_an_alert_reaches_the_receiver_signed(desk: Desk, receiver: Receiver) -> None:
    raised = await desk.raised()
    assert await desk.delivery.round() == 1
    [(headers, content)] = receiver.got
    told = json.loads(content)
    assert told["type"] == "alert.raised"
    assert told["timestamp"] == START.isoformat()
    assert (told["data"]["id"], told["data"]["facts"]) == (raised.id, DRAFT.facts)
    assert headers["webhook-id"].startswith("msg_")
    assert await desk.states() == [("delivered", 1, "HTTP 204")]
    assert await desk.delivery.round() == 0


async def test_the_signature_is_what_the_standards_own_library_asks_for(receiver: Receiver) -> None:
    notifier = WebhookNotifier(SystemClock())
    assert await notifier.send(receiver.url, SECRET, message()) == Delivered("HTTP 204")
    [(headers, content)] = receiver.got
    assert Webhook(SECRET).verify(content, headers)["type"] == "alert.test"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(content.replace(b"support", b"suppork"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUJE" * 11).verify(content, headers)
    await notifier.aclose()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (500, "HTTP 500"),
        (404, "HTTP 404"),
        ((302, {"location": "http://127.0.0.1:1/elsewhere"}), "HTTP 302, a redirect, which is not followed"),
        (DROPS, "RemoteProtocolError: Server disconnected without sending a response."),
    ],
)
async def test_what_fails_is_tried_again_under_the_same_id(
    desk: Desk, receiver: Receiver, clock: FakeClock, answer: Answer, said: str
) -> None:
    receiver.answers = [answer]
    await desk.raised()
    await desk.delivery.round()
    assert await desk.states() == [("waiting", 1, said)]
    clock.advance(FIRST_WAIT_S - 0.1)
    assert await desk.delivery.round() == 0
    clock.advance(0.2)
    assert await desk.delivery.round() == 1
    assert await desk.states() == [("delivered", 2, "HTTP 204")]
    (_, first), (_, second) = receiver.got
    assert len(set(receiver.ids)) == 1 and first == second
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 2, "signed for its own moment"


async def test_a_receiver_that_hangs_is_left_after_a_while(receiver: Receiver, clock: FakeClock) -> None:
    receiver.answers = [HANGS]
    notifier = WebhookNotifier(clock, timeout_s=0.2)
    assert await notifier.send(receiver.url, SECRET, message()) == Failed("no answer within 0.2 s")
    await notifier.aclose()


async def test_a_receiver_that_is_not_there_is_tried_again(desk: Desk, receiver: Receiver) -> None:
    gone = replace(receiver, port=1)
    desk.tell = telling(gone)
    await desk.raised()
    await desk.delivery.round()
    [(state, attempts, answer)] = await desk.states()
    assert (state, attempts) == ("waiting", 1)
    assert answer.startswith("ConnectError")


@pytest.mark.parametrize("after", ["120", "Thu, 01 Jan 2026 00:02:00 GMT"])
async def test_a_receiver_may_ask_for_a_longer_wait(
    desk: Desk, receiver: Receiver, clock: FakeClock, after: str
) -> None:
    receiver.answers = [(429, {"retry-after": after})]
    await desk.raised()
    await desk.delivery.round()
    clock.advance(119)
    assert await desk.delivery.round() == 0
    clock.advance(1)
    assert await desk.delivery.round() == 1


async def test_after_so_many_attempts_it_is_given_up_and_can_be_tried_by_hand(
    desk: Desk, receiver: Receiver, clock: FakeClock
) -> None:
    receiver.answers = [503] * ATTEMPTS_MAX
    await desk.raised()
    for _ in range(ATTEMPTS_MAX):
        assert await desk.delivery.round() == 1
        clock.advance(WAIT_MAX_S)
    assert await desk.delivery.round() == 0
    [dead] = await desk.store.outbox.list_messages(only_dead=True)
    assert (dead.state, dead.attempts, dead.answer) == ("dead", ATTEMPTS_MAX, "HTTP 503")
    assert (await desk.store.outbox.retry(dead.id)).attempts == 0
    await desk.delivery.round()
    assert await desk.states() == [("delivered", 1, "HTTP 204")]
    assert len(set(receiver.ids)) == 1
    with pytest.raises(MessageNotDead):
        await desk.store.outbox.retry(dead.id)
    with pytest.raises(MessageUnknown):
        await desk.store.outbox.retry("msg_none")


async def test_a_receiver_that_is_gone_is_sent_nothing_more_until_it_is_switched_on(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [410]
    await desk.raised()
    await desk.delivery.round()
    assert "siem answered HTTP 410 and is sent nothing more" in caplog.text
    await desk.raised(replace(DRAFT, key="feature other"))
    await desk.delivery.round()
    assert len(receiver.got) == 1
    assert {state for state, _, _ in await desk.states()} == {"dead"}
    await desk.store.outbox.switch_on("siem")
    await desk.raised(replace(DRAFT, key="feature third"))
    await desk.delivery.round()
    assert len(receiver.got) == 2


async def test_at_another_address_a_destination_that_was_gone_is_served_again(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [410]
    await desk.raised()
    await desk.delivery.round()
    receiver.path = "/another"
    desk.tell = telling(receiver)
    await desk.raised(replace(DRAFT, key="feature other"))
    await desk.delivery.round()
    assert receiver.paths == ["/hook", "/another"]


async def test_a_keeper_killed_between_sending_and_noting_sends_it_again_under_the_same_id(
    desk: Desk, receiver: Receiver, clock: FakeClock
) -> None:
    await desk.raised()
    [claimed] = await desk.store.outbox.claim("killed")
    killed = Post(clock)
    alert = await desk.store.alerts.get(claimed.alert_id)
    sent = message(id=claimed.id, alert_id=alert.id)
    assert isinstance(await killed.send(desk.tell.destinations[0], sent), Delivered)
    await killed.aclose()
    assert await desk.delivery.round() == 0, "it is still claimed"
    clock.advance(CLAIM_S)
    assert await desk.delivery.round() == 1
    assert receiver.ids == [claimed.id, claimed.id]
    assert await desk.states() == [("delivered", 2, "HTTP 204")]


async def test_of_two_keepers_each_message_is_sent_by_one(
    url: str, desk: Desk, receiver: Receiver, clock: FakeClock, post: Post
) -> None:
    second = await ControlStore.open(url, clock)
    other = Delivery(second.alerts, second.outbox, post, lambda: desk.tell)
    for number in range(30):
        await desk.raised(replace(DRAFT, key=f"feature {number}"))
    while sum(await asyncio.gather(desk.delivery.round(), other.round())):
        pass
    assert len(receiver.ids) == len(set(receiver.ids)) == 30
    await second.close()


async def test_a_slow_receiver_keeps_nobody_else_waiting(desk: Desk, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.answers = [HANGS]
        hanging = Destination.model_validate({"name": "slow", "webhook": slow.url, "secret": SECRET})
        desk.tell = Notifications(destinations=[hanging, *desk.tell.destinations])
        await desk.raised()
        assert await desk.delivery.begin() == 2
        while not any(state == "delivered" for state, _, _ in await desk.states()):
            await asyncio.sleep(0.01)
        assert sorted(state for state, _, _ in await desk.states()) == ["delivered", "waiting"]
        await desk.delivery.aclose()


async def test_who_lost_the_claim_notes_no_failure(desk: Desk, clock: FakeClock) -> None:
    await desk.raised()
    [claimed] = await desk.store.outbox.claim("slow")
    clock.advance(CLAIM_S)
    await desk.store.outbox.claim("quick")
    await desk.store.outbox.failed(claimed.id, "slow", "HTTP 500", again_in_s=None)
    assert (await desk.store.outbox.get(claimed.id)).state == "waiting"
    await desk.store.outbox.delivered(claimed.id, "HTTP 204")
    assert (await desk.store.outbox.get(claimed.id)).state == "delivered"


# Raising and resolving


async def test_what_is_open_is_not_raised_again(desk: Desk) -> None:
    first = await desk.raised()
    assert await desk.store.alerts.raise_alert(DRAFT, desk.tell) is None
    assert len(await desk.store.outbox.list_messages()) == 1
    await desk.store.alerts.resolve(first.id, desk.tell, actor="ana")
    assert (await desk.raised()).id != first.id


async def test_of_two_keepers_that_raise_at_once_one_does(url: str, desk: Desk, clock: FakeClock) -> None:
    second = await ControlStore.open(url, clock)
    made = await asyncio.gather(*(store.alerts.raise_alert(DRAFT, desk.tell) for store in (desk.store, second) * 5))
    assert len([row for row in made if row is not None]) == 1
    assert len(await second.outbox.list_messages()) == 1
    await second.close()


async def test_only_who_takes_the_kind_and_the_severity_is_told(
    store: ControlStore, post: Post, receiver: Receiver
) -> None:
    for taken, told in (({"kinds": ["runaway"]}, 0), ({"severities": ["warning"]}, 1), ({"severities": ["info"]}, 0)):
        desk = Desk(store, post, telling(receiver, **taken))
        raised = await desk.raised()
        assert len(await store.outbox.list_messages(alert_id=raised.id)) == told
        await store.alerts.resolve(raised.id, desk.tell, actor="ana")


async def test_an_end_is_told_to_who_was_told_of_the_alert_and_asks_for_it(
    store: ControlStore, post: Post, receiver: Receiver
) -> None:
    desk = Desk(store, post, telling(receiver))
    raised = await desk.raised()
    await desk.delivery.round()
    ended = await store.alerts.resolve(raised.id, desk.tell, actor="ana")
    assert (ended.resolved_by, ended.is_open) == ("ana", False)
    await desk.delivery.round()
    told = json.loads(receiver.got[1][1])
    assert (told["type"], told["data"]["resolution"]) == ("alert.resolved", "ana resolved it.")
    with pytest.raises(AlertOver):
        await store.alerts.resolve(raised.id, desk.tell, actor="ben")
    with pytest.raises(AlertUnknown):
        await store.alerts.resolve("alert-none", desk.tell, actor="ben")
    silent = Desk(store, post, telling(receiver, resolutions=False))
    await store.alerts.resolve((await silent.raised()).id, silent.tell, actor="ana")
    assert await silent.delivery.round() == 1, "only that it was raised"


async def test_who_never_got_the_alert_is_not_told_of_its_end(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [410]
    raised = await desk.raised()
    await desk.delivery.round()
    await desk.store.alerts.resolve(raised.id, desk.tell, actor="ana")
    assert [row.event for row in await desk.store.outbox.list_messages()] == ["raised"]


async def test_findings_take_effect_whole_or_not_at_all(desk: Desk) -> None:
    mark = Mark(kind="budget_threshold", key="b", window_start=START, window_end=None, passed=frozenset({"50%"}))
    raised = await desk.store.alerts.apply(Findings(raised=(DRAFT,), mark=mark), desk.tell)
    assert raised is not None and len(raised) == 1
    [kept] = (await desk.store.alerts.marks("budget_threshold")).values()
    assert kept == replace(mark, version=1)
    late = Findings(
        raised=(replace(DRAFT, key="another"),), over=(Over(kind="cost_anomaly", key=DRAFT.key, reason="."),)
    )
    assert await desk.store.alerts.apply(replace(late, mark=mark), desk.tell) is None, "the mark has been set before"
    assert [row.key for row in await desk.store.alerts.list_alerts(only_open=True)] == [DRAFT.key]
    assert await desk.store.alerts.apply(replace(late, mark=kept), desk.tell) != ()
    assert [row.key for row in await desk.store.alerts.list_alerts(only_open=True)] == ["another"]


async def test_what_is_old_is_forgotten_and_what_is_open_is_kept(desk: Desk, clock: FakeClock) -> None:
    done = await desk.raised()
    await desk.delivery.round()
    await desk.store.alerts.resolve(done.id, Notifications(), actor="ana")
    kept = await desk.raised()
    clock.advance(timedelta(days=500).total_seconds())
    await desk.store.alerts.forget()
    await desk.store.outbox.forget()
    assert [row.id for row in await desk.store.alerts.list_alerts()] == [kept.id]
    assert [row.alert_id for row in await desk.store.outbox.list_messages()] == [kept.id]


async def test_what_somebody_thinks_of_an_alert_is_noted(desk: Desk) -> None:
    raised = await desk.raised()
    assert raised.feedback is None
    assert (await desk.store.alerts.judge(raised.id, "noise", actor="ana")).feedback == "noise"


# Waits


def test_waits_double_up_to_a_limit_and_are_spread_over_all_of_it() -> None:
    most = [wait_s(attempts, Failed(""), uniform=lambda _, limit: limit) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert most[:4] == [10, 20, 40, 80]
    assert most[-3:] == [WAIT_MAX_S, WAIT_MAX_S, None]
    assert wait_s(5, Failed(""), uniform=lambda least, _: least) == 0
    assert wait_s(1, Failed("", retry_after_s=1e9), uniform=lambda least, _: least) == 86_400


# Services that apprise knows


async def test_apprise_delivers_to_a_service_by_its_address(receiver: Receiver) -> None:
    notifier = ServiceNotifier()
    url = f"json://user:hunter2secret@127.0.0.1:{receiver.port}/hook"
    assert isinstance(await notifier.send(url, message(event="raised")), Delivered)
    [(_, content)] = receiver.got
    told = json.loads(content)
    assert told["title"] == "[warning] support costs 3 times what it does"
    assert "It cost $30.00" in told["message"] and "msg_1" in told["message"]
    notifier.close()


async def test_what_apprise_says_of_a_failure_names_no_secret(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [500]
    notifier = ServiceNotifier()
    outcome = await notifier.send(f"json://user:hunter2secret@127.0.0.1:{receiver.port}/hook/sesame", message())
    assert isinstance(outcome, Failed) and "500" in outcome.answer
    assert "hunter2secret" not in outcome.answer + caplog.text
    assert "sesame" not in outcome.answer + caplog.text
    assert "does not understand" in (await notifier.send("nosuch://x", message())).answer
    notifier.close()


def test_an_address_is_taken_out_of_a_text_with_its_parts() -> None:
    url = "slack://TOKENAAA/TOKEN%20BBB/C?to=room-1234"
    said = without_secrets(f"failed at {url}: TOKENAAA, TOKEN BBB, room-1234", url)
    assert said == "failed at ***: ***, ***, ***"


# The message


def message(**more: object) -> Message:
    fields: dict[str, object] = {
        "id": "msg_1", "event": "test", "at": START, "alert_id": "alert-1", "kind": DRAFT.kind, "key": DRAFT.key,
        "severity": DRAFT.severity, "title": DRAFT.title, "text": DRAFT.text, "raised_at": START,
    }  # fmt: skip
    return Message(**{**fields, **more})  # type: ignore[arg-type]


def test_a_message_stays_within_what_a_webhook_may_hold() -> None:
    large = body(message(facts={"calls": ["x" * 100] * 1000}))
    assert len(large) <= BODY_BYTES_MAX
    assert "more than a message may have" in json.loads(large)["data"]["facts"]["left_out"]


async def test_a_receiver_that_is_gone_is_told_apart_from_one_that_fails(receiver: Receiver, clock: FakeClock) -> None:
    receiver.answers = [410]
    notifier = WebhookNotifier(clock)
    assert await notifier.send(receiver.url, SECRET, message()) == Gone("HTTP 410")
    await notifier.aclose()
