"""A server that gives out signed bundles as the gateway does, and can be stopped, started again and slowed down."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from watchkeeper.releases.bundle import Bundle, Signer
from watchkeeper.releases.recipe import Message, Recipe, release_id
from watchkeeper.releases.standing import Rollout

KEY = "sk-wk-abcdefghijkl-" + "s" * 40
SEED = b"n" * 32


def recipe(text: str = "Answer: {{ question }}", feature: str = "support", **more: Any) -> Recipe:
    """A prompt of one message with one variable."""
    return Recipe(
        feature=feature,
        model="gpt-4o-mini",
        messages=(Message("system", "Be brief."), Message("user", text)),
        variables={"question": {"type": "string"}},
        **more,
    )


def bundle_of(found: Recipe, *arms: Recipe, environment: str = "production", rollout: Rollout | None = None) -> Bundle:
    """A bundle of a recipe and of those that a rollout tries."""
    return Bundle(
        feature=found.feature,
        environment=environment,
        release=release_id(found),
        recipes={release_id(one): one for one in (found, *arms)},
        since_ns=1,
        rollout=rollout,
    )


class Giver:
    """Gives out what it is told to, on one port for as long as it lives."""

    def __init__(self, seed: bytes = SEED) -> None:
        self.signer = Signer(seed)
        self.documents: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        """What was asked for, with the ETag that the client had."""
        self.posted: list[bytes] = []
        self.delay_s = 0.0
        self.is_behind = False
        self.is_stranger = False
        """Somebody on the way answers instead, who knows nothing of prompts."""
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def gives(self, name: str, bundle: Bundle) -> bytes:
        self.documents[name] = self.signer.sign(bundle)
        return self.documents[name]

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _handler(giver: Giver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            giver.asked.append((name, self.headers.get("if-none-match", "")))
            giver.at_once += 1
            giver.most_at_once = max(giver.most_at_once, giver.at_once)
            time.sleep(giver.delay_s)
            giver.at_once -= 1
            document = giver.documents.get(name)
            if giver.is_stranger:
                self._say(404, b"<html>no such site</html>")
            elif self.headers["authorization"] != f"Bearer {KEY}":
                self._say(401, b'{"error": {"code": "invalid_api_key", "message": "unknown"}}')
            elif document is None:
                self._say(404, b'{"error": {"code": "feature_not_live", "message": "It serves nothing."}}')
            else:
                etag = f'"{hash(document)}"'
                same = self.headers.get("if-none-match") == etag
                self._say(304 if same else 200, b"" if same else document, etag)

        def do_POST(self) -> None:
            giver.posted.append(self.rfile.read(int(self.headers["content-length"])))
            self._say(200, b'{"id": "f1"}')

        def _say(self, status: int, body: bytes, etag: str = "") -> None:
            self.send_response(status)
            if etag:
                self.send_header("etag", etag)
            if giver.is_behind:
                self.send_header("x-wk-stale", "true")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
