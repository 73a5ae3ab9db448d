"""An OpenID provider on loopback that does what a real one does, and, when told to, what a hostile one would."""

import json
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from watchkeeper.access.tokens import challenge_of
from watchkeeper.core.clock import Clock

CLIENT, SECRET = "watchkeeper", "a secret: with + signs"
Forge = Callable[["LoopbackProvider", dict[str, Any]], str]


@cache
def new_keys(name: str, *, of: str = "the provider") -> KeySet:
    """Make keys, once in a run for each name and owner, since it takes long."""
    return KeySet([RSAKey.generate_key(2048, {"kid": name, "use": "sig"}, private=True)])


@dataclass
class LoopbackProvider:
    """Signs everybody in as `person`, checks PKCE, the client's secret and that a code is used once."""

    clock: Clock
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "42", "email": "ana@example.com"})
    forge: Forge | None = None
    """Makes the token instead, of the claims that would be right."""
    userinfo: dict[str, Any] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    """Replaces parts of the discovery document."""
    refuses: str = ""
    asked: list[str] = field(default_factory=list)
    keys: KeySet = field(default_factory=lambda: new_keys("first"))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                provider.asked.append(parts.path)
                provider._answer_get(self, parts.path, dict(parse_qsl(parts.query)))

            def do_POST(self) -> None:
                provider.asked.append(self.path)
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                provider._answer_token(self, dict(parse_qsl(form)))

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def sign(self, claims: dict[str, Any], *, key: RSAKey | None = None, **header: Any) -> str:
        """Sign as this provider, or with another key."""
        used = key or self.keys.keys[0]
        return jwt.encode({"alg": "RS256", "kid": self.keys.keys[0].kid, **header}, claims, used)

    def _answer_get(self, handler: BaseHTTPRequestHandler, path: str, query: dict[str, str]) -> None:
        match path:
            case "/.well-known/openid-configuration":
                _send(handler, 200, self._described() | self.document)
            case "/keys":
                _send(handler, 200, dict(self.keys.as_dict(private=False)))
            case "/authorize":
                brought = {"error": self.refuses, "error_description": "<b>not today</b>"} if self.refuses else {}
                if not brought:
                    code = secrets.token_urlsafe(8)
                    self._codes[code] = query
                    brought = {"code": code}
                location = f"{query['redirect_uri']}?{urlencode(brought | {'state': query['state']})}"
                handler.send_response(302)
                handler.send_header("location", location)
                handler.end_headers()
            case "/userinfo":
                _send(handler, 200, self.userinfo or {})
            case _:
                _send(handler, 404, {})

    def _answer_token(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        asked = self._codes.pop(form.get("code", ""), None)
        scheme, _, credentials = handler.headers.get("authorization", "").partition(" ")
        client, _, secret = b64decode(credentials).decode().partition(":")
        if scheme != "Basic" or (unquote(client), unquote(secret)) != (CLIENT, SECRET):
            _send(handler, 401, {"error": "invalid_client"})
        elif (
            asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != challenge_of(form["code_verifier"])
        ):
            _send(handler, 400, {"error": "invalid_grant", "error_description": "no such code"})
        else:
            now_s = self.clock.unix_ns() // 10**9
            claims = {"iss": self.issuer, "aud": CLIENT, "iat": now_s, "exp": now_s + 300, "nonce": asked["nonce"]}
            claims |= self.person
            token = self.forge(self, claims) if self.forge else self.sign(claims)
            _send(handler, 200, {"access_token": "at", "token_type": "Bearer", "id_token": token})

    def _described(self) -> dict[str, Any]:
        endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        if self.userinfo is not None:
            endpoints["userinfo_endpoint"] = "userinfo"
        return {"issuer": self.issuer} | {name: f"{self.issuer}/{path}" for name, path in endpoints.items()}


def _send(handler: BaseHTTPRequestHandler, status: int, document: dict[str, Any]) -> None:
    content = json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
