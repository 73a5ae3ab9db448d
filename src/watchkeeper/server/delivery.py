"""Delivers what stands in the outbox, as long as the keeper runs."""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable

from watchkeeper.config.notifications import Notifications
from watchkeeper.incidents.message import Message
from watchkeeper.incidents.outcome import ATTEMPTS_MAX, Delivered, Failed, Gone, Outcome, wait_s
from watchkeeper.incidents.post import Post
from watchkeeper.server.rounds import Duty
from watchkeeper.store.alerts import AlertRow, Alerts, AlertUnknown
from watchkeeper.store.outbox import MessageRow, Outbox

LOOK_EVERY_S = 1.0
SENT_AT_ONCE = 20

_log = logging.getLogger("watchkeeper.alerts")


class Delivery:
    """Sends due messages and notes what became of them.

    Several keepers may share an outbox: each message is claimed by one. A keeper that ends in between lets its claims
    run out, and what it did not note is sent again under the same id.

    Args:
        alerts: Where the alerts are.
        outbox: Where the messages are.
        post: What sends them.
        notifications: The destinations in force.
        uniform: Where the random part of a wait comes from.
    """

    def __init__(
        self,
        alerts: Alerts,
        outbox: Outbox,
        post: Post,
        notifications: Callable[[], Notifications],
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._alerts = alerts
        self._outbox = outbox
        self._post = post
        self._notifications = notifications
        self._uniform = uniform
        self._claimant = secrets.token_hex(8)
        self._sending: set[asyncio.Task[None]] = set()

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (Duty("delivering alerts", LOOK_EVERY_S, self.begin),)

    async def begin(self) -> int:
        """Begin to send what is due, up to `SENT_AT_ONCE`, and return how much that is.

        Nothing waits for a slow receiver but what comes after `SENT_AT_ONCE`. What could not be noted of an earlier
        message, because the database is away, is raised here.
        """
        done = {task for task in self._sending if task.done()}
        self._sending -= done
        for task in done:
            task.result()
        claimed = await self._outbox.claim(self._claimant, limit=SENT_AT_ONCE - len(self._sending))
        self._sending |= {asyncio.create_task(self._deliver(row)) for row in claimed}
        return len(claimed)

    async def round(self) -> int:
        """Send what is due, and wait until it is noted what became of it."""
        count = await self.begin()
        await asyncio.gather(*self._sending)
        return count

    async def aclose(self) -> None:
        """Stop sending; what was under way is sent again when its claim has run out."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _deliver(self, row: MessageRow) -> None:
        destination = self._notifications().named(row.destination)
        if destination is None:
            await self._give_up(row, "the configuration has no destination of this name any more")
            return
        address = destination.webhook or destination.url or ""
        off = await self._outbox.off(destination.name, address)
        if off is not None:
            await self._give_up(
                row, f"the destination is switched off since {off.at:%Y-%m-%d %H:%M} UTC ({off.answer})"
            )
            return
        try:
            alert = await self._alerts.get(row.alert_id)
        except AlertUnknown:
            await self._give_up(row, "its alert is not kept any more")
            return
        outcome = await self._post.send(destination, message_of(row, alert))
        if isinstance(outcome, Gone):
            await self._outbox.switch_off(destination.name, address, outcome.answer)
            _log.error(
                "destination %s answered %s and is sent nothing more; `watchkeeper alerts test %s` switches it on "
                "again when the answer is a good one, and so does another address in the configuration",
                destination.name, outcome.answer, destination.name,
            )  # fmt: skip
        await self._note(row, outcome)

    async def _note(self, row: MessageRow, outcome: Outcome) -> None:
        match outcome:
            case Delivered(answer):
                await self._outbox.delivered(row.id, answer)
                _log.info("%s of %s is delivered to %s: %s", row.event, row.alert_id, row.destination, answer)
            case Gone(answer):
                await self._give_up(row, answer)
            case Failed(answer):
                again_in_s = wait_s(row.attempts, outcome, uniform=self._uniform)
                if again_in_s is None:
                    await self._give_up(row, answer)
                    return
                await self._outbox.failed(row.id, self._claimant, answer, again_in_s=again_in_s)
                _log.warning(
                    "%s of %s did not reach %s at attempt %d of %d: %s; tried again in %.0f s",
                    row.event, row.alert_id, row.destination, row.attempts, ATTEMPTS_MAX, answer, again_in_s,
                )  # fmt: skip

    async def _give_up(self, row: MessageRow, answer: str) -> None:
        await self._outbox.failed(row.id, self._claimant, answer, again_in_s=None)
        _log.error(
            "%s of %s was not delivered to %s and is given up: %s; `watchkeeper alerts retry %s` tries it again",
            row.event, row.alert_id, row.destination, answer, row.id,
        )  # fmt: skip


def message_of(row: MessageRow, alert: AlertRow) -> Message:
    """Put together what is sent: the same at each attempt, for of an alert only its end is ever added."""
    is_end = row.event == "resolved"
    return Message(
        id=row.id,
        event=row.event,
        at=row.created_at,
        alert_id=alert.id,
        kind=alert.kind,
        key=alert.key,
        severity=alert.severity,
        title=alert.title,
        text=alert.text,
        facts=alert.facts,
        raised_at=alert.raised_at,
        resolved_at=alert.resolved_at if is_end else None,
        resolution=alert.resolution if is_end else "",
    )
