"""The ledger's own rows, within one of its transactions: holds that died with their worker, and what people adjust."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from watchkeeper.core.errors import CallerError
from watchkeeper.money.leases import Held
from watchkeeper.store import ledger_accounts as accounts
from watchkeeper.store import moments
from watchkeeper.store.ledger_accounts import stored
from watchkeeper.store.tables import ledger_rows

Kind = Literal["expired", "adjusted"]
RowState = Literal["open", "settled", "released"]

LISTED_MAX = 1_000


class RowUnknown(CallerError):
    """There is no such row."""

    code = "hold_not_found"
    http_status = 404


class RowClosed(CallerError):
    """The row has been resolved already."""

    code = "hold_resolved"
    http_status = 409


class AccountUnknown(CallerError):
    """There is no budget that such an account belongs to."""

    code = "account_not_found"
    http_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A hold whose call was never recorded, or an amount that somebody booked."""

    id: int
    account: str
    kind: Kind
    call_id: str
    """Of an expired hold; else empty."""
    at: datetime
    """To the window of this time it belongs."""
    amount: int
    """That was held; unavailable as long as the row is open."""
    settled: int | None
    """What was booked for it; None as long as it is open."""
    state: RowState
    noted_at: datetime
    closed_at: datetime | None
    actor: str
    """Who resolved or booked it; empty as long as it is open."""
    reason: str


async def expire(connection: AsyncConnection, holds: Sequence[Held], now: datetime) -> int:
    """Write down open holds, of each call and account one; return how many there are."""
    rows = [
        {
            "account": stored(key),
            "kind": "expired",
            "call_id": hold.call_id,
            "at": datetime.fromtimestamp(hold.at_ns / 1e9, UTC).replace(tzinfo=None),
            "amount": amount,
            "settled": None,
            "state": "open",
            "noted_at": now,
            "closed_at": None,
            "actor": "",
            "reason": "",
        }
        for hold in holds
        for key, amount in hold.accounts
        if amount > 0
    ]
    if rows:
        await connection.execute(accounts.insert(connection, ledger_rows).on_conflict_do_nothing(), rows)
    return len(rows)


async def find(connection: AsyncConnection, row_id: int, *, locks: bool = False) -> LedgerRow:
    """Return a row.

    Raises:
        RowUnknown: there is none.
    """
    chosen = select(ledger_rows).where(ledger_rows.c.id == row_id)
    found = (await connection.execute(chosen.with_for_update() if locks else chosen)).first()
    if found is None:
        raise RowUnknown(
            f"There is no hold {row_id}; nothing was booked. `watchkeeper budgets holds` lists those that are open."
        )
    return read(found)


async def close(
    connection: AsyncConnection,
    row: LedgerRow,
    settled: int,
    *,
    state: RowState,
    actor: str,
    reason: str,
    now: datetime,
) -> LedgerRow:
    """Resolve an open row and return it as it is then."""
    values: dict[str, Any] = {
        "settled": settled,
        "state": state,
        "actor": actor,
        "reason": reason,
        "closed_at": now,
    }
    await connection.execute(update(ledger_rows).where(ledger_rows.c.id == row.id).values(**values))
    return await find(connection, row.id)


async def adjust(
    connection: AsyncConnection, account: str, amount: int, *, actor: str, reason: str, now: datetime
) -> LedgerRow:
    """Write down what somebody books."""
    row = {
        "account": account,
        "kind": "adjusted",
        "call_id": "",
        "at": now,
        "amount": 0,
        "settled": amount,
        "state": "settled",
        "noted_at": now,
        "closed_at": now,
        "actor": actor,
        "reason": reason,
    }
    made = await connection.execute(accounts.insert(connection, ledger_rows).values(**row).returning(ledger_rows.c.id))
    return await find(connection, int(made.scalar_one()))


async def listed(connection: AsyncConnection, *, only_open: bool, account: str = "") -> list[LedgerRow]:
    """List rows, the newest first."""
    chosen = select(ledger_rows).order_by(ledger_rows.c.id.desc()).limit(LISTED_MAX)
    if only_open:
        chosen = chosen.where(ledger_rows.c.state == "open")
    if account:
        chosen = chosen.where(ledger_rows.c.account == stored(account))
    return [read(row) for row in await connection.execute(chosen)]


def read(row: Row[Any]) -> LedgerRow:
    """Read a row of the table."""
    return LedgerRow(
        id=row.id,
        account=row.account,
        kind=row.kind,
        call_id=row.call_id,
        at=moments.read_known(row.at),
        amount=row.amount,
        settled=row.settled,
        state=row.state,
        noted_at=moments.read_known(row.noted_at),
        closed_at=moments.read(row.closed_at),
        actor=row.actor,
        reason=row.reason,
    )
