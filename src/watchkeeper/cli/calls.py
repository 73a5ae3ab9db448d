"""`watchkeeper calls`: the list of calls."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter, validators

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed

POLL_S = 0.5
LIMIT_DEFAULT = 50

_COLUMNS = (
    "time (UTC)",
    "id",
    "status",
    "feature",
    "tenant",
    "model",
    "in",
    "out",
    "cost $",
    "ms",
    "first ms",
    "question",
)
_RIGHT = frozenset({"in", "out", "cost $", "ms", "first ms"})


def calls(
    *,
    since: Annotated[str, Parameter(help="Span back from now (15m, 1h, 7d) or a time (2026-11-03T14:05).")] = "",
    until: Annotated[str, Parameter(help="As --since; the end is not included.")] = "",
    feature: str = "",
    tenant: str = "",
    subject: Annotated[str, Parameter(help="A person as the client named them, or their pseudonym.")] = "",
    session: str = "",
    key: str = "",
    route: str = "",
    provider: str = "",
    model: str = "",
    status: Annotated[str, Parameter(help="ok, error or cancelled.")] = "",
    error_class: str = "",
    tag: str = "",
    trace: str = "",
    min_cost: Annotated[str, Parameter(help="US dollars.")] = "",
    min_duration_ms: float | None = None,
    search: Annotated[str, Parameter(help="Words of the question or the answer.")] = "",
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=1000))] = LIMIT_DEFAULT,
    follow: Annotated[bool, Parameter(negative="", help="Go on with the calls that arrive.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List calls, the newest first. Into a pipe, tab-separated and without a header."""
    if follow and json:
        raise CommandFailed("--json prints one document and --follow has no end; choose one.", exit_code=WRONG_USAGE)
    chosen = {
        "since": since, "until": until, "feature": feature, "tenant": tenant, "subject": subject, "session": session,
        "key": key, "route": route, "provider": provider, "model": model, "status": status, "error_class": error_class,
        "tag": tag, "trace": trace, "min_cost": min_cost, "min_duration_ms": min_duration_ms, "search": search,
    }  # fmt: skip
    if follow:
        _follow(data, chosen)
        return
    found = client.get(data, "/api/v1/calls", limit=limit, **chosen)
    if json:
        show.document(found)
        return
    show.table(_COLUMNS, (_row(call) for call in found["calls"]), right=_RIGHT)
    if found["next_before"]:
        show.note(f"there are more; --limit shows up to 1000, --since and --until choose a window (shown: {limit})")


def _follow(data: Any, chosen: dict[str, Any]) -> None:
    for call in _arriving(data, chosen):
        show.line("\t".join(show.plain(cell) for cell in _row(call)))


def _arriving(data: Any, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        found = client.get(data, "/api/v1/calls/follow", after=after, **chosen)
        yield from found["calls"]
        after = found["after"]
        if not found["calls"]:
            time.sleep(POLL_S)


def _row(call: dict[str, Any]) -> tuple[str, ...]:
    error = call["error"]
    usage, cost, timing = call["usage"], call["cost"], call["timing"]
    model = f"{call['provider']}/{call['model']}" if call["provider"] else call["requested_model"]
    return (
        call["started_at"][:19].replace("T", " "),
        call["id"],
        f"{call['status']} {error['class']}" if error else call["status"],
        call["feature"],
        call["tenant"],
        model,
        _count(usage["input_tokens"]),
        _count(usage["output_tokens"]),
        _amount(cost),
        f"{timing['duration_ms']:.0f}",
        "" if timing["first_token_ms"] is None else f"{timing['first_token_ms']:.0f}",
        call["input_preview"],
    )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _amount(cost: dict[str, Any]) -> str:
    """The amount with its status, unless it was measured."""
    if cost["amount_usd"] is None:
        return str(cost["status"])
    return str(cost["amount_usd"]) if cost["status"] == "measured" else f"{cost['amount_usd']} {cost['status']}"
