"""OpenID Connect: sends a browser to the provider and reads what it brings back (code flow with PKCE, state and nonce).

By OpenID Connect Core 1.0, Discovery 1.0, RFC 7636 and RFC 9207. Nothing is kept here between the two steps: all that
belongs to one sign-in follows from a ticket in the browser's cookie, which the node's secret turns into the rest.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from watchkeeper.access.tokens import TokenHasher, challenge_of
from watchkeeper.config.sign_in import Oidc, is_safe_address
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError, OperatorError

RETURN_PATH = "/login/oidc/return"
TICKET_S = 600
"""So long somebody may take at the provider."""
TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 1024 * 1024
KEPT_S = 3_600.0
"""So long what the provider says of itself is believed."""
KEYS_AGAIN_S = 60.0
"""A token signed with an unknown key has the keys fetched again, at most so often."""
LEEWAY_S = 60
AT_ONCE = 8
"""Sign-ins that wait for the provider at the same time; others wait for them."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""With a public key; `none`, and secrets that both sides know, are no signature here."""
REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")

Claims = Mapping[str, Any]


class SignInRefused(CallerError):
    """What the browser brought back from the provider does not let anybody in."""

    code = "sign_in_refused"
    http_status = 401


class ProviderAway(OperatorError):
    """The provider cannot be asked, or says something that is against the protocol."""

    code = "sign_in_provider"
    http_status = 502


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser on its way to the provider."""

    url: str
    ticket: str
    """For its cookie; it is needed when the browser comes back, within ten minutes."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the provider says of itself, and when it did."""

    document: Mapping[str, Any]
    at_s: float


