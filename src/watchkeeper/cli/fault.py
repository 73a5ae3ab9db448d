"""`watchkeeper fault`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, options, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, span_s
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("id"),
    Column("state", is_state=True),
    Column("kind"),
    Column("route", shrinks_to=12),
    Column("share", is_right=True),
    Column("only", leaves=2),
    Column("how", leaves=3),
    Column("started", leaves=4),
    Column("by", leaves=1),
)


def start(
    kind: Annotated[
        str,
        Parameter(
            help="rate_limit, server_error, reset, slow_first_token, slow_drip, cut, malformed_chunk or wrong_usage."
        ),
    ],
    route: Annotated[str, Parameter(help="The route, or PROVIDER/MODEL as clients name it.")],
    *,
    lasts: Annotated[str, Parameter(name="--for", help="Span after which it ends by itself, at most 24h.")],
    share: Annotated[str, Parameter(help="Of the calls that match.")] = "100%",
    target: Annotated[str, Parameter(help="PROVIDER/MODEL: only attempts against it.")] = "",
    key: Annotated[str, Parameter(help="Id of a key: only its calls.")] = "",
    tenant: Annotated[str, Parameter(help="Only calls for this tenant.")] = "",
    after: Annotated[int | None, Parameter(help="Chunks before a cut or a malformed chunk.")] = None,
    seconds: Annotated[float | None, Parameter(help="Of a delay, or of the `retry-after` of a rate limit.")] = None,
    status: Annotated[int | None, Parameter(help="Of a server error, 500 to 599.")] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Begin to inject a fault on one route; it ends by itself, and every call it touches is marked."""
    started = client.post(
        data,
        "/api/v1/faults",
        kind=kind,
        route=route,
        lasts_s=span_s("--for", lasts),
        share=options.share("--share", share),
        target=target,
        key=options.key_id(key, instead="--key ID"),
        tenant=tenant,
        after=after,
        seconds=seconds,
        status=status,
    )
    if json:
        show.document(started)
        return
    touched = f"{started['kind']} in {_share(started)} of the calls to {started['route']}"
    show.line(f"started {started['id']}: {touched}{_only(started, before=', ')}")
    show.line(
        f"it ends by itself at {_second(started['ends_at'])} UTC; `watchkeeper fault stop {started['id']}` ends it now"
    )


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the faults that are injected now and those of the last seven days, the newest first."""
    found = client.get(data, "/api/v1/faults")
    if json:
        show.document(found)
    else:
        show.table(_COLUMNS, [_row(fault) for fault in found["faults"]])


def stop(
    fault_id: Annotated[str, Parameter(help="From `fault list`.")], *, data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """End a fault early; the gateway obeys within a second."""
    ended = client.delete(data, f"/api/v1/faults/{client.part(fault_id)}")
    if json:
        show.document(ended)
    else:
        show.line(f"stopped {ended['id']} ({ended['kind']} on {ended['route']})")


def _row(fault: dict[str, Any]) -> tuple[str, ...]:
    return (
        fault["id"], _state(fault), fault["kind"], fault["route"], _share(fault), _only(fault), _how(fault),
        _second(fault["started_at"]), fault["started_by"],
    )  # fmt: skip


def _state(fault: dict[str, Any]) -> str:
    if fault["state"] == "active":
        return f"active until {_second(fault['ends_at'])}"
    by = f", stopped by {fault['stopped_by']}" if fault["stopped_by"] else ""
    return f"ended {_second(fault['ends_at'])}{by}"


def _share(fault: dict[str, Any]) -> str:
    return f"{100 * fault['share']:g}%"


def _only(fault: dict[str, Any], *, before: str = "") -> str:
    """Say to which of the route's calls it is bound."""
    bounds = ", ".join(f"{name} {fault[name]}" for name in ("target", "key", "tenant") if fault[name])
    return bounds and f"{before}only {bounds}" if before else bounds


def _how(fault: dict[str, Any]) -> str:
    said = (("after", "after {} chunks"), ("seconds", "{:g} s"), ("status", "status {}"))
    return ", ".join(words.format(fault[name]) for name, words in said if fault[name] is not None)


def _second(moment: str) -> str:
    return moment[:19].replace("T", " ")
