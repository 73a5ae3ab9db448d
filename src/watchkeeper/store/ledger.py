"""The ledger of budgets: what was settled, what is leased to which worker, and what died in a worker's hands.

An account is one holder of one budget. Of it there is left: its limit, less what its present window has settled, less
what is leased, less the holds of dead workers that nobody has resolved. Every method is one transaction, in which the
accounts it touches are locked first, in the order of their keys: two keepers on one PostgreSQL do not lease the same
amount twice. SQLite excludes every other writer for as long as the transaction runs.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.budgets import Budget, account_key
from watchkeeper.money.excess import Excess
from watchkeeper.money.granting import Decision, Standing, decide
from watchkeeper.money.leases import Held, Want
from watchkeeper.store import ledger_accounts as accounts
from watchkeeper.store import ledger_rows, moments, tables
from watchkeeper.store.ledger_accounts import Opened, stored
from watchkeeper.store.ledger_book import LedgerBook, bucket_s, budget_of, opened_for
from watchkeeper.store.tables import (
    ledger_accounts,
    ledger_leases,
    ledger_lives,
    ledger_positions,
    ledger_rules,
)

KNOWN_MAX = 200_000
"""Accounts remembered as existing; with one more all are forgotten, which costs a statement for each."""

_log = logging.getLogger("watchkeeper.ledger")


class Life(NamedTuple):
    """A worker's process. The same worker, started again, is another life."""

    holder: str
    """The host's id, `/`, and the name from `Hello`: unique among all hosts."""
    host: str
    worker: str
    pid: int
    """0 where the system does not tell."""
    born: str
    """What tells it from a later process of that number."""


class Question(NamedTuple):
    """What a holder asks for."""

    holder: str
    wants: tuple[Want, ...]
    is_last: bool = True
    """False where a refusal is only a reason to ask others for what they do not need."""


class Place(NamedTuple):
    """How far a spool has been read."""

    segment: str
    records: int


class SettledCharge(NamedTuple):
    """What a finished call takes from one account."""

    records: int
    """Place in the segment: how many records stand up to the end of the frame that the call is in."""
    call_id: str
    at_s: int
    """Unix time at which it was set aside: it belongs to that window. The call may have begun hours before."""
    ended_ns: int
    holder: str
    key: str
    rule: str
    unit: BudgetUnit
    drawn: int
    amount: int | None
    """None where nobody knows the price: it is counted as 0, and as an unpriced call."""
    would_refuse: bool = False


