"""How the ledger's accounts stand, for people: read within one transaction, which changes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from watchkeeper.money.budgets import Budget
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.money.windows import NEVER_S
from watchkeeper.store.ledger_accounts import chunks, stored
from watchkeeper.store.tables import ledger_accounts, ledger_leases, ledger_rows, ledger_rules, ledger_sums


async def budgets(connection: AsyncConnection, *, gone_too: bool = False) -> dict[str, Budget]:
    """Return the budgets that were last in force, by id."""
    chosen = select(ledger_rules.c.id, ledger_rules.c.rule)
    if not gone_too:
        chosen = chosen.where(ledger_rules.c.is_current)
    return {row.id: msgspec.msgpack.decode(row.rule, type=Budget) for row in await connection.execute(chosen)}


async def states(
    connection: AsyncConnection, rules: Mapping[str, Budget], now_s: int, *, top: int | None = None
) -> list[AccountState]:
    """Return how the accounts of these budgets stand, by share of their limit, the fullest first.

    Args:
        connection: In a transaction.
        rules: By id.
        now_s: Unix time.
        top: So many of each budget at most, those that have settled most first; without it, all.
    """
    found: list[AccountState] = []
    for rule in rules.values():
        sums = await _sums(connection, rule, now_s, top)
        chosen = select(ledger_accounts).where(ledger_accounts.c.rule == rule.id)
        if top is None:
            rows = list(await connection.execute(chosen))
        else:
            rows = list(await connection.execute(chosen.where(ledger_accounts.c.key.in_(list(sums)))))
            others = chosen.where(ledger_accounts.c.key.not_in(list(sums))).order_by(ledger_accounts.c.key)
            rows += (await connection.execute(others.limit(top - len(rows)))).all()
        keys = [row.key for row in rows]
        leases, expired = await _leases(connection, keys), await _expired(connection, keys)
        found += [
            _state(row, rule, now_s, sums.get(row.key, 0), leases.get(row.key, 0), expired.get(row.key, 0))
            for row in rows
        ]
    return sorted(found, key=lambda state: (-_share(state), state.key))


async def state(connection: AsyncConnection, key: str, rules: Mapping[str, Budget], now_s: int) -> AccountState | None:
    """Return how one account stands; None when there is none, or nobody knows its budget."""
    chosen = select(ledger_accounts).where(ledger_accounts.c.key == stored(key))
    row = (await connection.execute(chosen)).first()
    if row is None or row.rule not in rules:
        return None
    rule = rules[row.rule]
    counted = ledger_sums.c.bucket_s >= rule.window.at(now_s).counted_from_s
    total = select(func.sum(ledger_sums.c.amount)).where(ledger_sums.c.account == row.key, counted)
    settled = int((await connection.execute(total)).scalar() or 0)
    leases, expired = await _leases(connection, [row.key]), await _expired(connection, [row.key])
    return _state(row, rule, now_s, settled, leases.get(row.key, 0), expired.get(row.key, 0))


async def all_sums(connection: AsyncConnection) -> dict[str, int]:
    """Return all that was ever settled, by account."""
    chosen = select(ledger_sums.c.account, func.sum(ledger_sums.c.amount)).group_by(ledger_sums.c.account)
    return {key: int(amount) for key, amount in await connection.execute(chosen)}


async def row_sums(connection: AsyncConnection) -> dict[str, int]:
    """Return what rows of the ledger's own have settled, by account."""
    chosen = select(ledger_rows.c.account, func.sum(ledger_rows.c.settled))
    chosen = chosen.where(ledger_rows.c.settled.is_not(None)).group_by(ledger_rows.c.account)
    return {key: int(amount) for key, amount in await connection.execute(chosen)}


async def open_counts(connection: AsyncConnection) -> dict[str, int]:
    """Count accounts, open leases and open rows."""
    leases = select(func.count()).select_from(ledger_leases).where(ledger_leases.c.amount > 0)
    rows = select(func.count()).select_from(ledger_rows).where(ledger_rows.c.state == "open")
    return {
        "leases": int((await connection.execute(leases)).scalar_one()),
        "unresolved_holds": int((await connection.execute(rows)).scalar_one()),
    }


async def _sums(connection: AsyncConnection, rule: Budget, now_s: int, top: int | None) -> dict[str, int]:
    total = func.sum(ledger_sums.c.amount)
    chosen = (
        select(ledger_sums.c.account, total)
        .join(ledger_accounts, ledger_accounts.c.key == ledger_sums.c.account)
        .where(ledger_accounts.c.rule == rule.id, ledger_sums.c.bucket_s >= rule.window.at(now_s).counted_from_s)
        .group_by(ledger_sums.c.account)
    )
    if top is not None:
        chosen = chosen.order_by(total.desc(), ledger_sums.c.account).limit(top)
    return {key: int(amount) for key, amount in await connection.execute(chosen)}


async def _leases(connection: AsyncConnection, keys: list[str]) -> dict[str, int]:
    total = select(ledger_leases.c.account, func.sum(ledger_leases.c.amount)).group_by(ledger_leases.c.account)
    return await _by_account(connection, total, ledger_leases.c.account, keys)


async def _expired(connection: AsyncConnection, keys: list[str]) -> dict[str, int]:
    total = select(ledger_rows.c.account, func.sum(ledger_rows.c.amount)).group_by(ledger_rows.c.account)
    return await _by_account(connection, total.where(ledger_rows.c.state == "open"), ledger_rows.c.account, keys)


async def _by_account(connection: AsyncConnection, total: Any, account: Any, keys: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunks(keys):
        found |= {key: int(amount) for key, amount in await connection.execute(total.where(account.in_(part)))}
    return found


def _state(row: Row[Any], rule: Budget, now_s: int, settled: int, leased: int, expired: int) -> AccountState:
    span = rule.window.at(now_s)
    is_endless = span.until_s >= NEVER_S
    values = row.key.removeprefix(rule.id).split("|")[1:]
    return AccountState(
        key=row.key,
        budget=rule.id,
        scope={kind: unquote(value) for (kind, _), value in zip(rule.scope, values, strict=False)},
        unit=rule.unit,
        mode=rule.mode,
        limit=rule.limit,
        settled=settled,
        leased=leased,
        window_start=None if is_endless else datetime.fromtimestamp(span.counted_from_s, UTC),
        window_end=None if is_endless else datetime.fromtimestamp(span.until_s, UTC),
        expired=expired,
        refused=row.refused,
        would_refuse=row.would_refuse,
        unpriced_calls=row.unpriced_calls,
    )


def _share(state: AccountState) -> float:
    return state.settled / state.limit if state.limit > 0 else float(state.settled > 0)
