"""How the ledger's accounts stand, for people: read within one transaction, which changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from sqlalchemy import Row, Select, and_, func, or_, select
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


async def fullest(
    connection: AsyncConnection, rules: Mapping[str, Budget], now_s: int, *, most: int, containing: str = ""
) -> list[AccountState]:
    """Return the accounts of these budgets that have used most of their limit, the fullest first.

    Budgets whose window and limit agree are asked for together, so that neither many budgets nor many accounts of one
    take long: the fullest of each such group hold the fullest of all.

    Args:
        connection: In a transaction.
        rules: By id.
        now_s: Unix time.
        most: So many in all.
        containing: Only accounts whose key has this in it, in any case.
    """
    alike: dict[tuple[int, int], list[str]] = {}
    for rule in rules.values():
        alike.setdefault((rule.window.at(now_s).counted_from_s, rule.limit), []).append(rule.id)
    found: list[tuple[float, str, Row[Any], int]] = []
    for (since_s, limit), ids in alike.items():
        for part in chunks(ids):
            rows = await connection.execute(_fullest_of(part, since_s, most, containing))
            found += [(_full(int(row.settled), limit), row.key, row, int(row.settled)) for row in rows]
    found = sorted(found, key=lambda one: (-one[0], one[1]))[:most]
    keys = [key for _, key, _, _ in found]
    leases, expired = await _leases(connection, keys), await _expired(connection, keys)
    return [
        _state(row, rules[row.rule], now_s, settled, leases.get(key, 0), expired.get(key, 0))
        for _, key, row, settled in found
    ]


async def account_counts(connection: AsyncConnection) -> dict[str, int]:
    """Count the accounts of each budget."""
    chosen = select(ledger_accounts.c.rule, func.count()).group_by(ledger_accounts.c.rule)
    return {rule: int(accounts) for rule, accounts in await connection.execute(chosen)}


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


def _fullest_of(rules: Sequence[str], since_s: int, most: int, containing: str) -> Select[Any]:
    settled = func.coalesce(func.sum(ledger_sums.c.amount), 0).label("settled")
    counted = and_(ledger_sums.c.account == ledger_accounts.c.key, ledger_sums.c.bucket_s >= since_s)
    chosen = select(*ledger_accounts.c, settled).select_from(ledger_accounts.outerjoin(ledger_sums, counted))
    chosen = chosen.where(ledger_accounts.c.rule.in_(rules))
    if containing:
        texts = {containing.lower(), quote(containing.lower(), safe=" ").lower()}
        lower = func.lower(ledger_accounts.c.key)
        chosen = chosen.where(or_(*(lower.contains(text, autoescape=True) for text in texts)))
    return chosen.group_by(*ledger_accounts.c).order_by(settled.desc(), ledger_accounts.c.key).limit(most)


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
    return _full(state.settled, state.limit)


def _full(settled: int, limit: int) -> float:
    return settled / limit if limit > 0 else float(settled > 0)
