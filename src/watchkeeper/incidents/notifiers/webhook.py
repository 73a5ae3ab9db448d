"""Signed webhooks by the rules of Standard Webhooks (specification 1.0.0, standardwebhooks.com)."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks import Webhook

from watchkeeper.core.clock import Clock
from watchkeeper.incidents.message import Message, body
from watchkeeper.incidents.outcome import Delivered, Failed, Gone, Outcome

TIMEOUT_S = 20.0
"""For the whole attempt, from the look-up of the address to the head of the answer."""
GONE = 410


class WebhookNotifier:
    """Posts messages. No redirect is followed, and no proxy or password is taken from the environment."""

    def __init__(self, clock: Clock, *, timeout_s: float = TIMEOUT_S) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def send(self, address: str, secret: str, message: Message) -> Outcome:
        """Post one message, signed for this moment; any answer but 2xx is a failure, and 410 ends it."""
        content = body(message)
        now = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "watchkeeper",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(message.id, now, content.decode()),
        }
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", address, content=content, headers=headers) as response,
            ):
                return _judged(response, now)
        except TimeoutError:
            return Failed(f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _judged(response: httpx.Response, now: datetime) -> Outcome:
    said = f"HTTP {response.status_code}"
    if response.is_success:
        return Delivered(said)
    if response.status_code == GONE:
        return Gone(said)
    if response.is_redirect:
        said += ", a redirect, which is not followed"
    return Failed(said, _retry_after_s(response.headers.get("retry-after", ""), now))


def _retry_after_s(text: str, now: datetime) -> float:
    """Read seconds or a date; 0 for what is neither."""
    if text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now.timestamp())
