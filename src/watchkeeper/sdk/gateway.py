"""The gateway as an application asks it: for signed bundles, and to take feedback."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from watchkeeper.core.errors import CallerError
from watchkeeper.releases.bundle import DOCUMENT_BYTES_MAX, BundleRefused
from watchkeeper.sdk.errors import AccessRefused, NotServed, Unavailable

STALE_HEADER = "x-wk-stale"
"""Set where the gateway has not heard from its keeper."""
NOT_SERVED = frozenset({"feature_not_live", "release_not_found"})
"""What the gateway itself says; anybody between here and there may say 404 as well."""
_SHOWN_MAX = 300


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the gateway said of a bundle."""

    document: bytes
    """Signed; empty when it is the one that the caller has."""
    etag: str
    is_behind: bool
    """Whether the gateway has not heard from its keeper, so that something else may be live."""


class Gateway:
    """Asks one gateway with one key. Safe to use from several threads."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float) -> None:
        """`base_url` is what an OpenAI client is given; the part `/v1` may be left out."""
        self.origin = base_url.rstrip("/").removesuffix("/v1").rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"}
        self._timeout_s = timeout_s
        self._client = self._connect()

    def after_fork(self) -> None:
        """Leave the connections to the process that opened them."""
        self._client = self._connect()

    def fetch(self, name: str, etag: str = "") -> Fetched:
        """Ask for `feature`, `feature@environment` or `feature@wk1-...`, unless it is still the one with an ETag.

        Raises:
            NotServed: there is no such thing.
            AccessRefused: not for this key.
            Unavailable: nobody answered, or not with a bundle.
            BundleRefused: the answer is too large to be one.
        """
        headers = {"if-none-match": etag} if etag else {}
        try:
            with self._client.stream("GET", f"/v1/prompts/{quote(name, safe='@')}", headers=headers) as reply:
                content = b""
                for chunk in reply.iter_bytes():
                    content += chunk
                    if len(content) > DOCUMENT_BYTES_MAX:
                        raise BundleRefused(f"{self.origin} answered with more than a bundle can be.")
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.origin} could not be asked for {name}: {_reason(error)}.") from None
        match reply.status_code:
            case 200:
                return Fetched(content, reply.headers.get("etag", ""), STALE_HEADER in reply.headers)
            case 304:
                return Fetched(b"", etag, STALE_HEADER in reply.headers)
            case status:
                raise _refused(status, content, f"{self.origin} did not give out {name}")

    def rate(self, **feedback: Any) -> dict[str, Any]:
        """Hand feedback over, and once more where the connection failed: its id keeps it from counting twice.

        Raises:
            CallerError: the gateway refused it; nothing was kept.
            Unavailable: nobody answered; it may or may not have been kept.
        """
        try:
            reply = self._post(feedback)
        except httpx.TransportError:
            try:
                reply = self._post(feedback)
            except httpx.HTTPError as error:
                raise Unavailable(f"{self.origin} did not take the feedback: {_reason(error)}.") from None
        if reply.status_code >= 400:
            raise _refused(reply.status_code, reply.content, f"{self.origin} did not take the feedback")
        found: dict[str, Any] = reply.json() if reply.content else {}
        return found

    def _post(self, feedback: dict[str, Any]) -> httpx.Response:
        return self._client.post("/v1/feedback", json=feedback)

    def _connect(self) -> httpx.Client:
        return httpx.Client(base_url=self.origin, headers=self._headers, timeout=self._timeout_s)


def _refused(status: int, content: bytes, what: str) -> CallerError | Unavailable:
    code, message = _error(content)
    said = f"{what} (HTTP {status}): {message}"
    if code in NOT_SERVED:
        return NotServed(said)
    if status in (401, 403):
        return AccessRefused(said)
    return CallerError(said) if status in (400, 409, 413, 422) else Unavailable(said)


def _error(content: bytes) -> tuple[str, str]:
    """Return code and message of an error in the gateway's shape; the beginning of anything else."""
    try:
        error = msgspec.json.decode(content)["error"]
        return str(error.get("code", "")), str(error["message"])[:_SHOWN_MAX]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        return "", content.decode("utf-8", "replace")[:_SHOWN_MAX]


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
