"""`watchkeeper cost why`: how the cost of one call comes about, and who it was charged to."""

from collections.abc import Iterator
from typing import Any

from watchkeeper.cli import client, show
from watchkeeper.cli.call import document_of
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json

_LABEL = 12
_NOTES = {
    "would_refuse": "would have been refused by {}, which is in shadow",
    "degraded": "was sent to a cheaper tier by {}",
    "unsure": "went on without {}, which could not be asked",
}


def why(call_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Say what a call cost and why: attempts, units, rates, the price row, hold and charges."""
    call = document_of(call_id, data)
    booked = client.get(data, f"/api/v1/calls/{client.part(call_id)}/charges")
    if json:
        known = {name: call[name] for name in ("id", "started_at", "feature", "tenant", "usage", "cost", "attempts")}
        show.document(known | booked)
        return
    show.heading(f"What call {call['id']} cost")
    for lines in (_whole(call), _attempts(call), _charges(booked), _corrections(booked)):
        for text in lines:
            show.line(show.plain_lines(text))


def _whole(call: dict[str, Any]) -> Iterator[str]:
    cost = call["cost"]
    yield _fact("cost", _dollars(cost["amount_usd"], cost["status"]))
    if cost["source"]:
        since = f", valid from {cost['valid_from'][:10]}" if cost["valid_from"] else ""
        yield _fact("prices", f"{cost['source']}{since}")
    if call["served_from"] in ("cache", "stale_cache"):
        yield _fact("", "the answer came from the cache, so no upstream was paid")


def _attempts(call: dict[str, Any]) -> Iterator[str]:
    for attempt in call["attempts"]:
        cost = attempt["cost"]
        yield ""
        yield (
            f"attempt {attempt['number']}, {attempt['provider']}/{attempt['model']}: "
            f"{_dollars(cost['amount_usd'], cost['status'])}"
        )
        lines = [line for line in call["cost"]["lines"] if line["attempt"] in (attempt["number"], None)]
        for line in lines:
            yield (
                f"  {line['bucket']:<18}{line['units']:>12,}  x  ${line['usd_per_million']} a million  =  "
                f"${line['amount_usd']}"
            )
        if not lines:
            yield f"  {_why_no_lines(attempt)}"


def _why_no_lines(attempt: dict[str, Any]) -> str:
    if attempt["cost"]["status"] == "unpriced":
        return "nobody knows the price of this model: see `watchkeeper prices show`"
    return "nothing was used" if attempt["error_class"] else "it is free"


def _charges(booked: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield "Charged to" if booked["charges"] else "Charged to no budget"
    for charge in booked["charges"]:
        held = f", {_amount(charge['held'], charge['unit'])} held" if charge["held"] != "0" else ", nothing held"
        amount = "an unknown amount" if charge["amount"] is None else _amount(charge["amount"], charge["unit"])
        yield f"  {charge['account']}: {amount}{held}"
    for note in booked["notes"]:
        kind, _, budget = note.partition(" ")
        yield f"  the call {_NOTES.get(kind, kind + ' {}').format(budget)}"


def _corrections(booked: dict[str, Any]) -> Iterator[str]:
    if booked["corrections"]:
        yield ""
        yield "Corrected since"
    for one in booked["corrections"]:
        old = "unpriced" if one["old_usd"] is None else f"${one['old_usd']}"
        when = one["recorded_at"][:16].replace("T", " ")
        yield f"  {when}: {old} -> ${one['new_usd']}, {one['reason']} ({one['actor']})"


def _dollars(amount: str | None, status: str) -> str:
    return status if amount is None else f"${amount} ({status})"


def _amount(amount: str, unit: str) -> str:
    return f"${amount}" if unit == "usd" else f"{amount} {unit}"


def _fact(label: str, value: str) -> str:
    return f"  {label:<{_LABEL}}{value}"
