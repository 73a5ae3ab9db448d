"""Faults injected for drills: start, list, stop."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field, model_validator

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.permits import needs
from watchkeeper.api.services import Routing, Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import did_you_mean
from watchkeeper.core.errors import CallerError, OperatorError
from watchkeeper.store.faults import LONGEST, FaultDraft, FaultRow, FaultUnknown
from watchkeeper.store.keys import KeyOver, KeyUnknown

NAME_MAX = 200
ROUTE_MAX = 400
AFTER_MAX = 100_000
SECONDS_MAX = 3600.0
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "rate_limit": ("seconds",),
    "server_error": ("status",),
    "reset": (),
    "slow_first_token": ("seconds",),
    "slow_drip": ("seconds",),
    "cut": ("after",),
    "malformed_chunk": ("after",),
    "wrong_usage": (),
}
"""By kind of fault: what more can be said of it."""
SLOW = frozenset({"slow_first_token", "slow_drip"})
"""Kinds that are nothing without `seconds`."""

OF_ROUTES = "A fault is injected into a route, which calls of any feature may take."
OPERATING = [needs("operate", because=OF_ROUTES)]

router = APIRouter(prefix="/api/v1/faults", tags=["drills"])


class RouteUnknown(CallerError):
    """There is no route of this name."""

    code = "route_not_found"
    http_status = 404


class TargetUnknown(CallerError):
    """No call of the route comes to this target."""

    code = "target_not_found"
    http_status = 404


class NothingRuns(OperatorError):
    """There is no gateway that a drill could be about."""

    code = "no_keeper"
    http_status = 503


def _kind(text: str) -> str:
    if text not in OPTIONS:
        raise ValueError(f"`{text[:40]}` is not a kind of fault{did_you_mean(text, list(OPTIONS))}")
    return text


class FaultWish(Strict):
    """A fault to be started."""

    kind: Annotated[str, AfterValidator(_kind), Field(description=f"One of {', '.join(OPTIONS)}.")]
    route: str = Field(
        min_length=1, max_length=ROUTE_MAX, description="A route, or `provider/model` as clients name it."
    )
    lasts_s: int = Field(ge=1, le=int(LONGEST.total_seconds()), description="After so many seconds it ends by itself.")
    share: float = Field(default=1.0, gt=0, le=1, description="Of the calls that match.")
    target: str = Field(default="", max_length=ROUTE_MAX, description="`provider/model`: only attempts against it.")
    key: str = Field(default="", max_length=NAME_MAX, description="The public part of a key: only its calls.")
    tenant: str = Field(default="", max_length=NAME_MAX, description="Only calls for this tenant.")
    after: int | None = Field(default=None, ge=0, le=AFTER_MAX, description="Chunks before a cut or a malformed chunk.")
    seconds: float | None = Field(default=None, gt=0, le=SECONDS_MAX, description="Of a delay, or of `retry-after`.")
    status: int | None = Field(default=None, ge=500, le=599, description="Of a server error; 500 without one.")

    @model_validator(mode="after")
    def _says_what_its_kind_can_be_told(self) -> Self:
        for name in ("after", "seconds", "status"):
            if getattr(self, name) is not None and name not in OPTIONS[self.kind]:
                meant = " and ".join(f"`{kind}`" for kind, options in OPTIONS.items() if name in options)
                raise ValueError(f"`{name}` means nothing for `{self.kind}`; it belongs to {meant}")
        if self.kind in SLOW and self.seconds is None:
            raise ValueError(f"`{self.kind}` needs `seconds`, the length of the delay")
        return self


class FaultDocument(BaseModel):
    """A fault that was started."""

    id: str
    state: Literal["active", "ended"]
    kind: str
    route: str
    share: float
    target: Annotated[str, Field(description="Empty for every target.")]
    key: Annotated[str, Field(description="Empty for every key.")]
    tenant: Annotated[str, Field(description="Empty for every tenant.")]
    after: int | None
    seconds: float | None
    status: int | None
    started_at: datetime
    started_by: str
    ends_at: Annotated[datetime, Field(description="When it ends by itself, or has ended.")]
    stopped_by: Annotated[str | None, Field(description="Who ended it early; null when nobody did.")]


class FaultList(BaseModel):
    """Faults that are injected now and those of the last seven days, the newest first."""

    faults: list[FaultDocument]


@router.get("", summary="List injected faults", dependencies=[needs("read", because=OF_ROUTES)])
async def list_faults(parts: Parts) -> FaultList:
    """Return the faults that are injected now and those that have ended within seven days."""
    return FaultList(faults=[_document(row, parts) for row in await parts.control.faults.recent()])


@router.post("", status_code=201, summary="Begin to inject a fault", dependencies=OPERATING)
async def start_fault(wish: FaultWish, parts: Parts, by: By) -> FaultDocument:
    """Begin a drill on one route; the gateway obeys within a second, and the fault ends by itself."""
    routing = parts.routing()
    if routing is None:
        raise NothingRuns(
            "No keeper runs here, so no gateway would obey; no fault was started. Start it with `watchkeeper up`."
        )
    _see_that_calls_come(wish, routing)
    if wish.key:
        await _see_that_it_is_used(wish.key, parts)
    draft = FaultDraft(
        kind=wish.kind,
        route=wish.route,
        lasts=timedelta(seconds=wish.lasts_s),
        share=wish.share,
        target=wish.target,
        key_id=wish.key,
        tenant=wish.tenant,
        after=wish.after or 0,
        seconds=wish.seconds or 0.0,
        status=wish.status or 0,
    )
    row = await parts.control.faults.start(draft, actor=by.name)
    parts.on_control_change()
    return _document(row, parts)


@router.delete("/{fault_id:path}", summary="Stop a fault", dependencies=OPERATING)
async def stop_fault(fault_id: str, parts: Parts, by: By) -> FaultDocument:
    """End a fault early; the gateway obeys within a second."""
    try:
        row = await parts.control.faults.stop(fault_id, actor=by.name)
    except FaultUnknown as error:
        active = [fault.id for fault in await parts.control.faults.active()]
        raise FaultUnknown(
            _missing("There is no fault", fault_id, active, "Nothing was stopped.") if active else str(error)
        ) from None
    parts.on_control_change()
    return _document(row, parts)


def _see_that_calls_come(wish: FaultWish, routing: Routing) -> None:
    """A fault where no call can come would leave its starter waiting for nothing."""
    provider, _, model = wish.route.partition("/")
    is_named = bool(model) and provider in routing.providers
    if wish.route not in routing.targets and not is_named:
        raise RouteUnknown(_missing("There is no route", wish.route, routing.targets, "No fault was started."))
    reached = routing.targets.get(wish.route, frozenset({wish.route}))
    if wish.target and wish.target not in reached:
        lacks = f"The route `{wish.route[:100]}` has no target"
        raise TargetUnknown(_missing(lacks, wish.target, reached, "No fault was started."))


async def _see_that_it_is_used(key: str, parts: Services) -> None:
    rows = await parts.control.keys.all()
    valid = [row.public_id for row in rows if row.is_valid_at(_now(parts))]
    if key in valid:
        return
    if any(row.public_id == key for row in rows):
        raise KeyOver(f"The key {key} is not valid any more, so no call is made with it; no fault was started.")
    raise KeyUnknown(
        _missing("There is no key", key, valid, "No fault was started. `watchkeeper keys list` shows the ids.")
    )


def _missing(lacks: str, name: str, known: Iterable[str], outcome: str) -> str:
    hint = did_you_mean(name, list(known))
    return f"{lacks} `{name[:100]}`{hint}{'' if hint.endswith('?') else '.'} {outcome}"


def _document(row: FaultRow, parts: Services) -> FaultDocument:
    told = OPTIONS.get(row.kind, ())
    names = ("id", "kind", "route", "share", "target", "tenant", "started_at", "started_by", "ends_at")
    facts: dict[str, Any] = {name: getattr(row, name) for name in names}
    facts |= {name: (getattr(row, name) or None) if name in told else None for name in ("seconds", "status")}
    return FaultDocument(
        **facts,
        state="active" if row.is_active_at(_now(parts)) else "ended",
        key=row.key_id,
        after=row.after if "after" in told else None,
        stopped_by=row.stopped_by or None,
    )


def _now(parts: Services) -> datetime:
    return datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
