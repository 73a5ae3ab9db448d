"""`watchkeeper calls`: the list of calls."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

POLL_S = 0.5
LIMIT_DEFAULT = 50
LIMIT_MAX = 1_000

_COLUMNS = (
    Column("time (UTC)"),
    Column("id"),
    Column("status", is_state=True),
    Column("feature", leaves=5),
    Column("tenant", leaves=1),
    Column("model", leaves=6, shrinks_to=18),
    Column("in", is_right=True, leaves=3),
    Column("out", is_right=True, leaves=4),
    Column("cost $", is_right=True),
    Column("ms", is_right=True),
    Column("first ms", is_right=True, leaves=2),
    Column("question", leaves=7, shrinks_to=20),
)
_USUAL = (19, 26, 10, 12, 10, 24, 6, 6, 11, 6, 8, 80)
"""How wide each column is while nobody knows what will arrive."""


def calls(
    *,
    since: Annotated[str, Parameter(help="Span back from now (15m, 1h, 7d) or a time (2026-11-03T14:05).")] = "",
    until: Annotated[str, Parameter(help="As --since; the end is not included.")] = "",
    feature: str = "",
    tenant: str = "",
    subject: Annotated[str, Parameter(help="A pseudonym, or a person as the client named them with --tenant.")] = "",
    session: str = "",
    key: Annotated[str, Parameter(help="Public part of a key.")] = "",
    environment: str = "",
    release: Annotated[str, Parameter(help="The whole id of a release.")] = "",
    rollout: Annotated[str, Parameter(help="Id of the rollout that chose the release.")] = "",
    origin: Annotated[str, Parameter(help="client, shadow or replay.")] = "",
    output_status: Annotated[str, Parameter(help="ok, repaired or failed: the answer against its schema.")] = "",
    route: str = "",
    provider: str = "",
    model: Annotated[str, Parameter(help="As sent upstream.")] = "",
    status: Annotated[str, Parameter(help="ok, error or cancelled.")] = "",
    error_class: Annotated[str, Parameter(help="Such as timeout or rate_limit.")] = "",
    tag: str = "",
    trace: Annotated[str, Parameter(help="Trace id, 32 hex digits.")] = "",
    served_from: Annotated[str, Parameter(help="upstream, cache, stale_cache or set_answer.")] = "",
    fault: Annotated[str, Parameter(help="Id of an injected fault.")] = "",
    document: Annotated[str, Parameter(help="A document that was found for it.")] = "",
    min_cost: Annotated[str, Parameter(help="US dollars.")] = "",
    min_duration_ms: float | None = None,
    search: Annotated[str, Parameter(help="Words of the question or the answer; all must occur.")] = "",
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=LIMIT_MAX))] = LIMIT_DEFAULT,
    follow: Annotated[bool, Parameter(negative="", help="Show the calls that arrive from now on.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List calls, the newest first. Into a pipe, tab-separated and without a header."""
    chosen = {
        "since": since, "until": until, "feature": feature, "tenant": tenant, "subject": subject, "session": session,
        "key": key, "environment": environment, "release": release, "rollout": rollout, "origin": origin,
        "output_status": output_status, "route": route, "provider": provider, "model": model, "status": status,
        "error_class": error_class, "tag": tag, "trace": trace,
        "served_from": served_from, "fault": fault, "document": document, "min_cost": min_cost,
        "min_duration_ms": min_duration_ms, "search": search,
    }  # fmt: skip
    if follow:
        if json:
            raise CommandFailed(
                "--json prints one document and --follow has no end. Choose one.", exit_code=WRONG_USAGE
            )
        for call in _arriving(data, chosen):
            show.row(_COLUMNS, _row(call), _USUAL)
        return
    found = client.get(data, "/api/v1/calls", limit=limit, **chosen)
    if json:
        show.document(found)
        return
    show.table(_COLUMNS, [_row(call) for call in found["calls"]])
    if found["next_before"]:
        show.note(f"these are the newest {limit}; --limit shows up to {LIMIT_MAX}, --until shows earlier ones")


def _arriving(data: Path, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        found = client.get_from_keeper(data, "/api/v1/calls/follow", after=after, **chosen)
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
