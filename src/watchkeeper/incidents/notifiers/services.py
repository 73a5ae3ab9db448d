"""Chat, e-mail and every other service that apprise knows, by its address."""

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

from watchkeeper.core.alert import Severity
from watchkeeper.incidents.message import Message, plain, subject
from watchkeeper.incidents.outcome import Delivered, Failed, Outcome

THREADS = 4
TIMEOUT_S = 60.0
"""For one message. The thread cannot be stopped then; a service of apprise gives up by itself after a few seconds."""
SECRET_LENGTH_MIN = 4
"""Parts of an address that are shorter are words such as `to`."""
_TROUBLE = ("WARNING", "ERROR", "CRITICAL")
_TYPES: dict[Severity, str] = {"info": "info", "warning": "warning", "critical": "failure"}


class ServiceNotifier:
    """Sends messages through apprise, which blocks and takes a while to load: in threads of its own."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")

    def close(self) -> None:
        """Wait for nobody; what is being sent is claimed, and is sent again if it must be."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, url: str, message: Message) -> Outcome:
        """Send one message; what apprise says of a failure is told without the address or parts of it."""
        loop = asyncio.get_running_loop()
        try:
            sending = loop.run_in_executor(self._threads, _send, url, message)
            return await asyncio.wait_for(sending, self._timeout_s)
        except TimeoutError:
            return Failed(f"no answer within {self._timeout_s:g} s")


def _send(url: str, message: Message) -> Outcome:
    # An eighth of a second, for a keeper that may never need it.
    from apprise import Apprise, NotifyFormat

    # What it logs may hold parts of the address. It is in the result as well, from where it is told without them.
    logging.getLogger("apprise").propagate = False
    services = Apprise()
    if not services.add(url):
        return Failed("apprise does not understand the address; see its documentation for how it is written")
    result = services.notify(
        title=subject(message),
        body=plain(message),
        notify_type="success" if message.event != "raised" else _TYPES[message.severity],
        body_format=NotifyFormat.TEXT,
    )
    said = "; ".join(entry.message for entry in result.logs() if entry.level in _TROUBLE)
    result.close()
    if result:
        return Delivered("the service took it")
    return Failed(without_secrets(said, url) or "the service refused it, and said nothing")


def without_secrets(text: str, url: str) -> str:
    """Take an address and its parts out of a text; a host with a dot in it stays."""
    host = urlsplit(url).netloc.rpartition("@")[2].partition(":")[0]
    steps = re.split(r"[/?&=@:]", url.partition("://")[2])
    # In many addresses a token stands where the host would be.
    secrets = {url, *steps, *(unquote(step) for step in steps)} - {host if "." in host else ""}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LENGTH_MIN:
            text = text.replace(secret, "***")
    return text
