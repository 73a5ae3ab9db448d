"""Alerts on sessions that the guard has stopped, and on holds that nobody has resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark
from watchkeeper.core.money import BudgetUnit
from watchkeeper.watch.standing import compare
from watchkeeper.watch.wording import amount, calls_link, moment

RUNAWAY: AlertKind = "runaway"
EXPIRED: AlertKind = "hold_expired"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What the guard has stopped in the last hour: a session, or a key whose calls name none."""

    feature: str
    session: str
    key_id: str
    calls: int
    first_at: datetime
    last_call: str
    """Id of the newest call that was refused; its message says why."""


@dataclass(frozen=True, slots=True)
class OpenHold:
    """What a call of a dead worker had set aside."""

    account: str
    unit: BudgetUnit
    held: int
    at: datetime


def look_at_runaways(found: Sequence[Stopped], marks: Mapping[str, Mark], *, console: str = "") -> tuple[Findings, ...]:
    """Say once of each session that it was stopped; it is over when nothing of it was refused for an hour."""
    present = {_key(one): _runaway(one, console) for one in found}
    return compare(RUNAWAY, present, marks, over="No call of it has been refused for an hour.")


def look_at_holds(found: Sequence[OpenHold], marks: Mapping[str, Mark]) -> tuple[Findings, ...]:
    """Say once of each account that holds must be resolved; it is over when all of them are."""
    accounts = list(dict.fromkeys(hold.account for hold in found))
    present = {key: _expired(key, [hold for hold in found if hold.account == key]) for key in accounts}
    return compare(EXPIRED, present, marks, over="All of its holds are resolved.")


def _key(one: Stopped) -> str:
    return f"{one.feature}, session {one.session}" if one.session else f"{one.feature}, key {one.key_id}"


def _runaway(one: Stopped, console: str) -> AlertDraft:
    who = f"A session of feature {one.feature}" if one.session else f"A client of feature {one.feature}"
    scope = {"session": one.session} if one.session else {"key": one.key_id}
    calls = f"{one.calls:,} {'call' if one.calls == 1 else 'calls'}"
    return AlertDraft(
        kind=RUNAWAY,
        key=_key(one),
        severity="critical",
        title=f"{who} was stopped: {calls} refused",
        text=(
            f"{who} seems to run away: the guard has refused {calls} since {moment(one.first_at)} "
            f"({_key(one)}). Nothing of them was sent upstream.\n"
            f"Why: `watchkeeper call {one.last_call}`; all of it: {calls_link(console, scope)}\n"
            "What to do: stop the agent or mend its loop. If it is meant to go on that long, raise `runaway` in the "
            "configuration."
        ),
        facts={
            "feature": one.feature,
            "session": one.session or None,
            "key": one.key_id,
            "calls": one.calls,
            "first_at": one.first_at.isoformat(),
            "last_call": one.last_call,
        },
    )


def _expired(account: str, holds: Sequence[OpenHold]) -> AlertDraft:
    held = sum(hold.held for hold in holds)
    first = min(hold.at for hold in holds)
    unit = holds[0].unit
    calls = f"{len(holds):,} {'call' if len(holds) == 1 else 'calls'}"
    return AlertDraft(
        kind=EXPIRED,
        key=account,
        severity="warning",
        title=f"{amount(held, unit)} of {account} is held by {calls} that nobody knows the cost of",
        text=(
            f"A worker died while {calls} of {account} were under way, the first at {moment(first)}. No record tells "
            f"what they used, so {amount(held, unit)} that they had set aside is not available to others.\n"
            "Which ones: `watchkeeper budgets holds`\n"
            "What to do: ask the provider what it has billed, then `watchkeeper budgets resolve ROW --amount AMOUNT`, "
            "or `--release` where it has billed nothing."
        ),
        facts={"account": account, "calls": len(holds), "held": held, "unit": unit, "first_at": first.isoformat()},
    )
