"""Random tokens that are shown once and stored as hashes: sessions, sign-in links, API tokens."""

import base64
import hmac
import secrets
from hashlib import sha256

TOKEN_BYTES = 32
API_TOKEN_PREFIX = "wk-api-"  # noqa: S105 - a prefix is no secret
SESSION_HOURS = 12
LINK_MINUTES = 15


class TokenHasher:
    """HMAC-SHA256 under the node's secret, as hex."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def hash(self, token: str) -> str:
        """Return what is stored for a token."""
        return hmac.digest(self._secret, token.encode(), sha256).hex()

    def csrf(self, session_token: str) -> str:
        """Return the token that forms of a session must carry; knowing it does not tell the session's."""
        return hmac.digest(self._secret, b"csrf " + session_token.encode(), sha256).hex()

    def csrf_matches(self, session_token: str, presented: str) -> bool:
        """Tell in constant time whether a form came from the session's own pages."""
        return hmac.compare_digest(self.csrf(session_token).encode(), presented.encode())


def make_token(prefix: str = "") -> str:
    """Make a token of 256 random bits."""
    return prefix + secrets.token_urlsafe(TOKEN_BYTES)


def challenge_of(verifier: str) -> str:
    """Return what is told beforehand of a verifier that is shown later (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
