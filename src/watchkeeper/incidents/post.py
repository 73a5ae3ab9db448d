"""The post: one way to send a message to any destination of the configuration."""

from watchkeeper.config.notifications import Destination
from watchkeeper.core.clock import Clock
from watchkeeper.incidents.message import Message
from watchkeeper.incidents.notifiers.services import ServiceNotifier
from watchkeeper.incidents.notifiers.webhook import WebhookNotifier
from watchkeeper.incidents.outcome import Outcome


class Post:
    """Sends messages; what goes wrong is an `Outcome`, never an error."""

    def __init__(self, clock: Clock) -> None:
        self._webhook = WebhookNotifier(clock)
        self._services = ServiceNotifier()

    async def send(self, destination: Destination, message: Message) -> Outcome:
        """Make one attempt."""
        if destination.webhook is not None:
            return await self._webhook.send(destination.webhook, destination.secret or "", message)
        return await self._services.send(destination.url or "", message)

    async def aclose(self) -> None:
        """Let go of connections and threads."""
        await self._webhook.aclose()
        self._services.close()
