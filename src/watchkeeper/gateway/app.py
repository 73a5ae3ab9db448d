"""The gateway's paths: which request goes where."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

import msgspec

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.feedback import PATHS, FeedbackDoor
from watchkeeper.gateway.pipeline import Pipeline
from watchkeeper.gateway.prompts import Bundles
from watchkeeper.gateway.refusals import MethodUnknown, MetricsClosed, NotReady, PathUnknown, Refusal
from watchkeeper.gateway.surfaces import ROOMS
from watchkeeper.gateway.surfaces.errors import Family, error_body
from watchkeeper.gateway.surfaces.models import model_body, models_body
from watchkeeper.gateway.wire.server import Exchange

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"

_OWN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_PROMPTS = "/v1/prompts/"
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
"""Headers by which a proxy says that it asks for somebody else."""


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
        feedback: FeedbackDoor,
        bundles: Bundles,
    ) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._clock = clock
        self._metrics = metrics
        self._why_not_ready = why_not_ready
        self._feedback = feedback
        self._bundles = bundles
        self._calls = {
            mount + version + room.path: room
            for room in ROOMS.values()
            for mount in ("", f"/{room.family}")
            for version in ("", "/v1")
        }

    def handle(self, exchange: Exchange) -> Coroutine[None, None, None]:
        """Return what serves a request."""
        request = exchange.request
        room = self._calls.get(request.path)
        if room is not None and request.method == "POST":
            return self._pipeline.serve(exchange, room)
        if request.path in PATHS and request.method == "POST":
            return self._take_feedback(exchange)
        if room is None and self._pipeline.plan is not None and request.path not in _OWN_PATHS:
            name, _, rest = request.path[1:].partition("/")
            provider = self._pipeline.plan.snapshot.providers.get(name)
            if provider is not None and rest and _model_named(request.path) is None:
                return self._pipeline.pass_on(exchange, provider, rest)
        return self._reply(exchange)

    async def _reply(self, exchange: Exchange) -> None:
        try:
            answer = self._answer(exchange)
        except Refusal as refusal:
            answer = _refused(exchange, refusal)
        exchange.reply(*answer)

    async def _take_feedback(self, exchange: Exchange) -> None:
        try:
            answer = await self._feedback.take(exchange, self._pipeline.plan)
        except Refusal as refusal:
            answer = _refused(exchange, refusal)
        exchange.reply(*answer)

    def _answer(self, exchange: Exchange) -> tuple[int, bytes, bytes]:
        path, method = exchange.request.path, exchange.request.method
        if path in self._calls or path in PATHS:
            raise MethodUnknown(f"{path} takes POST, not {method}.")
        if path not in _OWN_PATHS and _model_named(path) is None and not path.startswith(_PROMPTS):
            raise PathUnknown(
                f"The gateway has no {path[:100]}. It serves /v1/chat/completions, /v1/completions, /v1/embeddings, "
                "/v1/responses, /v1/messages, /v1/messages/count_tokens, /v1/models, /v1/prompts/FEATURE, "
                "/v1/feedback, whatever a provider has below /PROVIDER/, and /healthz, /readyz, /metrics; the console "
                "is on its own port."
            )
        if method not in ("GET", "HEAD"):
            raise MethodUnknown(f"{path} takes GET, not {method}.")
        match path:
            case "/healthz":
                return HTTPStatus.OK, _JSON, b'{"status":"ok"}'
            case "/readyz":
                return self._readiness()
            case "/metrics":
                self._require_metrics_reader(exchange)
                return HTTPStatus.OK, _TEXT, self._metrics()
            case _ if path.startswith(_PROMPTS):
                return self._prompt(exchange)
            case _:
                return self._models(exchange)

    def _readiness(self) -> tuple[int, bytes, bytes]:
        why_not = self._why_not_ready()
        if not why_not:
            return HTTPStatus.OK, _JSON, b'{"status":"ready"}'
        body = msgspec.json.encode({"status": "not ready", "why": why_not})
        return HTTPStatus.SERVICE_UNAVAILABLE, _JSON, body

    def _require_metrics_reader(self, exchange: Exchange) -> None:
        """The counts tell what each feature costs: other hosts read them only where the configuration says so."""
        plan = self._pipeline.plan
        if plan is not None and plan.snapshot.has_open_metrics:
            return
        if not is_from_this_host(exchange.peer, exchange.request.headers):
            raise MetricsClosed(
                "The metrics are for this host only, because they tell what each feature costs. "
                "`metrics: {open: true}` in the configuration lets other hosts read them."
            )

    def _prompt(self, exchange: Exchange) -> tuple[int, bytes, bytes]:
        plan, request = self._pipeline.plan, exchange.request
        if plan is None:
            raise NotReady("The gateway has no configuration yet. It is starting; try again in a few seconds.")
        entry = self._admission.identify(plan, request.headers)
        named = unquote(request.path.removeprefix(_PROMPTS))
        return self._bundles.answer(entry, named, request.headers.get(b"if-none-match", b""))

    def _models(self, exchange: Exchange) -> tuple[int, bytes, bytes]:
        plan = self._pipeline.plan
        names: list[str] = []
        if plan is not None:
            entry = self._admission.identify(plan, exchange.request.headers)
            names = sorted(plan.routes) + self._pipeline.feature_names(entry)
        name = _model_named(exchange.request.path)
        created_s = self._clock.unix_ns() // 1_000_000_000
        if not name:
            return HTTPStatus.OK, _JSON, models_body(_family(exchange), names, created_s=created_s)
        if plan is not None and name not in names:
            plan.resolve(name)
        return HTTPStatus.OK, _JSON, model_body(_family(exchange), name, created_s=created_s)


def _refused(exchange: Exchange, refusal: Refusal) -> tuple[int, bytes, bytes]:
    status = refusal.http_status
    body = error_body(_family(exchange), str(refusal), status=status, code=refusal.code, error_type=refusal.error_type)
    return status, _JSON, body


def _family(exchange: Exchange) -> Family:
    """Tell whose client asks, by the address or by what only Anthropic's clients send."""
    request = exchange.request
    return (
        "anthropic" if request.path.startswith("/anthropic/") or b"anthropic-version" in request.headers else "openai"
    )


def is_from_this_host(peer: str, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request was made on this host, and not through a proxy on it that says for whom it asks."""
    if any(name in headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _model_named(path: str) -> str | None:
    """Return the model that a path below `/models` names, empty for the list of all; None for any other path."""
    for mount in ("/openai", "/anthropic"):
        path = path.removeprefix(mount)
    below = path.removeprefix("/v1")
    if below != "/models" and not below.startswith("/models/"):
        return None
    return unquote(below.removeprefix("/models").strip("/"))
