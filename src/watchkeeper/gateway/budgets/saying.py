"""What a client is told when a budget or limit stands in its way: whose, how much, how much is used, and until when."""

import math
from datetime import UTC, datetime

from watchkeeper.core.money import BudgetUnit, usd
from watchkeeper.gateway.account import Account
from watchkeeper.gateway.refusals import BudgetExceeded, BudgetUnsure, LimitReached, PriceUnknown, Refusal, Runaway
from watchkeeper.money.budgets import Budget, Limit, RateUnit, Scope
from watchkeeper.money.leases import Account as Told
from watchkeeper.money.windows import NEVER_S

RUNAWAY_PREFIX = "runaway:"
"""Budgets whose id begins so are the guard's."""

_NOTHING = "Nothing was sent upstream."
_LIMIT_FORMS = ((b"limit", b"%d"), (b"remaining", b"%d"), (b"reset", b"%.3fs"))
_LIMIT_LINES: dict[str, bytes] = {
    unit: b"".join(b"x-ratelimit-%b-%b: %b\r\n" % (what, unit.encode(), form) for what, form in _LIMIT_FORMS)
    for unit in ("requests", "tokens")
}


def refusal(account: Account, need: int, now_s: float) -> Refusal:
    """Say that an account has no room for a call, as the ledger has just told."""
    rule, values, told = account.rule, account.values, account.told
    assert told is not None
    if isinstance(rule, Limit):
        return _limit_reached(rule, values, told, now_s)
    amounts = (amount(told.limit, rule.unit), amount(told.used, rule.unit), amount(told.held, rule.unit))
    whose, until = _whose(rule.scope, values), _until(told.resets_s)
    if rule.id.startswith(RUNAWAY_PREFIX):
        return Runaway(
            f"This {whose} has made {amounts[1]}, the most that the guard against runaway sessions allows. "
            f"Begin a new session if this one is meant to go on. {_NOTHING}"
        )
    return BudgetExceeded(
        f"The budget `{rule.id}` of {whose} has no room for this call: {amounts[0]} in the {rule.window.words} window, "
        f"{amounts[1]} used, {amounts[2]} held by calls under way, and this call may need {amount(need, rule.unit)}. "
        f"{until} {_NOTHING}",
        budget=rule.id,
    )


def only_cached(account: Account) -> Refusal:
    """Say that the cache has no answer and nothing else may give one."""
    rule, values, told = account.rule, account.values, account.told
    assert isinstance(rule, Budget) and told is not None
    return BudgetExceeded(
        f"The budget `{rule.id}` of {_whose(rule.scope, values)} has come to {rule.cache_only_at:.0%} of "
        f"{amount(told.limit, rule.unit)}, from where on only the cache answers, and it has no answer to this request. "
        f"{_until(told.resets_s)} {_NOTHING}",
        budget=rule.id,
    )


def too_dear(rule: Budget, most: int) -> Refusal:
    """Say that one call by itself would be more than is allowed."""
    return BudgetExceeded(
        f"This call may need {amount(most, rule.unit)}, and `{rule.id}` allows {amount(rule.limit, rule.unit)} for one "
        f"call. Ask for a shorter answer, or send less. {_NOTHING}",
        budget=rule.id,
    )


def limit_headers(limits: tuple[tuple[Account, Limit], ...], now_s: float) -> bytes:
    """Write `x-ratelimit-*` for requests and for tokens, each of the limit with the least left."""
    tightest: dict[RateUnit, tuple[int, Told]] = {}
    for account, rule in limits:
        told = account.told
        if told is None or not rule.per_s:
            continue
        left = told.limit - told.used + account.left
        if rule.unit not in tightest or left < tightest[rule.unit][0]:
            tightest[rule.unit] = (left, told)
    return b"".join([_limit_lines(unit, max(0, left), told, now_s) for unit, (left, told) in tightest.items()])


def _limit_lines(unit: RateUnit, left: int, told: Told, now_s: float) -> bytes:
    return _LIMIT_LINES[unit] % (told.limit, left, max(0.0, told.resets_s - now_s))


def unpriced(rule: Budget, target: str) -> Refusal:
    """Say that money is limited and nobody knows what the call would cost."""
    return PriceUnknown(
        f"The budget `{rule.id}` limits money, and nobody knows the price of {target}. Name its price list or add "
        f"a price (see docs/prices.md), or set `if_unpriced: allow` for the budget. {_NOTHING}",
        budget=rule.id,
    )


def unsure(account: Account) -> Refusal:
    """Say that the ledger cannot be asked."""
    rule = account.rule
    return BudgetUnsure(
        f"What is left of `{rule.id}` for {_whose(rule.scope, account.values)} is not known: the ledger does not "
        f"answer, and `if_unsure` says to refuse. {_NOTHING} Try again in a few seconds."
    )


def amount(units: int, unit: BudgetUnit | RateUnit) -> str:
    """Write an amount with its unit."""
    if unit == "nusd":
        return f"{usd(units)} USD"
    word = {"calls": "call", "requests": "request", "tokens": "token", "concurrent": "call at a time"}[unit]
    plural = word.replace("call", "calls", 1) if word.startswith("call") else f"{word}s"
    return f"{units:,} {word if units == 1 else plural}"


def _limit_reached(rule: Limit, values: tuple[str, ...], told: Told, now_s: float) -> Refusal:
    whose = _whose(rule.scope, values)
    if not rule.per_s:
        return LimitReached(
            f"{amount(told.limit, rule.unit)} are allowed for {whose} (`{rule.id}`), and so many are under way. "
            f"{_NOTHING} Try again when one has ended.",
            retry_after_s=1,
        )
    wait_s = max(1, math.ceil(told.resets_s - now_s))
    return LimitReached(
        f"{amount(told.limit, rule.unit)} in {rule.per_s} s are allowed for {whose} (`{rule.id}`), and they are used "
        f"up. {_NOTHING} Try again in {wait_s} s.",
        retry_after_s=wait_s,
    )


def _whose(scope: Scope, values: tuple[str, ...]) -> str:
    pairs = zip(scope, values, strict=True)
    return ", ".join(kind if value == "*" else f"{kind} {value}" for (kind, _), value in pairs)


def _until(resets_s: int) -> str:
    if resets_s >= NEVER_S:
        return "It does not start again by itself."
    return f"It starts again at {datetime.fromtimestamp(resets_s, UTC):%Y-%m-%dT%H:%M:%SZ}."
