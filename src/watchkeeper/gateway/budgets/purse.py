"""What this worker may spend: holds before a call, settles after it, and gives back what it does not need."""

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.money import BudgetUnit, Charge
from watchkeeper.gateway.account import IDLE_S, STALE_S, Account
from watchkeeper.gateway.budgets import saying
from watchkeeper.gateway.budgets.drawing import Drawer, Needs
from watchkeeper.gateway.budgets.guard import see_that_it_goes_on, see_that_it_is_not_huge
from watchkeeper.gateway.budgets.holdbook import HoldBook
from watchkeeper.gateway.budgets.matching import Matcher, caller_of, is_for_one_call
from watchkeeper.gateway.budgets.single import most_of, see_that_it_fits
from watchkeeper.gateway.budgets.spread import Spread, share_of
from watchkeeper.gateway.budgets.teller import Ledger
from watchkeeper.gateway.budgets.worth import Appraiser
from watchkeeper.gateway.estimate import input_tokens
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.snapshot import Runaway as RunawaySettings
from watchkeeper.gateway.snapshot import Snapshot
from watchkeeper.gateway.tab import NO_SLOT, UNKNOWN, Scopes, Tab, Worth
from watchkeeper.money.budgets import Budget, Limit, Rule, account_key
from watchkeeper.money.leases import Hello

