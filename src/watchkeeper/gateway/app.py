"""The gateway's paths: which request goes where."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.pipeline import Pipeline
from watchkeeper.gateway.refusals import MethodUnknown, PathUnknown, Refusal
from watchkeeper.gateway.surfaces import openai
from watchkeeper.gateway.wire.server import Exchange

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"


class App:
    """Takes one request and gives it to the pipeline, or answers it here."""

    def __init__(
        self,
        pipeline: Pipeline,
        admission: Admission,
        clock: Clock,
        *,
        metrics: Callable[[], bytes],
        why_not_ready: Callable[[], str],
    ) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._clock = clock
        self._metrics = metrics
        self._why_not_ready = why_not_ready
        self._calls = {prefix + path: surface for path, surface in openai.ENDPOINTS.items() for prefix in ("", "/v1")}

    def handle(self, exchange: Exchange) -> Coroutine[None, None, None]:
        """Return what serves a request."""
        request = exchange.request
        surface = self._calls.get(request.path)
        if surface is not None and request.method == "POST":
            return self._pipeline.serve(exchange, surface)
        return self._reply(exchange)

    async def _reply(self, exchange: Exchange) -> None:
        try:
            status, headers, body = self._answer(exchange)
        except Refusal as refusal:
            status, headers = refusal.http_status, _JSON
            body = openai.error_body(str(refusal), status=status, code=refusal.code, error_type=refusal.error_type)
        exchange.reply(status, headers, body)

    def _answer(self, exchange: Exchange) -> tuple[int, bytes, bytes]:
        path, method = exchange.request.path, exchange.request.method
        if path in self._calls:
            raise MethodUnknown(f"{path} takes POST, not {method}.")
        if path not in ("/healthz", "/readyz", "/metrics") and _model_named(path) is None:
            raise PathUnknown(
                f"The gateway has no {path[:100]}. It serves /v1/chat/completions, /v1/embeddings, /v1/models, "
                "/healthz, /readyz and /metrics; the console is on its own port."
            )
        if method not in ("GET", "HEAD"):
            raise MethodUnknown(f"{path} takes GET, not {method}.")
        match path:
            case "/healthz":
                return HTTPStatus.OK, _JSON, b'{"status":"ok"}'
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return HTTPStatus.OK, _TEXT, self._metrics()
            case _:
                return self._models(exchange)

    def _readiness(self) -> tuple[int, bytes, bytes]:
        why_not = self._why_not_ready()
        if not why_not:
            return HTTPStatus.OK, _JSON, b'{"status":"ready"}'
        body = msgspec.json.encode({"status": "not ready", "why": why_not})
        return HTTPStatus.SERVICE_UNAVAILABLE, _JSON, body

    def _models(self, exchange: Exchange) -> tuple[int, bytes, bytes]:
        plan = self._pipeline.plan
        names = sorted(plan.routes) if plan else []
        if plan is not None:
            self._admission.identify(plan, exchange.request.headers)
        name = _model_named(exchange.request.path)
        created_s = self._clock.unix_ns() // 1_000_000_000
        if not name:
            return HTTPStatus.OK, _JSON, openai.models_body(names, created_s=created_s)
        if plan is not None:
            plan.resolve(name)
        return HTTPStatus.OK, _JSON, openai.model_body(name, created_s=created_s)


def _model_named(path: str) -> str | None:
    """Return the model that a path below `/models` names, empty for the list of all; None for any other path."""
    below = path.removeprefix("/v1")
    if below != "/models" and not below.startswith("/models/"):
        return None
    return unquote(below.removeprefix("/models").strip("/"))
