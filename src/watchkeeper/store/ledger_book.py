"""The ledger as people use it: how accounts stand, what to resolve, what is booked by hand, whether it adds up."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.money.budgets import Budget
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store import ledger_accounts as accounts
from watchkeeper.store import ledger_reading as reading
from watchkeeper.store import ledger_rows, moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.ledger_accounts import Opened, stored
from watchkeeper.store.ledger_rows import AccountUnknown, LedgerRow, RowClosed, RowState

UNKNOWN_BUCKET_S = 3_600
"""What belongs to a rule that was never seen here is kept by the hour: windows count whole hours, so none loses it."""


class LedgerBook:
    """Answers questions about the ledger, and books what people decide; it needs no keeper."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._clock = clock

    async def resolve(self, row_id: int, amount: int, *, actor: str, reason: str = "") -> LedgerRow:
        """Book for an expired hold what its call used, 0 for nothing, and make the rest available.

        Raises:
            RowUnknown, RowClosed: nothing was booked.
        """
        async with self._engine.begin() as connection:
            row = await ledger_rows.find(connection, row_id)
            rules = await reading.budgets(connection, gone_too=True)
            await accounts.lock(connection, {row.account: opened_for(row.account, rules)}, known=set())
            row = await ledger_rows.find(connection, row_id, locks=True)
            if row.state != "open":
                raise RowClosed(f"The hold {row_id} was resolved before ({row.state}); nothing was booked.")
            budget = budget_of(row.account, rules)
            await accounts.add_to_sums(connection, {(row.account, bucket_s(budget, int(row.at.timestamp()))): amount})
            state: RowState = "settled" if amount else "released"
            now = moments.now(self._clock)
            closed = await ledger_rows.close(connection, row, amount, state=state, actor=actor, reason=reason, now=now)
            detail = {"account": row.account, "call": row.call_id, "reason": reason} | changed(
                {"state": row.state, "held": row.amount, "settled": None},
                {"state": state, "held": 0, "settled": amount},
            )
            await note(connection, self._clock, "budget", f"resolved hold {row_id}", actor=actor, detail=detail)
        return closed

    async def adjust(self, key: str, amount: int, *, actor: str, reason: str) -> LedgerRow:
        """Book an amount on an account in its present window; a negative one is a top-up.

        Raises:
            AccountUnknown: no budget has such an account; nothing was booked.
        """
        async with self._engine.begin() as connection:
            rules = await reading.budgets(connection)
            budget = budget_of(key, rules)
            if budget is None:
                raise AccountUnknown(
                    f"No budget has an account {key[:200]!r}; nothing was booked. "
                    "`watchkeeper budgets --json` lists the keys of those there are."
                )
            await accounts.lock(connection, {stored(key): Opened(budget.id, budget.unit)}, known=set())
            before = await reading.state(connection, key, rules, self._now_s())
            await accounts.add_to_sums(connection, {(stored(key), bucket_s(budget, self._now_s())): amount})
            now = moments.now(self._clock)
            row = await ledger_rows.adjust(connection, stored(key), amount, actor=actor, reason=reason, now=now)
            settled = before.settled if before is not None else 0
            detail = {"account": key, "amount": amount, "reason": reason} | changed(
                {"settled": settled}, {"settled": settled + amount}
            )
            await note(connection, self._clock, "budget", f"adjusted {key}", actor=actor, detail=detail)
        return row

    async def states(self, *, top: int | None = None) -> list[AccountState]:
        """Return how accounts stand, by share of their limit, the fullest first.

        Args:
            top: Of each budget so many at most; without it, all.
        """
        async with self._engine.connect() as connection:
            return await reading.states(connection, await reading.budgets(connection), self._now_s(), top=top)

    async def fullest(self, *, most: int, only: Sequence[str] = (), containing: str = "") -> list[AccountState]:
        """Return the accounts that have used most of their limit, the fullest first, at most so many in all.

        Args:
            most: So many.
            only: Ids of budgets; none for all in force.
            containing: Only accounts whose key has this in it.
        """
        async with self._engine.connect() as connection:
            rules = await reading.budgets(connection)
            chosen = {name: rule for name, rule in rules.items() if not only or name in only}
            return await reading.fullest(connection, chosen, self._now_s(), most=most, containing=containing)

    async def account_counts(self) -> dict[str, int]:
        """Count the accounts of each budget, by its id."""
        async with self._engine.connect() as connection:
            return await reading.account_counts(connection)

    async def state(self, key: str) -> AccountState | None:
        """Return how an account stands, also one whose budget is gone; None when there is none."""
        async with self._engine.connect() as connection:
            rules = await reading.budgets(connection, gone_too=True)
            return await reading.state(connection, key, rules, self._now_s())

    async def budgets(self, *, gone_too: bool = False) -> list[Budget]:
        """List the budgets in force, or those that were when the keeper last ran; if asked, all that ever were."""
        async with self._engine.connect() as connection:
            return list((await reading.budgets(connection, gone_too=gone_too)).values())

    async def rows(self, *, only_open: bool = True, account: str = "") -> list[LedgerRow]:
        """List holds that nobody has resolved, the newest first; or all rows."""
        async with self._engine.connect() as connection:
            return await ledger_rows.listed(connection, only_open=only_open, account=account)

    async def counts(self) -> dict[str, int]:
        """Count `leases` that are open and `unresolved_holds`."""
        async with self._engine.connect() as connection:
            return await reading.open_counts(connection)

    async def verify(self, charged: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Compare what is settled with what there is a record of.

        Args:
            charged: The sum of the charges of all stored calls, by account.

        Returns:
            By account where they differ: what is settled, and what the charges and the ledger's own rows amount to.
        """
        recorded = Counter({stored(key): amount for key, amount in charged.items()})
        async with self._engine.connect() as connection:
            settled = await reading.all_sums(connection)
            for key, amount in (await reading.row_sums(connection)).items():
                recorded[key] += amount
        keys = sorted(settled.keys() | recorded.keys())
        return {key: (settled.get(key, 0), recorded[key]) for key in keys if settled.get(key, 0) != recorded[key]}

    def _now_s(self) -> int:
        return self._clock.unix_ns() // 1_000_000_000


def budget_of(key: str, budgets: Mapping[str, Budget]) -> Budget | None:
    """Find the budget of an account: its key begins with the budget's id, and the longest one that does is meant."""
    name = key
    while name:
        if (budget := budgets.get(name)) is not None:
            return budget
        name = name.rpartition("|")[0]
    return None


def bucket_s(budget: Budget | None, at_s: int) -> int:
    """Return the start of the bucket that takes what is spent at a Unix time."""
    return budget.window.at(at_s).bucket_s if budget is not None else at_s - at_s % UNKNOWN_BUCKET_S


def opened_for(key: str, budgets: Mapping[str, Budget]) -> Opened:
    """Return what an account is made with; one whose budget nobody knows is taken to be of money."""
    budget = budget_of(key, budgets)
    return Opened(budget.id, budget.unit) if budget is not None else Opened(key.partition("|")[0], "nusd")
