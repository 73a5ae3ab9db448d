"""What this worker may spend: holds before a call, settles after it, and gives back what it does not need."""

from collections.abc import Iterable

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.money import BudgetUnit, Charge
from watchkeeper.gateway.account import STALE_S, Account
from watchkeeper.gateway.budgets import saying
from watchkeeper.gateway.budgets.accounts import Accounts
from watchkeeper.gateway.budgets.drawing import Drawer, Needs
from watchkeeper.gateway.budgets.guard import see_that_it_goes_on, see_that_it_is_not_huge
from watchkeeper.gateway.budgets.holdbook import HoldBook
from watchkeeper.gateway.budgets.single import most_of, see_that_it_fits
from watchkeeper.gateway.budgets.spread import share_of
from watchkeeper.gateway.budgets.teller import Ledger
from watchkeeper.gateway.budgets.worth import Appraiser
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.snapshot import Runaway, Snapshot
from watchkeeper.gateway.tab import NO_SLOT, Scopes, Tab, Worth
from watchkeeper.money.budgets import Budget, Limit, Rule
from watchkeeper.money.leases import Hello

NEED_MAX = 1 << 60
"""Of one call, whatever it asks for; far beyond any limit."""
LEAST = 1
"""Held for a call whose cost nobody knows beforehand."""


class Purse:
    """One worker's."""

    def __init__(self, clock: Clock, *, worker: str = "", holder: str = "", book: HoldBook | None = None) -> None:
        self._worker = worker
        self._holder = holder
        self._book = book
        self._now = clock.monotonic
        self._unix_ns = clock.unix_ns
        self._drawer = Drawer(clock)
        self._appraiser = Appraiser()
        self._accounts = Accounts(clock)
        self._runaway = Runaway()
        self._has_guard = False

    def draw_on(self, ledger: Ledger) -> None:
        """Take leases from this ledger from now on."""
        self._drawer.ledger = ledger

    def follow(self, snapshot: Snapshot) -> None:
        """Take on the rules of a snapshot; what is leased under rules that are gone is given back."""
        self._runaway = snapshot.runaway
        self._has_guard = snapshot.runaway != Runaway()
        rules: list[Rule] = [*snapshot.budgets, *snapshot.limits]
        self._give(self._accounts.follow(rules))

    async def admit(self, passage: Passage) -> Tab | None:
        """See whom a call counts against, that it keeps to their limits, and what budgets that run low do to it.

        Raises:
            LimitReached, Runaway, BudgetUnsure: it is refused.
            BadRequest: it says itself what it may cost, and that is no amount.
        """
        wish = most_of(passage.exchange.request.headers, passage.most_nusd)
        if self._has_guard:
            self._guard(passage)
        if not self._accounts.has_rules and wish is None:
            return None
        scopes = self._accounts.of(passage.call)
        if wish is not None:
            scopes = Scopes(scopes.budgets, scopes.counted, scopes.limits, (*scopes.single, wish), scopes.judged)
        if scopes.is_empty:
            return None
        tab = Tab(scopes, self._appraiser.output_tokens(passage))
        if scopes.limits and passage.call.origin != "shadow":  # a copy takes no client's turn
            await self._keep_to_limits(passage, tab)
        if scopes.judged:
            await self._look_at_budgets(passage.call, tab)
        return tab

    def look_again(self, passage: Passage, tab: Tab | None) -> None:
        """Go by the request that a release has made of the client's.

        Raises:
            Runaway: it is refused.
        """
        if self._has_guard:
            self._guard(passage)
        if tab is not None:
            tab.output_tokens = self._appraiser.output_tokens(passage)

    async def hold(self, passage: Passage, tab: Tab, targets: tuple[PreparedTarget, ...]) -> None:
        """Set aside what a call may need of each of its budgets.

        Args:
            targets: All that may answer it; none where nobody can tell what it will cost.

        Raises:
            BudgetExceeded, PriceUnknown, Runaway: it is refused.
            BudgetUnsure: nobody knows whether there is room.
        """
        scopes, call = tab.scopes, passage.call
        if not scopes.budgets and not scopes.single:
            return
        tab.counts = False
        worth = self._appraiser.in_money(passage, targets, tab.output_tokens)
        if worth.nusd is None:
            _see_unpriced(scopes, targets)
        if scopes.single:
            dearest = self._appraiser.dearest(passage, targets)
            worth = see_that_it_fits(passage, scopes.single, worth, dearest)
        tab.worth = worth
        spread = self._appraiser.spread(call.route, "cost")
        needs = _needs(scopes.budgets, worth, spread.p99)
        if not self._drawer.take(needs):
            needs = await self._drawer.draw(call, needs)
        tab.holds, tab.counts, tab.held_ns = needs, True, self._unix_ns()
        if self._book is not None and needs:
            tab.slot = self._book.enter(call.id, call.started_ns, [(account.key, need) for account, need in needs])

    def settle(self, passage: Passage, tab: Tab) -> None:
        """Take what a call has used out of its holds, give the rest back to its accounts, and note its charges."""
        call, usage = passage.call, passage.call.usage
        tokens = usage.input_tokens + usage.output_tokens if usage is not None else 0
        used: dict[BudgetUnit, int | None] = {"nusd": call.cost_nusd, "tokens": tokens, "calls": 1}
        if call.cost_nusd is None:  # what is known of it is spent all the same
            used["nusd"] = sum(attempt.cost_nusd or 0 for attempt in call.attempts) or None
        call.holder = self._holder
        for account, passed in tab.passes:
            account.held -= passed
            rule = account.rule
            if rule.unit == "tokens":
                account.left += passed - tokens
            elif rule.unit == "concurrent":
                account.left += passed
        for account, held in tab.holds:
            rule = account.rule
            assert type(rule) is Budget
            amount = used[rule.unit]
            spent = amount or 0
            room = held + account.left
            drawn = min(spent, room)
            account.held -= held
            account.left = room - drawn
            account.drawn += spent
            call.charges.append(Charge(account.key, rule.id, rule.unit, held, drawn, amount, tab.held_ns))
        if tab.counts and len(tab.holds) < len(tab.scopes.budgets) + len(tab.scopes.counted):
            self._count(call, tab, used)
        self._appraiser.learn(passage, tab)

    def recorded(self, tab: Tab, record: int | None) -> None:
        """Note that a call's record was handed over as the `record`-th; None when it never will be written."""
        if self._book is not None and tab.slot != NO_SLOT and record is not None:
            self._book.leave(tab.slot, record)

    def tick(self, records_written: int) -> None:
        """Forget the holds of calls whose records are written, and give back what lies idle."""
        if self._book is not None:
            self._book.forget_written(records_written)
        self._give(self._accounts.sweep())

    def close(self, records_written: int) -> None:
        """Give back everything and close the book; what no record tells of stays in it."""
        self._give(self._accounts.all())
        if self._book is not None:
            self._book.forget_written(records_written)
            self._book.close()

    def on_recall(self, keys: tuple[str, ...]) -> None:
        """A neighbour needs what lies here unused; it waits for an answer, also where there is nothing."""
        self._drawer.ledger.give(_taken_out(self._accounts.named(keys)))

    def hello(self) -> Hello:
        """Say who we are and what we hold."""
        leased = {one.key: one.left + one.held for one in self._accounts.all() if one.left > 0 or one.held}
        return Hello(self._holder, self._worker, leased)

    def _give(self, accounts: Iterable[Account]) -> None:
        if not self._drawer.ledger.is_connected:
            return  # nobody would take it, and who says Hello later tells what is still here
        amounts = _taken_out(accounts)
        if amounts:
            self._drawer.ledger.give(amounts)

    def _guard(self, passage: Passage) -> None:
        see_that_it_goes_on(passage.body, self._runaway)
        most = self._runaway.call_tokens
        if most is not None:
            see_that_it_is_not_huge(passage.body, self._appraiser.output_tokens(passage), most)

    async def _keep_to_limits(self, passage: Passage, tab: Tab) -> None:
        unix_s = self._unix_ns() / 1e9
        needs: Needs = []
        for account, rule in tab.scopes.limits:
            account.lapse(unix_s)
            needs.append((account, 1 if rule.unit != "tokens" else self._likely_tokens(passage, tab, rule)))
        if not self._drawer.take(needs):
            needs = await self._drawer.draw(passage.call, needs)
        tab.passes = needs
        tab.headers = saying.limit_headers(tab.scopes.limits, unix_s)

    def _likely_tokens(self, passage: Passage, tab: Tab, rule: Limit) -> int:
        tab.worth, tab.learns_tokens = self._appraiser.in_tokens(passage, tab.output_tokens), True
        spread = self._appraiser.spread(passage.call.route, "tokens")
        return min(share_of(tab.worth.tokens, spread.p99), rule.limit)

    async def _look_at_budgets(self, call: Call, tab: Tab) -> None:
        """See how much of the budgets is used that decide where calls go."""
        now, unix_s = self._now(), self._unix_ns() / 1e9
        unknown = [account for account, _ in tab.scopes.judged if account.told is None]
        if unknown:
            await self._drawer.know(unknown)
        stale = [account for account, _ in tab.scopes.judged if now - account.told_at > STALE_S]
        if stale:
            self._drawer.refresh(stale)
        for account, budget in tab.scopes.judged:
            share = account.used_share(unix_s)
            if budget.degrade_tier and share >= budget.degrade_at:
                tab.tier = budget.degrade_tier
                call.budget_notes.append(f"degraded {budget.id}")
            if budget.cache_only_at < 1.0 and share >= budget.cache_only_at:
                tab.cache_only = account

    def _count(self, call: Call, tab: Tab, used: dict[BudgetUnit, int | None]) -> None:
        """Charge budgets on which nothing is held: soft ones, and those that could not be asked or had no room."""
        held = {account.key for account, _ in tab.holds}
        for account, budget in (*tab.scopes.counted, *tab.scopes.budgets):
            amount = used[budget.unit]
            if account.key not in held and amount != 0:
                account.drawn += amount or 0
                call.charges.append(Charge(account.key, budget.id, budget.unit, 0, 0, amount))


