"""A ledger that lives in memory and answers at once: what the keeper's does, without a database or a socket."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from watchkeeper.core.clock import Clock
from watchkeeper.money.budgets import Budget, Limit, Rule, account_key
from watchkeeper.money.leases import Account, Answer, Want


class MemoryLedger:
    """A `gateway.budgets.teller.Ledger` for tests. A limit's window does not slide: it ends when its length is over."""

    def __init__(self, clock: Clock) -> None:
        self._unix_ns = clock.unix_ns
        self._rules: dict[str, Rule] = {}
        self._spans: dict[str, int] = {}
        self.settled: dict[str, int] = defaultdict(int)
        """By account, in the rule's unit. Tests add what other workers have spent."""
        self.leased: dict[str, int] = defaultdict(int)
        self.is_away = False
        """It answers nothing."""
        self.asked = 0
        """Questions so far."""
        self.on_recall: list[Callable[[tuple[str, ...]], None]] = []
        """What workers do when they are asked for what they do not need; called before a question is refused."""
        self.is_generous = True
        """It grants as much as is liked, where there is room."""

    @property
    def is_connected(self) -> bool:
        """What is said now is heard."""
        return not self.is_away

    def follow(self, budgets: Iterable[Budget], limits: Iterable[Limit]) -> None:
        """Take on rules."""
        self._rules = {rule.id: rule for rule in budgets}
        self._rules |= {rule.id: rule for rule in limits}

    def ask(self, wants: tuple[Want, ...], then: Callable[[Answer | None], None]) -> None:
        """Answer at once: all wants, or none."""
        self.asked += 1
        if self.is_away:
            then(None)
            return
        if any(want.must and self._room(want) < want.need for want in wants):
            for recall in self.on_recall:
                recall(tuple(account_key(want.rule, want.values) for want in wants))
        refused = [want for want in wants if want.must and self._room(want) < want.need]
        if refused:
            then(Answer(0, (self._account(refused[0], 0),), is_granted=False))
            return
        then(Answer(0, tuple(self._account(want, self._grant(want)) for want in wants)))

    def give(self, amounts: dict[str, int]) -> None:
        """Take leases back."""
        for key, amount in amounts.items():
            self.leased[key] -= amount

    def _grant(self, want: Want) -> int:
        room = self._room(want)
        if room < want.need:
            return 0
        granted = max(want.need, min(want.like, room // 2)) if self.is_generous else want.need
        self.leased[account_key(want.rule, want.values)] += granted
        return granted

    def _room(self, want: Want) -> int:
        key, rule = account_key(want.rule, want.values), self._rules[want.rule]
        self._span(key, rule)
        return rule.limit - self.settled[key] - self.leased[key]

    def _span(self, key: str, rule: Rule) -> int:
        """Return when the present window ends; forget what was spent in one that is over."""
        now_s = self._unix_ns() // 1_000_000_000
        ends_s = self._spans.get(key, 0)
        if now_s >= ends_s:
            if isinstance(rule, Budget):
                ends_s = rule.window.at(now_s).until_s
            else:
                ends_s = now_s + rule.per_s if rule.per_s else 1 << 40
                self.leased.pop(key, None)
            if key in self._spans:
                self.settled.pop(key, None)
            self._spans[key] = ends_s
        return ends_s

    def _account(self, want: Want, granted: int) -> Account:
        key, rule = account_key(want.rule, want.values), self._rules[want.rule]
        used = self.settled[key] + (self.leased[key] if isinstance(rule, Limit) else 0)
        held = 0 if isinstance(rule, Limit) else self.leased[key]
        return Account(key, granted, rule.limit, used, held, self._span(key, rule), granted >= want.need)
