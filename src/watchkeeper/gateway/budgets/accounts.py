"""The accounts that calls of this worker have come across, and whose calls count against which."""

from collections import deque
from collections.abc import Iterable

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.account import IDLE_S, Account
from watchkeeper.gateway.budgets.matching import Matcher, caller_of, is_for_one_call
from watchkeeper.gateway.tab import Scopes
from watchkeeper.money.budgets import Budget, Limit, Rule, account_key

SCOPES_MAX = 10_000
"""Callers whose accounts are remembered; the next one starts over with none."""
ACCOUNTS_MAX = 200_000
"""Accounts that are known at a time; the next one has all that are at rest forgotten."""
SWEPT_AT_ONCE = 2_000
"""Accounts that one sweep looks at, so that it takes no longer the more there are."""
CROWDED_S = 1.0
"""Between two such cleanings; what a call has touched since the last one stays."""
FORGOTTEN_S = 60.0
"""An account that no call has touched for so long, and that has no lease, is forgotten."""


class Accounts:
    """Found by caller, or by key."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._rules: dict[str, Rule] = {}
        self._matcher = Matcher(())
        self._by_key: dict[str, Account] = {}
        self._round: deque[Account] = deque()
        """In the order in which sweeps look at them."""
        self._scopes: dict[tuple[str, ...], Scopes] = {}
        self._crowded_until = 0.0
        self.has_rules = False

    def follow(self, rules: Iterable[Rule]) -> list[Account]:
        """Take on rules; return the accounts of rules that are gone. They are known here until they are at rest."""
        found = {rule.id: rule for rule in rules}
        if found == self._rules:
            return []
        self._rules, self._matcher, self.has_rules = found, Matcher(found.values()), bool(found)
        self._scopes.clear()
        for account in self._by_key.values():
            if account.rule.id in found:
                account.rule, account.told, account.no_room_until = found[account.rule.id], None, 0.0
        return [account for account in self._by_key.values() if account.rule.id not in found]

    def of(self, call: Call) -> Scopes:
        """Return what a call counts against; the same object for each call of one caller."""
        caller = caller_of(call)
        found = self._scopes.get(caller)
        if found is None:
            if len(self._scopes) >= SCOPES_MAX:
                self._scopes.clear()
            found = self._scopes[caller] = self._find(call)
        return found

    def named(self, keys: Iterable[str]) -> list[Account]:
        """Return the accounts of these keys that are known here."""
        return [found for key in keys if (found := self._by_key.get(key)) is not None]

    def all(self) -> list[Account]:
        """Return every account that is known here."""
        return list(self._by_key.values())

    def sweep(self) -> list[Account]:
        """Look at the next few accounts; forget those that nobody needs, return those whose lease lies idle."""
        now, idle = self._now(), []
        forgotten = False
        for _ in range(min(SWEPT_AT_ONCE, len(self._round))):
            account = self._round.popleft()
            if self._by_key.get(account.key) is not account:
                continue
            is_gone = account.rule.id not in self._rules
            if account.is_at_rest and (is_gone or account.used_at < now - FORGOTTEN_S):
                del self._by_key[account.key]
                forgotten = True
                continue
            if account.left > 0 and (is_gone or account.used_at < now - IDLE_S):
                idle.append(account)
            self._round.append(account)
        if forgotten:
            self._scopes.clear()
        return idle

    def _find(self, call: Call) -> Scopes:
        budgets: list[tuple[Account, Budget]] = []
        counted: list[tuple[Account, Budget]] = []
        limits: list[tuple[Account, Limit]] = []
        single: list[Budget] = []
        for rule, values in self._matcher.matches(call):
            if isinstance(rule, Limit):
                limits.append((self._account(rule, values), rule))
            elif is_for_one_call(rule):
                single.append(rule)
            else:
                (counted if rule.mode == "soft" else budgets).append((self._account(rule, values), rule))
        return Scopes(
            budgets=tuple(budgets),
            counted=tuple(counted),
            limits=tuple(limits),
            single=tuple(single),
            judged=tuple(pair for pair in budgets if pair[1].mode == "degrade"),
        )

    def _account(self, rule: Rule, values: tuple[str, ...]) -> Account:
        key, now = account_key(rule.id, values), self._now()
        found = self._by_key.get(key)
        if found is None:
            if len(self._by_key) >= ACCOUNTS_MAX and now >= self._crowded_until:
                self._forget_at_rest(now)
            found = self._by_key[key] = Account(key, rule, values)
            self._round.append(found)
        found.used_at = now
        return found

    def _forget_at_rest(self, now: float) -> None:
        """Forget what is at rest, but for what a call may have in its hands."""
        self._crowded_until = now + CROWDED_S
        self._by_key = {
            key: account
            for key, account in self._by_key.items()
            if not account.is_at_rest or account.used_at >= now - CROWDED_S
        }
        self._round = deque(self._by_key.values())
        self._scopes.clear()