def _taken_out(accounts: Iterable[Account]) -> dict[str, int]:
    """Take out of accounts what no call holds."""
    amounts: dict[str, int] = {}
    for account in accounts:
        if account.left > 0:
            amounts[account.key], account.left = account.left, 0
    return amounts


def _needs(budgets: tuple[tuple[Account, Budget], ...], worth: Worth, p99: float) -> Needs:
    """Return what is set aside: the most that is possible near the limit, and what mostly suffices far from it."""
    needs: Needs = []
    for account, rule in budgets:
        if rule.unit == "calls":
            needs.append((account, 1))
            continue
        most = worth.nusd if rule.unit == "nusd" else worth.tokens
        if most is None:
            most = LEAST  # also what nobody can price finds no room where there is none
        if most and not rule.holds_worst_case and account.is_ample(most):
            most = share_of(most, p99)
        needs.append((account, min(most, NEED_MAX)))
    return needs


def _see_unpriced(scopes: Scopes, targets: tuple[PreparedTarget, ...]) -> None:
    name = ", ".join(target.name for target in targets) or "what only its provider understands"
    for budget in (*(budget for _, budget in scopes.budgets), *scopes.single):
        if budget.unit == "nusd" and budget.mode != "shadow" and budget.if_unpriced == "refuse":
            raise saying.unpriced(budget, name)