class Provider:
    """One provider, as the configuration names it."""

    def __init__(self, settings: Oidc, hasher: TokenHasher, clock: Clock) -> None:
        self.settings = settings
        self._hasher = hasher
        self._clock = clock
        self._said: _Said | None = None
        self._keys: KeySet | None = None
        self._keys_at_s = 0.0
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def depart(self, console_url: str, back: str) -> Departure:
        """Return where to send a browser that wants to sign in.

        Args:
            console_url: Where it reaches the console, without a trailing slash.
            back: Where it wants to go afterwards; the ticket carries it.

        Raises:
            ProviderAway: the provider cannot be asked.
        """
        async with self._turns, self._client() as client:
            document = await self._discovered(client)
        ticket = f"{self._now_s()}.{secrets.token_urlsafe(32)}.{quote(back, safe='')}"
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": console_url + RETURN_PATH,
            "scope": " ".join(dict.fromkeys(["openid", *self.settings.scopes])),
            "state": self._derived("state", ticket),
            "nonce": self._derived("nonce", ticket),
            "code_challenge": challenge_of(self._derived("verifier", ticket)),
            "code_challenge_method": "S256",
        }
        endpoint: str = document["authorization_endpoint"]
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", ticket)

    async def arrive(self, console_url: str, ticket: str, brought: Mapping[str, str]) -> Claims:
        """Return what the provider says of somebody who has signed in there.

        Args:
            console_url: As when they left.
            ticket: From the browser's cookie.
            brought: The parameters of the address that the provider sent the browser to.

        Raises:
            SignInRefused: the browser did not leave from here, or what it brings proves nothing.
            ProviderAway: the provider cannot be asked.
        """
        self._see_that_it_left_from_here(ticket, brought)
        if "error" in brought:
            said = " ".join(filter(None, (brought["error"], brought.get("error_description", ""))))[:300]
            raise SignInRefused(f"The provider did not sign you in ({said}). Nobody was signed in here.")
        async with self._turns, self._client() as client:
            document = await self._discovered(client)
            tokens = await self._redeemed(client, document, console_url, ticket, brought.get("code", ""))
            claims = await self._verified(client, document, str(tokens.get("id_token", "")), ticket)
            return await self._completed(client, document, claims, str(tokens.get("access_token", "")))

    def _see_that_it_left_from_here(self, ticket: str, brought: Mapping[str, str]) -> None:
        left_s = ticket.partition(".")[0]
        is_fresh = left_s.isascii() and left_s.isdigit() and 0 <= self._now_s() - int(left_s[:12]) <= TICKET_S
        if not hmac.compare_digest(self._derived("state", ticket).encode(), brought.get("state", "").encode()):
            raise SignInRefused(
                "This answer of the provider does not belong to a sign-in that began in this browser. "
                "Nobody was signed in. Begin again from this page."
            )
        if not is_fresh:
            raise SignInRefused("This sign-in took more than ten minutes. Nobody was signed in. Begin again.")
        if brought.get("iss", self.settings.issuer) != self.settings.issuer:
            raise SignInRefused("The answer comes from another issuer than the configured one. Nobody was signed in.")

    async def _redeemed(
        self, client: httpx.AsyncClient, document: Claims, console_url: str, ticket: str, code: str
    ) -> Claims:
        """Change the code for tokens."""
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": console_url + RETURN_PATH,
            "code_verifier": self._derived("verifier", ticket),
        }
        auth: tuple[str, str] | None = None
        if settings.client_secret and "client_secret_basic" in _methods(document):
            auth = (quote(settings.client_id, safe=""), quote(settings.client_secret, safe=""))  # RFC 6749, 2.3.1
        else:
            form |= {"client_id": settings.client_id}
            form |= {"client_secret": settings.client_secret} if settings.client_secret else {}
        status, answer = await _ask(client, "POST", document["token_endpoint"], data=form, auth=auth)
        if status != 200:
            said = " ".join(str(answer[name]) for name in ("error", "error_description") if name in answer)[:300]
            raise SignInRefused(
                f"The provider does not take its own code back ({said or f'HTTP {status}'}). A code is good once and "
                "for a short time. Nobody was signed in. Begin again; if it goes on, look at client_id and "
                "client_secret under `sign_in`."
            )
        return answer

    async def _verified(self, client: httpx.AsyncClient, document: Claims, id_token: str, ticket: str) -> Claims:
        """Read the token; everything in it that names a party, a time or this sign-in must be right."""
        settings = self.settings
        try:
            claims = (await self._decoded(client, document, id_token)).claims
            jwt.JWTClaimsRegistry(
                now=self._now_s(),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": settings.issuer},
                aud={"essential": True, "value": settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": self._derived("nonce", ticket)},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            said = str(error)[:200]
            raise SignInRefused(
                f"The provider's token does not prove who you are ({said}). Nobody was signed in."
            ) from error
        others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if others else settings.client_id) != settings.client_id:
            raise SignInRefused("The provider's token is for another program (azp). Nobody was signed in.")
        return claims

    async def _decoded(self, client: httpx.AsyncClient, document: Claims, id_token: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        try:
            return jwt.decode(id_token, await self._keyset(client, document), ALGORITHMS, registry)
        except (InvalidKeyIdError, BadSignatureError):
            if self._clock.monotonic() - self._keys_at_s < KEYS_AGAIN_S:
                raise
            self._keys = None  # the provider has changed its keys
            return jwt.decode(id_token, await self._keyset(client, document), ALGORITHMS, registry)

    async def _completed(
        self, client: httpx.AsyncClient, document: Claims, claims: Claims, access_token: str
    ) -> Claims:
        """Ask for what the token leaves out, where the configuration needs it and the provider tells it elsewhere."""
        needed = {self.settings.name, *(rule.claim for rule in self.settings.roles)}
        endpoint = document.get("userinfo_endpoint")
        if needed <= claims.keys() or not endpoint or not access_token:
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        status, more = await _ask(client, "GET", endpoint, headers=headers)
        if status != 200:
            return claims
        if more.get("sub") != claims["sub"]:
            raise SignInRefused("The provider tells of somebody else than its token (sub). Nobody was signed in.")
        return {**more, **claims}

    async def _discovered(self, client: httpx.AsyncClient) -> Claims:
        now_s = self._clock.monotonic()
        if self._said is not None and now_s - self._said.at_s < KEPT_S:
            return self._said.document
        issuer = self.settings.issuer
        status, document = await _ask(client, "GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if status != 200 or not all(isinstance(document.get(name), str) for name in ("issuer", *REQUIRED)):
            raise ProviderAway(f"{issuer} does not describe itself as an OpenID provider (HTTP {status}).")
        if document["issuer"] != issuer:
            raise ProviderAway(
                f"The provider at {issuer} calls itself {document['issuer'][:300]}: write that, to the last character, "
                "as `sign_in.oidc.issuer`."
            )
        for name in REQUIRED:
            if not is_safe_address(document[name]):
                raise ProviderAway(f"The provider's {name} is not under https, so nothing is sent there.")
        self._said, self._keys = _Said(document, now_s), None
        return document

    async def _keyset(self, client: httpx.AsyncClient, document: Claims) -> KeySet:
        if self._keys is None:
            status, found = await _ask(client, "GET", document["jwks_uri"])
            try:
                self._keys = KeySet.import_key_set({"keys": found["keys"]})
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise ProviderAway(f"The provider's keys cannot be read (HTTP {status}).") from error
            self._keys_at_s = self._clock.monotonic()
        return self._keys

    def _derived(self, what: str, ticket: str) -> str:
        """64 letters that nobody knows who has only the ticket, and that tell nothing of each other."""
        return self._hasher.hash(f"oidc {what} {self.settings.issuer} {ticket}")

    def _now_s(self) -> int:
        return self._clock.unix_ns() // 1_000_000_000

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT_S, headers={"accept": "application/json"})


def back_of(ticket: str) -> str:
    """Return where a ticket's holder wanted to go, still quoted; what it says is checked with its state."""
    return ticket.split(".", 2)[2] if ticket.count(".") >= 2 else ""


def _methods(document: Claims) -> list[Any]:
    found = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return found if isinstance(found, list) else []


async def _ask(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return status and JSON object of an answer, an empty one where it is none; no redirection is followed."""
    try:
        async with client.stream(method, url, **more) as reply:
            content = bytearray()
            async for piece in reply.aiter_bytes():
                content += piece
                if len(content) > ANSWER_BYTES_MAX:
                    raise ProviderAway(f"The provider answered {url[:200]} with more than 1 MiB.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderAway(
            f"The sign-in provider cannot be asked at {url[:200]} ({str(error) or type(error).__name__}). "
            "Nobody was signed in; passwords and links of `watchkeeper users link` still work."
        ) from error
    try:
        found = msgspec.json.decode(bytes(content))
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    return reply.status_code, found if isinstance(found, dict) else {}
