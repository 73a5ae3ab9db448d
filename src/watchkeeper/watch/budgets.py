"""Thresholds of a budget: each is announced once when use crosses it, and again only after it was armed again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark, Over, Severity
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.watch.wording import amount, calls_link, moment, scope_words, window_words

KIND: AlertKind = "budget_threshold"
HYSTERESIS = Decimal("0.05")
"""Share of the limit by which use must fall below a threshold before it is armed again: what is settled moves up and
down a little when a price is corrected. A threshold below 10% is armed again at half of it."""
NAMED_TOGETHER = 20
"""Budgets that one message names, of those that it tells of together."""
CRITICAL = Decimal(1)
WARNING = Decimal("0.8")


def look(state: AccountState, shares: Sequence[Decimal], mark: Mark | None, *, console: str = "") -> Findings:
    """Compare an account with its thresholds.

    Of several thresholds crossed since the last look only the highest is announced; the others count as passed. When
    a window is over so is what was said of it, without a word. The mark holds what was passed: with it stored together
    with the alert, a restart neither repeats nor misses a crossing.

    Args:
        state: What the ledger says now.
        shares: Thresholds of the budget, as shares of its limit.
        mark: What was remembered of the account at the last look; None for nothing.
        console: Address of the console; empty when it is not known.
    """
    if mark is None and not any(_is_crossed(state, share) for share in shares):
        return Findings()
    by_label = {label(share): share for share in shares}
    known = mark or Mark(kind=KIND, key=state.key, window_start=None, window_end=None)
    is_new_window = mark is None or _is_new_window(state, mark)
    over = [_calendar_over(known, passed) for passed in sorted(known.passed)] if is_new_window else []
    if is_new_window:
        start = state.window_start if state.window_end is not None else None
        known = replace(known, window_start=start, window_end=state.window_end, passed=frozenset())
    armed = {passed for passed in known.passed if passed not in by_label or _is_armed_again(state, by_label[passed])}
    over += [_armed_over(state, known, passed, is_configured=passed in by_label) for passed in sorted(armed)]
    still = known.passed - armed
    crossed = {name for name, share in by_label.items() if name not in still and _is_crossed(state, share)}
    highest = max(crossed, key=by_label.__getitem__, default=None)
    is_news = highest is not None and all(by_label[highest] > by_label[name] for name in still)
    passed = still | crossed
    has_changed = passed != (mark.passed if mark else frozenset()) or bool(over)
    return Findings(
        raised=(_draft(state, known, by_label[highest], console),) if highest is not None and is_news else (),
        over=tuple(over),
        mark=replace(known, passed=passed) if has_changed else None,
    )


def together(drafts: Sequence[AlertDraft], at: datetime, *, console: str = "") -> AlertDraft:
    """Make one alert to tell of many at once, when each tenant's budget passes a threshold in the same minute.

    Args:
        drafts: At least one; what is most severe first.
        at: Now, which makes it an alert of its own.
        console: Address of the console; empty when it is not known.
    """
    named = "\n".join(f"- {draft.title}" for draft in drafts[:NAMED_TOGETHER])
    others = len(drafts) - NAMED_TOGETHER
    text = (
        f"{len(drafts)} more budgets have passed a threshold at {moment(at)}, each an alert that only this tells of:\n"
        f"{named}{f'{chr(10)}- and {others} more' if others > 0 else ''}\n"
        f"What spends: {calls_link(console, {})}\n"
        "What to do: `watchkeeper alerts list --open --kind budget_threshold` lists them; see what they have in common."
    )
    return AlertDraft(
        kind=KIND,
        key=f"together {at.isoformat()}",
        severity=drafts[0].severity,
        title=f"{len(drafts)} more budgets have passed a threshold",
        text=text,
        facts={"count": len(drafts), "accounts": [draft.facts["account"] for draft in drafts[:NAMED_TOGETHER]]},
    )


def label(share: Decimal) -> str:
    """Write a threshold as the configuration does: `80%`."""
    return f"{(share * 100).normalize():f}%"


def alert_key(mark: Mark, threshold: str) -> str:
    """Name what an alert is about: account, window and threshold."""
    window = mark.window_start.isoformat() if mark.window_start is not None else "all"
    return f"{mark.key} {window} {threshold}"


def _is_new_window(state: AccountState, mark: Mark) -> bool:
    """A window that rolls is never new: its use falls by itself, and hysteresis arms its thresholds."""
    if state.window_start is None or state.window_end is None:
        return False
    return mark.window_end is None or state.window_start >= mark.window_end or state.window_end < mark.window_end


def _is_crossed(state: AccountState, share: Decimal) -> bool:
    """Against a limit of nothing, anything that is used has crossed every threshold."""
    return state.settled > 0 and state.settled >= share * state.limit


def _is_armed_again(state: AccountState, share: Decimal) -> bool:
    return state.settled <= 0 or state.settled < max(share - HYSTERESIS, share / 2) * state.limit


def _calendar_over(mark: Mark, passed: str) -> Over:
    return Over(kind=KIND, key=alert_key(mark, passed), reason="The window of the budget has ended.", is_told=False)


def _armed_over(state: AccountState, mark: Mark, passed: str, *, is_configured: bool) -> Over:
    if not is_configured:
        reason = "The budget has no such threshold any more."
        return Over(kind=KIND, key=alert_key(mark, passed), reason=reason, is_told=False)
    reason = f"{_used(state)} of {amount(state.limit, state.unit)} is settled now ({_percent(state)})."
    return Over(kind=KIND, key=alert_key(mark, passed), reason=reason)


def _draft(state: AccountState, mark: Mark, share: Decimal, console: str) -> AlertDraft:
    whole = amount(state.limit, state.unit)
    text = (
        f"The budget {state.budget} ({scope_words(state.scope)}) has passed {label(share)} of its limit.\n"
        f"Used: {_used(state)} of {whole} settled ({_percent(state)}). Held for calls under way: "
        f"{amount(state.leased, state.unit)}.\n"
        f"It counts {window_words(state.window_start, state.window_end)}. {_consequence(state, share)}\n"
        f"What spends: {calls_link(console, state.scope)}\n"
        "What to do: see whether the use is meant; if it is, raise the budget's limit in the configuration, which is "
        "served within a second."
    )
    return AlertDraft(
        kind=KIND,
        key=alert_key(mark, label(share)),
        severity=_severity(state, share),
        title=f"Budget {state.budget} ({scope_words(state.scope)}): {_percent(state)} of {whole} is used",
        text=text,
        facts=facts(state) | {"threshold": label(share)},
    )


def facts(state: AccountState) -> dict[str, Any]:
    """What programs are told of an account: integers in its unit, moments in ISO 8601."""
    return {
        "account": state.key,
        "budget": state.budget,
        "scope": state.scope,
        "unit": state.unit,
        "mode": state.mode,
        "limit": state.limit,
        "settled": state.settled,
        "leased": state.leased,
        "window_start": state.window_start.isoformat() if state.window_start is not None else None,
        "window_end": state.window_end.isoformat() if state.window_end is not None else None,
    }


def _severity(state: AccountState, share: Decimal) -> Severity:
    if share >= CRITICAL and state.mode in ("hard", "degrade"):
        return "critical"
    return "warning" if share >= WARNING else "info"


def _consequence(state: AccountState, share: Decimal) -> str:
    until = f" until {moment(state.window_end)}" if state.window_end is not None else ""
    match state.mode:
        case "hard" | "degrade" if share >= CRITICAL:
            return f"Calls that do not fit any more are refused with `budget_exceeded`{until}."
        case "hard":
            return "Calls that do not fit are refused once the limit is reached."
        case "degrade":
            return "Calls go to a cheaper tier from the share that the budget names, and are refused at the limit."
        case "soft":
            return "Nothing is refused: the budget is soft."
        case "shadow":
            return "Nothing is refused: the budget is a shadow, which counts what would have been."


def _used(state: AccountState) -> str:
    return amount(state.settled, state.unit)


def _percent(state: AccountState) -> str:
    """Rounded down: 99.96% is not 100%."""
    if state.limit <= 0:
        return "more than 100%"
    return f"{state.settled * 1000 // state.limit / 10:g}%"
