"""Accounts within one transaction of the ledger: they are locked in the order of their keys before anything is read."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Table, bindparam, case, cast, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.budgets import Budget
from watchkeeper.money.granting import Standing
from watchkeeper.store.tables import ledger_accounts, ledger_leases, ledger_rows, ledger_sums

KEY_CHARS_MAX = 1_000
"""Of an account's key in the database: PostgreSQL's indexes take no more than about 2,700 bytes."""
GONE_BUCKET_S = 0
"""Start of the bucket that takes what a rolling window has left behind; only windows of all time count it."""
CHUNK = 5_000
"""Keys in one statement; SQLite takes 32,766 values."""


class Opened(NamedTuple):
    """What an account is made with when it is first met."""

    rule: str
    unit: BudgetUnit


def stored(key: str) -> str:
    """Return the key under which an account is kept: its own, or of a very long one the beginning and a hash."""
    if len(key) <= KEY_CHARS_MAX:
        return key
    return f"{key[: KEY_CHARS_MAX - 33]}~{blake2b(key.encode(), digest_size=16).hexdigest()}"


async def lock(connection: AsyncConnection, accounts: Mapping[str, Opened], *, known: set[str]) -> None:
    """Make the accounts that are missing, and let nobody else change any of them until the transaction ends.

    Args:
        connection: In a transaction that has not read anything yet.
        accounts: By stored key.
        known: Keys that exist; those made here are not added, as the transaction may yet fail.
    """
    keys = sorted(accounts)
    if new := [key for key in keys if key not in known]:
        empty = {"refused": 0, "would_refuse": 0, "unpriced_calls": 0}
        rows = [{"key": key, "rule": accounts[key].rule, "unit": accounts[key].unit} | empty for key in new]
        await connection.execute(insert(connection, ledger_accounts).on_conflict_do_nothing(), rows)
    if connection.dialect.name != "sqlite":  # There the transaction itself excludes every other.
        for part in chunks(keys):
            chosen = select(ledger_accounts.c.key).where(ledger_accounts.c.key.in_(part))
            await connection.execute(chosen.order_by(ledger_accounts.c.key).with_for_update())


async def standings(connection: AsyncConnection, budgets: Mapping[str, Budget], now_s: int) -> dict[str, Standing]:
    """Return how accounts stand, by key; accounts that are not locked may change meanwhile.

    Args:
        connection: In a transaction.
        budgets: By the account's key.
        now_s: Unix time.
    """
    keys = {stored(key): key for key in budgets}
    found: dict[str, Standing] = {}
    counted_from: dict[str, int] = {}
    for key, budget in budgets.items():
        span = budget.window.at(now_s)
        found[key] = Standing(budget.limit, 0, 0, span.until_s)
        counted_from[key] = span.counted_from_s
    for part in chunks(list(keys)):
        oldest = min(counted_from[keys[key]] for key in part)
        sums = select(ledger_sums).where(ledger_sums.c.account.in_(part), ledger_sums.c.bucket_s >= oldest)
        for row in await connection.execute(sums):
            key = keys[row.account]
            if row.bucket_s >= counted_from[key]:
                found[key].used += row.amount
        for held in (_leased(part), _expired(part)):
            for account, amount in await connection.execute(held):
                found[keys[account]].held += int(amount)
    return found


async def add_to_sums(connection: AsyncConnection, amounts: Mapping[tuple[str, int], int]) -> None:
    """Add to sums by account and bucket."""
    rows = [{"account": key, "bucket_s": at, "amount": amount} for (key, at), amount in sorted(amounts.items())]
    await _add(connection, ledger_sums, rows)


async def add_to_leases(connection: AsyncConnection, amounts: Mapping[tuple[str, str], int]) -> None:
    """Add to leases by account and holder."""
    rows = [{"account": key, "holder": holder, "amount": amount} for (key, holder), amount in sorted(amounts.items())]
    await _add(connection, ledger_leases, rows)


async def take_from_leases(connection: AsyncConnection, amounts: Mapping[tuple[str, str], int]) -> None:
    """Take from leases by account and holder, of none more than there is."""
    rows = [
        {"the_key": key, "the_holder": holder, "taken": amount} for (key, holder), amount in sorted(amounts.items())
    ]
    if rows:
        left = ledger_leases.c.amount - cast(bindparam("taken"), BigInteger)
        change = update(ledger_leases).where(
            ledger_leases.c.account == bindparam("the_key"), ledger_leases.c.holder == bindparam("the_holder")
        )
        await connection.execute(change.values(amount=case((left > 0, left), else_=0)), rows)
        empty = delete(ledger_leases).where(
            ledger_leases.c.account == bindparam("the_key"),
            ledger_leases.c.holder == bindparam("the_holder"),
            ledger_leases.c.amount == 0,
        )
        await connection.execute(empty, [{"the_key": key, "the_holder": holder} for key, holder in amounts])


async def fold(connection: AsyncConnection, rule: str, *, before_s: int) -> int:
    """Replace the buckets of a rule's accounts before a Unix time by one, which no such window counts."""
    old = (ledger_sums.c.bucket_s > GONE_BUCKET_S, ledger_sums.c.bucket_s < before_s)
    known = select(ledger_accounts).join(ledger_sums, ledger_sums.c.account == ledger_accounts.c.key)
    rows = (await connection.execute(known.where(ledger_accounts.c.rule == rule, *old).distinct().limit(CHUNK))).all()
    keys = {row.key: Opened(row.rule, row.unit) for row in rows}
    if keys:
        await lock(connection, keys, known=set(keys))
        chosen = (ledger_sums.c.account.in_(sorted(keys)), *old)
        total = select(ledger_sums.c.account, func.sum(ledger_sums.c.amount)).where(*chosen)
        sums = (await connection.execute(total.group_by(ledger_sums.c.account))).all()
        await connection.execute(delete(ledger_sums).where(*chosen))
        await add_to_sums(connection, {(key, GONE_BUCKET_S): int(amount) for key, amount in sums})
    return len(keys)


async def count(connection: AsyncConnection, column: str, counts: Mapping[str, int]) -> None:
    """Add to a counter of accounts."""
    rows = [{"the_key": key, "more": number} for key, number in sorted(counts.items())]
    if rows:
        counter = ledger_accounts.c[column]
        change = update(ledger_accounts).where(ledger_accounts.c.key == bindparam("the_key"))
        await connection.execute(change.values({column: counter + cast(bindparam("more"), BigInteger)}), rows)


def insert(connection: AsyncConnection, into: Table) -> Any:
    """An insert that can say what is done about a row that is there; both databases have it, in the same words."""
    return postgresql.insert(into) if connection.dialect.name == "postgresql" else sqlite.insert(into)


def chunks(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    """Cut keys into parts that fit into one statement."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


async def _add(connection: AsyncConnection, to: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        adding = insert(connection, to)
        same = list(to.primary_key.columns)
        adding = adding.on_conflict_do_update(
            index_elements=same, set_={"amount": to.c.amount + adding.excluded.amount}
        )
        await connection.execute(adding, rows)


def _leased(keys: Sequence[str]) -> Any:
    leases = select(ledger_leases.c.account, func.sum(ledger_leases.c.amount))
    return leases.where(ledger_leases.c.account.in_(keys)).group_by(ledger_leases.c.account)


def _expired(keys: Sequence[str]) -> Any:
    rows = select(ledger_rows.c.account, func.sum(ledger_rows.c.amount))
    rows = rows.where(ledger_rows.c.account.in_(keys), ledger_rows.c.state == "open")
    return rows.group_by(ledger_rows.c.account)
