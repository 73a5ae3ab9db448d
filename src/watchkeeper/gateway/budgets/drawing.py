"""Draws what calls need from their accounts, and asks the ledger where a lease does not suffice."""

from msgspec import Struct

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.account import Account
from watchkeeper.gateway.budgets import saying
from watchkeeper.gateway.budgets.teller import Ledger, NoLedger
from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.money.leases import Answer, Want

ROUNDS_MAX = 100
"""How often one call asks or waits before it is in doubt: others may take first what it waits for."""

DOUBT_S = 1.0
"""How long calls go by their doubts after a question without an answer, instead of waiting one after another."""

Needs = list[tuple[Account, int]]
"""What a call needs of each account, in the rule's unit."""


class _Question(Struct, eq=False):
    """Asked of the ledger for one call."""

    needs: Needs
    over: Signal
    answer: Answer | None = None
    is_taken: bool = False
    """What the call needs was set aside the moment the answer came, before others could."""


class Drawer:
    """Sets aside all that a call needs, or nothing."""

    def __init__(self, clock: Clock) -> None:
        self.ledger: Ledger = NoLedger()
        self._now = clock.monotonic
        self._unix_ns = clock.unix_ns

    def take(self, needs: Needs) -> bool:
        """Set aside what is needed if all of it is there; touches nothing otherwise."""
        for account, need in needs:
            if account.left < need:
                return False
        now = self._now()
        for account, need in needs:
            account.left -= need
            account.held += need
            account.used_at = now
        return True

    async def draw(self, call: Call, needs: Needs) -> Needs:
        """Set aside what is needed, with the ledger's help; return what that was.

        Left out are budgets in shadow that have no room, and those that may be passed over where they cannot be asked.

        Raises:
            BudgetExceeded, LimitReached, Runaway: there is no room.
            BudgetUnsure: nobody knows whether there is, and the rule says to refuse then.
        """
        for _ in range(ROUNDS_MAX):
            needs = self._without_spent(call, needs)
            if self.take(needs):
                return needs
            short = [(account, need) for account, need in needs if account.left < need]
            doubtful = [pair for pair in short if pair[0].doubt_until > self._now()]
            if doubtful:
                needs = self._in_doubt(call, needs, doubtful)
                continue
            waiting = next((account.waiting for account, _ in short if account.waiting is not None), None)
            if waiting is not None:
                signal = Signal()
                waiting.append(signal)
                await signal
                continue
            question = self._ask(needs, short)
            if not question.over.is_set:
                await question.over
            answer = question.answer
            if answer is None:
                needs = self._in_doubt(call, needs, short)
            elif question.is_taken:
                return needs
        return self._in_doubt(call, needs, needs)

    def refresh(self, accounts: list[Account]) -> None:
        """Have the ledger tell how accounts stand, without waiting for it."""
        wants = tuple(Want(account.rule.id, account.values, 0, 0, must=False) for account in accounts)

        def take_in(answer: Answer | None) -> None:
            for account, told in zip(accounts, answer.accounts if answer is not None else (), strict=False):
                account.take_in(told, self._now())

        now = self._now()
        for account in accounts:
            account.told_at = now
        self.ledger.ask(wants, take_in)

    async def know(self, accounts: list[Account]) -> None:
        """Have the ledger tell how accounts stand, and wait for it."""
        question = self._ask([], [(account, 0) for account in accounts])
        if not question.over.is_set:
            await question.over

    def _ask(self, needs: Needs, short: Needs) -> _Question:
        now = self._now()
        question = _Question(needs, Signal())
        wants: list[Want] = []
        opened: list[Account] = []
        # A part of what is needed would be called back for a neighbour, or for this very question: it goes back first.
        parts = {account.key: account.left for account, need in short if account.is_tight and need and account.left > 0}
        if parts:
            self.ledger.give(parts)
        for account, need in short:
            account.left -= parts.get(account.key, 0)
            lacking = max(0, need - account.left)
            like, must = account.like(lacking, now) if need else 0, need > 0 and not account.is_shadow
            wants.append(Want(account.rule.id, account.values, lacking, like, must))
            # Where the ledger gives no more than is asked for, calls do not wait for one another's answers.
            account.asked += 1
            account.used_at = now
            if need and not account.is_tight and account.waiting is None:
                account.waiting = []
                opened.append(account)

        def take_in(answer: Answer | None) -> None:
            question.answer = answer
            self._take_in(short, answer)
            if answer is not None and answer.is_granted:
                question.is_taken = bool(needs) and self.take(needs)
            for account, _ in short:
                account.asked -= 1
            for account in opened:
                waiting, account.waiting = account.waiting, None
                for signal in waiting or ():
                    signal.set()
            question.over.set()

        self.ledger.ask(tuple(wants), take_in)
        return question

    def _take_in(self, short: Needs, answer: Answer | None) -> None:
        now = self._now()
        if answer is None:
            for account, _ in short:
                account.doubt_until = now + DOUBT_S
            return
        by_key = {account.key: (account, need) for account, need in short}
        for told in answer.accounts:
            found = by_key.get(told.key)
            if found is not None:
                account, need = found
                account.take_in(told, now)
                if not told.has_room or not answer.is_granted:
                    account.refuse(need, now)

    def _without_spent(self, call: Call, needs: Needs) -> Needs:
        """Leave out shadow budgets that have no room; raise for others that were refused just now."""
        now = self._now()
        spent = [(account, need) for account, need in needs if account.was_refused(need, now)]
        if not spent:
            return needs
        for account, need in spent:
            if not account.is_shadow:
                raise saying.refusal(account, need, self._unix_ns() / 1e9)
            call.budget_notes.append(f"would_refuse {account.rule.id}")
        gone = {account.key for account, _ in spent}
        return [pair for pair in needs if pair[0].key not in gone]

    def _in_doubt(self, call: Call, needs: Needs, short: Needs) -> Needs:
        """Go on without accounts that cannot be asked about, where their rules allow it."""
        for account, _ in short:
            if account.rule.if_unsure == "refuse" and not account.is_shadow:
                raise saying.unsure(account)
            call.budget_notes.append(f"unsure {account.rule.id}")
        gone = {account.key for account, _ in short}
        return [pair for pair in needs if pair[0].key not in gone]