class Ledger(LedgerBook):
    """Grants leases and books what was used."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        super().__init__(engine, clock)
        self._known: set[str] = set()
        self._budgets: dict[str, Budget] = {}
        self._excesses: dict[str, Excess] = {}

    async def know(self, budgets: Iterable[Budget]) -> frozenset[str]:
        """Go by these budgets from now on; return the ids of those whose limit was higher before.

        One that is gone is remembered, so that what was spent while it held is still counted in its window.
        """
        now = {budget.id: budget for budget in budgets}
        async with self._engine.begin() as connection:
            known = {row.id: row for row in await connection.execute(select(ledger_rules))}
            before = {name: msgspec.msgpack.decode(row.rule, type=Budget) for name, row in known.items()}
            writing = accounts.insert(connection, ledger_rules)
            writing = writing.on_conflict_do_update(
                index_elements=[ledger_rules.c.id],
                set_={"rule": writing.excluded.rule, "is_current": writing.excluded.is_current},
            )
            rows = [
                {"id": name, "rule": msgspec.msgpack.encode(budget), "is_current": True}
                for name, budget in sorted(now.items())
                if before.get(name) != budget or not known[name].is_current
            ]
            if rows:
                await connection.execute(writing, rows)
            gone = [name for name, row in known.items() if row.is_current and name not in now]
            for name in gone:
                await connection.execute(update(ledger_rules).where(ledger_rules.c.id == name).values(is_current=False))
        self._budgets = before | now
        return frozenset(name for name in now if name in before and before[name].limit > now[name].limit)

    async def greet(self, life: Life, leased: Mapping[str, int]) -> None:
        """Note that a life has begun, or is still there after a restart of the keeper.

        What the database says of its leases stays true, until `take_back_lost`; only for a life that it does not know,
        what that says itself.
        """
        said = {stored(key): amount for key, amount in leased.items() if amount > 0 and self.budget_of(key)}
        opened = {stored(key): self._opened(key) for key in leased if stored(key) in said}
        # From here on it is noted what is booked: it may be while the leases are read.
        excess = self._excesses[life.holder] = Excess(self._clock.unix_ns())
        async with self._engine.begin() as connection:
            await accounts.lock(connection, opened, known=self._known)
            adding = accounts.insert(connection, ledger_lives).on_conflict_do_nothing().values(**life._asdict())
            is_new = (await connection.execute(adding.returning(ledger_lives.c.holder))).first() is not None
            held = select(ledger_leases.c.account, ledger_leases.c.amount).where(ledger_leases.c.holder == life.holder)
            table = {row.account: int(row.amount) for row in await connection.execute(held)}
            if is_new and not table:
                await accounts.add_to_leases(connection, {(key, life.holder): said[key] for key in said})
                table = said
        excess.compare(table, said)
        if excess.beyond:
            _log.info("%s holds less than was leased to it: %s", life.holder, excess.beyond)
        more = {key: amount for key, amount in said.items() if amount > table.get(key, 0)}
        if more:
            _log.warning("%s holds more than was leased to it, which is not believed: %s", life.holder, more)

    async def take_back_lost(self, holder: str, *, taken_in_ns: int) -> dict[str, int]:
        """Take back what the table has too much for a holder since its line broke, once that is certain.

        Args:
            holder: Of a life that has said Hello.
            taken_in_ns: All that was on its spool at this Unix time is booked.
        """
        excess = self._excesses.get(holder)
        if excess is None or not excess.is_settled(taken_in_ns):
            return {}
        lost = excess.lost
        if lost:
            async with self._engine.begin() as connection:
                await accounts.lock(connection, {key: self._opened(key) for key in lost}, known=self._known)
                await accounts.take_from_leases(connection, {(key, holder): amount for key, amount in lost.items()})
            _log.warning("what was lost on the line to %s is available again: %s", holder, lost)
        if self._excesses.get(holder) is excess:
            del self._excesses[holder]
        return lost

    async def serve(
        self,
        questions: Sequence[Question],
        *,
        gives: Mapping[tuple[str, str], int] | None = None,
        workers: int = 1,
        beside: Mapping[str, Standing] | None = None,
    ) -> list[Decision]:
        """Take back what is given, then decide questions in their order, each whole or not at all, in one transaction.

        Args:
            questions: Each decision sees what those before it have granted.
            gives: Amounts by key and holder.
            workers: How many share what is left.
            beside: Accounts that are not in the database, such as rates; they hold the grants afterwards.
        """
        beside = beside or {}
        wanted = [[(account_key(want.rule, want.values), want) for want in question.wants] for question in questions]
        budgets = {
            key: budget
            for wants in wanted
            for key, want in wants
            if key not in beside and (budget := self._budgets.get(want.rule)) is not None
        }
        # Of a rate that was forgotten in a restart nothing is leased here.
        given = {
            (stored(key), holder): amount
            for (key, holder), amount in (gives or {}).items()
            if amount > 0 and self.budget_of(key) is not None
        }
        if not budgets and not given:
            return [decide(wants, beside, workers=workers) for wants in wanted]
        opened = {stored(key): Opened(budget.id, budget.unit) for key, budget in budgets.items()}
        opened |= {key: self._opened(key) for key, _ in given if key not in opened}
        async with self._engine.begin() as connection:
            await accounts.lock(connection, opened, known=self._known)
            await accounts.take_from_leases(connection, given)
            known = await accounts.standings(connection, budgets, self._now_s())
            decisions = [decide(wants, {**known, **beside}, workers=workers) for wants in wanted]
            granted: Counter[tuple[str, str]] = Counter()
            refused: Counter[str] = Counter()
            for question, decision in zip(questions, decisions, strict=True):
                if not decision.is_granted and question.is_last:
                    refused.update([stored(account.key) for account in decision.accounts])
                for account in decision.accounts:
                    if account.granted and account.key not in beside:
                        granted[stored(account.key), question.holder] += account.granted
            await accounts.add_to_leases(connection, granted)
            await accounts.count(connection, "refused", refused)
        self._remember(opened)
        return decisions

    async def settle(self, spool: str, place: Place, charges: Sequence[SettledCharge]) -> int:
        """Book what calls have used, each once: what stands before the place noted for the spool has been booked.

        Args:
            spool: A worker's, with its host.
            place: Behind the last of the charges.
            charges: In the order of the spool.

        Returns:
            How many charges were new.
        """
        async with self._engine.begin() as connection:
            done = await self._done(connection, spool, place.segment)
            new = [charge for charge in charges if charge.records > done]
            opened = {stored(charge.key): Opened(charge.rule, charge.unit) for charge in new}
            await accounts.lock(connection, opened, known=self._known)
            sums: Counter[tuple[str, int]] = Counter()
            drawn: Counter[tuple[str, str]] = Counter()
            for charge in new:
                key = stored(charge.key)
                sums[key, bucket_s(self._budgets.get(charge.rule), charge.at_s)] += charge.amount or 0
                drawn[key, charge.holder] += charge.drawn
            await accounts.add_to_sums(connection, sums)
            await accounts.take_from_leases(connection, {at: amount for at, amount in drawn.items() if amount > 0})
            unpriced = Counter(stored(charge.key) for charge in new if charge.amount is None)
            await accounts.count(connection, "unpriced_calls", unpriced)
            shadowed = Counter(stored(charge.key) for charge in new if charge.would_refuse)
            await accounts.count(connection, "would_refuse", shadowed)
            await self._close_late(connection, new)
            moved = {"segment": place.segment, "records": max(place.records, done)}
            await connection.execute(update(ledger_positions).where(ledger_positions.c.spool == spool).values(**moved))
        self._remember(opened)
        for charge in new:
            if (excess := self._excesses.get(charge.holder)) is not None:
                excess.book(stored(charge.key), charge.drawn, charge.ended_ns)
        return len(new)

    async def lives(self, host: str) -> list[Life]:
        """List the lives of a host's workers that have not ended."""
        chosen = select(ledger_lives).where(ledger_lives.c.host == host).order_by(ledger_lives.c.holder)
        async with self._engine.connect() as connection:
            return [Life(*row) for row in await connection.execute(chosen)]

    async def end(self, holder: str, holds: Sequence[Held]) -> int:
        """End a life: its holds become rows that somebody must resolve, and the rest of its leases is free again.

        Args:
            holder: Everything on its spool has been booked.
            holds: Those whose calls were never recorded.

        Returns:
            How many rows that is, those included that were written before.
        """
        opened = {stored(key): self._opened(key) for hold in holds for key, _ in hold.accounts}
        async with self._engine.begin() as connection:
            await accounts.lock(connection, opened, known=self._known)
            count = await ledger_rows.expire(connection, holds, moments.now(self._clock))
            await connection.execute(delete(ledger_leases).where(ledger_leases.c.holder == holder))
            await connection.execute(delete(ledger_lives).where(ledger_lives.c.holder == holder))
        self._excesses.pop(holder, None)
        return count

    async def fold(self) -> int:
        """Put together what rolling windows have long left behind; return for how many accounts, of many only a part.

        Without it each account of a window of an hour would gain 1,440 rows a day.
        """
        count = 0
        for budget in self._budgets.values():
            if budget.window.kind == "rolling":
                before_s = budget.window.at(self._now_s()).counted_from_s - budget.window.length_s
                async with self._engine.begin() as connection:
                    count += await accounts.fold(connection, budget.id, before_s=before_s)
        return count

    async def lessees(self, keys: Iterable[str]) -> dict[str, set[str]]:
        """Return who holds a lease of which of these accounts: keys by holder."""
        by_stored = {stored(key): key for key in keys}
        found: dict[str, set[str]] = {}
        chosen = select(ledger_leases.c.account, ledger_leases.c.holder)
        chosen = chosen.where(ledger_leases.c.account.in_(by_stored), ledger_leases.c.amount > 0)
        async with self._engine.connect() as connection:
            for row in await connection.execute(chosen):
                found.setdefault(row.holder, set()).add(by_stored[row.account])
        return found

    async def leased_of(self, rules: Iterable[str]) -> dict[str, set[str]]:
        """Return who holds leases of these budgets: keys by holder."""
        chosen = (
            select(ledger_leases.c.account, ledger_leases.c.holder)
            .join(ledger_accounts, ledger_accounts.c.key == ledger_leases.c.account)
            .where(ledger_accounts.c.rule.in_(sorted(rules)), ledger_leases.c.amount > 0)
        )
        found: dict[str, set[str]] = {}
        async with self._engine.connect() as connection:
            for row in await connection.execute(chosen):
                found.setdefault(row.holder, set()).add(row.account)
        return found

    def budget_of(self, key: str) -> Budget | None:
        """Find the budget that an account belongs to."""
        return budget_of(key, self._budgets)

    def _opened(self, key: str) -> Opened:
        return opened_for(key, self._budgets)

    async def _done(self, connection: AsyncConnection, spool: str, segment: str) -> int:
        """Return how many records of the segment are booked; nobody else books of this spool until the end."""
        adding = accounts.insert(connection, ledger_positions)
        empty = {"spool": spool, "segment": segment, "records": 0}
        await connection.execute(adding.on_conflict_do_nothing().values(**empty))
        chosen = select(ledger_positions).where(ledger_positions.c.spool == spool).with_for_update()
        row = (await connection.execute(chosen)).one()
        return int(row.records) if row.segment == segment else 0

    async def _close_late(self, connection: AsyncConnection, charges: Sequence[SettledCharge]) -> None:
        """A hold that was given up as its worker's death left it, and whose call turns up after all, is settled."""
        rows = tables.ledger_rows
        if (await connection.execute(select(rows.c.id).where(rows.c.state == "open").limit(1))).first():
            ids = sorted({charge.call_id for charge in charges})
            for part in accounts.chunks(ids):
                late = update(rows).where(rows.c.state == "open", rows.c.call_id.in_(part))
                now = moments.now(self._clock)
                values = {"state": "released", "settled": 0, "closed_at": now, "reason": "its record came later"}
                await connection.execute(late.values(**values))

    def _remember(self, opened: Iterable[str]) -> None:
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known.update(opened)