SCOPES_MAX = 10_000
"""Callers whose accounts are remembered; the next one starts over with none."""
FORGOTTEN_S = 60.0
"""An account that no call has touched for so long, and that has no lease, is forgotten."""


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
        self._matcher = Matcher(())
        self._rules: dict[str, Rule] = {}
        self._runaway = RunawaySettings()
        self._accounts: dict[str, Account] = {}
        self._scopes: dict[tuple[str, ...], Scopes] = {}

    @property
    def ledger(self) -> Ledger:
        """Where leases come from."""
        return self._drawer.ledger

    def draw_on(self, ledger: Ledger) -> None:
        """Take leases from this ledger from now on."""
        self._drawer.ledger = ledger

    def follow(self, snapshot: Snapshot) -> None:
        """Take on the rules of a snapshot; what is leased under rules that are gone is given back."""
        self._runaway = snapshot.runaway
        rules: dict[str, Rule] = {rule.id: rule for rule in snapshot.budgets}
        rules |= {rule.id: rule for rule in snapshot.limits}
        if rules == self._rules:
            return
        self._rules = rules
        self._matcher = Matcher(rules.values())
        self._scopes.clear()
        gone = [account for account in self._accounts.values() if account.rule.id not in rules]
        self._give(gone)
        for account in gone:
            del self._accounts[account.key]
        for account in self._accounts.values():
            account.rule = rules[account.rule.id]
            account.told = None

    async def admit(self, passage: Passage) -> Tab | None:
        """See whom a call counts against, that it keeps to their limits, and what budgets that run low do to it.

        Raises:
            LimitReached, Runaway, BudgetUnsure: it is refused.
            BadRequest: it says itself what it may cost, and that is no amount.
        """
        call = passage.call
        runaway = self._runaway
        see_that_it_goes_on(passage.body, runaway)
        wish = most_of(passage.exchange.request.headers)
        worth = UNKNOWN
        if runaway.call_tokens is not None:
            worth = self._appraiser.in_tokens(passage)
            if worth.tokens > runaway.call_tokens:
                likely = input_tokens(passage.body) + self._appraiser.output_tokens(passage)
                see_that_it_is_not_huge(likely, runaway.call_tokens)
        if not self._rules and wish is None:
            return None
        scopes = self._scopes_of(call)
        if wish is not None:
            scopes = scopes._replace(single=(*scopes.single, wish))
        if scopes.is_empty:
            return None
        tab = Tab(scopes, worth=worth)
        if scopes.limits:
            tab.worth = self._appraiser.in_tokens(passage)
            await self._keep_to_limits(passage, tab)
        if scopes.budgets:
            await self._look_at_budgets(call, tab)
        return tab

    async def hold(self, passage: Passage, tab: Tab, targets: tuple[PreparedTarget, ...]) -> None:
        """Set aside what a call may need of each of its budgets.

        Args:
            targets: All that may answer it; none where nobody can tell what it will cost.

        Raises:
            BudgetExceeded, PriceUnknown, Runaway: it is refused.
            BudgetUnsure: nobody knows whether there is room.
        """
        tab.counts = False
        await self._hold(passage, tab, targets)
        tab.counts = True

    async def _hold(self, passage: Passage, tab: Tab, targets: tuple[PreparedTarget, ...]) -> None:
        scopes, call = tab.scopes, passage.call
        budgets = [account.budget for account in scopes.budgets]
        if not budgets and not scopes.single:
            return
        tab.worth = worth = self._appraiser.in_money(passage, targets)
        limits_money = any(budget is not None and budget.unit == "nusd" for budget in (*budgets, *scopes.single))
        if worth.nusd is None and limits_money:
            self._see_unpriced(tab, targets)
        if scopes.single:
            tab.worth = worth = see_that_it_fits(
                passage, scopes.single, worth, self._appraiser.dearest(targets, call.started_ns)
            )
        spread = self._appraiser.spread(call.route, "cost")
        needs: Needs = []
        for account, budget in zip(scopes.budgets, budgets, strict=True):
            assert budget is not None
            need = _need(account, budget, worth, spread)
            if need:
                needs.append((account, need))
        if not self._drawer.take(tab, needs):
            await self._drawer.draw(call, tab, needs)
        if self._book is not None and tab.holds:
            held = tuple((account.key, amount) for account, amount in tab.holds if type(account.rule) is Budget)
            if held:
                tab.slot = self._book.enter(call.id, call.started_ns, held)

    def settle(self, passage: Passage, tab: Tab) -> None:
        """Take what a call has used out of its holds, give the rest back to its accounts, and note its charges."""
        call = passage.call
        tokens = call.usage.input_tokens + call.usage.output_tokens if call.usage is not None else 0
        used: dict[BudgetUnit, int | None] = {"nusd": call.cost_nusd, "tokens": tokens, "calls": 1}
        call.holder = self._holder
        for account, held in tab.holds:
            account.held -= held
            rule = account.rule
            if type(rule) is Limit:
                if rule.unit == "tokens":
                    account.left += held - tokens
                elif not rule.per_s:
                    account.left += held
                continue
            assert type(rule) is Budget
            amount = used[rule.unit]
            drawn = min(amount or 0, held + account.left)
            account.left += held - drawn
            account.drawn += amount or 0
            call.charges.append(Charge(account.key, rule.id, rule.unit, held, drawn, amount))
        charged = {charge.key for charge in call.charges}
        for account in (*tab.scopes.counted, *tab.scopes.budgets) if tab.counts else ():
            budget = account.budget
            if budget is not None and account.key not in charged:
                amount = used[budget.unit]
                if amount or amount is None:
                    account.drawn += amount or 0
                    call.charges.append(Charge(account.key, budget.id, budget.unit, 0, 0, amount))
        tab.holds.clear()
        self._appraiser.learn(passage, tab.worth)

    def recorded(self, tab: Tab, record: int | None) -> None:
        """Note that a call's record was handed over as the `record`-th; None when it never will be written."""
        if self._book is not None and tab.slot != NO_SLOT and record is not None:
            self._book.leave(tab.slot, record)

    def tick(self, records_written: int) -> None:
        """Give back what lies idle, and forget the holds of calls whose records are written."""
        if self._book is not None:
            self._book.forget_written(records_written)
        now = self._now()
        idle = [one for one in self._accounts.values() if one.left > 0 and now - one.used_at > IDLE_S]
        if idle:
            self._give(idle)
        long_ago = now - FORGOTTEN_S
        forgotten = [
            key
            for key, one in self._accounts.items()
            if one.used_at < long_ago and one.left <= 0 and not one.held and one.waiting is None
        ]
        if forgotten:
            self._scopes.clear()
            for key in forgotten:
                del self._accounts[key]

    def close(self, records_written: int) -> None:
        """Give back everything and close the book; what no record tells of stays in it."""
        self._give(list(self._accounts.values()))
        if self._book is not None:
            self._book.forget_written(records_written)
            self._book.close()

    def on_recall(self, keys: tuple[str, ...]) -> None:
        """A neighbour needs what lies here unused."""
        self._give([account for key in keys if (account := self._accounts.get(key)) is not None])

    def hello(self) -> Hello:
        """Say who we are and what we hold."""
        leased = {one.key: one.left + one.held for one in self._accounts.values() if one.left > 0 or one.held}
        return Hello(self._holder, self._worker, leased)

    def _give(self, accounts: list[Account]) -> None:
        amounts = {account.key: account.left for account in accounts if account.left > 0}
        for account in accounts:
            account.left = min(account.left, 0)
        if amounts:
            self.ledger.give(amounts)

    def _scopes_of(self, call: Call) -> Scopes:
        caller = caller_of(call)
        found = self._scopes.get(caller)
        if found is not None:
            return found
        if len(self._scopes) >= SCOPES_MAX:
            self._scopes.clear()
        budgets: list[Account] = []
        counted: list[Account] = []
        limits: list[Account] = []
        single: list[Budget] = []
        for rule, values in self._matcher.matches(call):
            if isinstance(rule, Limit):
                limits.append(self._account(rule, values))
            elif is_for_one_call(rule):
                single.append(rule)
            elif rule.mode == "soft":
                counted.append(self._account(rule, values))
            else:
                budgets.append(self._account(rule, values))
        found = self._scopes[caller] = Scopes(tuple(budgets), tuple(counted), tuple(limits), tuple(single))
        return found

    def _account(self, rule: Rule, values: tuple[str, ...]) -> Account:
        key = account_key(rule.id, values)
        found = self._accounts.get(key)
        if found is None:
            found = self._accounts[key] = Account(key, rule, values, used_at=self._now())
        return found

    async def _keep_to_limits(self, passage: Passage, tab: Tab) -> None:
        unix_s = self._unix_ns() / 1e9
        needs: Needs = []
        for account in tab.scopes.limits:
            account.lapse(unix_s)
            rule = account.rule
            need = 1
            if rule.unit == "tokens":
                need = share_of(tab.worth.tokens, self._appraiser.spread(passage.call.route, "tokens").p99)
                assert isinstance(rule, Limit)
                need = min(need, rule.limit)
            needs.append((account, need))
        if not self._drawer.take(tab, needs):
            await self._drawer.draw(passage.call, tab, needs)
        tab.headers = saying.limit_headers(tab.scopes.limits, unix_s)

    async def _look_at_budgets(self, call: Call, tab: Tab) -> None:
        """See how much of the budgets is used, where that decides something."""
        now, unix_s = self._now(), self._unix_ns() / 1e9
        judged = [account for account in tab.scopes.budgets if account.budget and account.budget.mode == "degrade"]
        unknown = [account for account in judged if account.told is None]
        if unknown:
            await self._drawer.know(unknown)
        stale = [account for account in judged if now - account.told_at > STALE_S and account not in unknown]
        if stale:
            self._drawer.refresh(stale)
        tab.used_share = max([account.used_share(unix_s) for account in tab.scopes.budgets], default=0.0)
        for account in judged:
            budget, share = account.budget, account.used_share(unix_s)
            assert budget is not None
            if budget.degrade_tier and share >= budget.degrade_at:
                tab.tier = budget.degrade_tier
                call.budget_notes.append(f"degraded {budget.id}")
            if budget.cache_only_at < 1.0 and share >= budget.cache_only_at:
                tab.cache_only = account

    def _see_unpriced(self, tab: Tab, targets: tuple[PreparedTarget, ...]) -> None:
        name = ", ".join(target.name for target in targets) or "what only its provider understands"
        accounts = [account.budget for account in tab.scopes.budgets]
        for budget in (*accounts, *tab.scopes.single):
            if budget is None or budget.unit != "nusd" or budget.mode == "shadow":
                continue
            if budget.if_unpriced == "refuse":
                raise saying.unpriced(budget, name)


def _need(account: Account, budget: Budget, worth: Worth, spread: Spread) -> int:
    """Return what is set aside: the most that is possible near the limit, and what mostly suffices far from it."""
    if budget.unit == "calls":
        return 1
    most = worth.tokens if budget.unit == "tokens" else worth.nusd
    if most is None:
        return 0
    return most if budget.holds_worst_case or not account.is_ample(most) else share_of(most, spread.p99)
