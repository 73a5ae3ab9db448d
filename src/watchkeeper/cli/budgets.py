"""`watchkeeper budgets`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.cli.table import group_of

_COLUMNS = (
    Column("account", shrinks_to=16),
    Column("used", is_right=True),
    Column("limit", is_right=True),
    Column("share", is_right=True),
    Column("left", is_right=True, leaves=5),
    Column("leased", is_right=True, leaves=1),
    Column("unresolved", is_right=True, leaves=3),
    Column("mode", leaves=4),
    Column("resets", leaves=6),
    Column("refused", is_right=True, leaves=2),
)
_HOLDS = (
    Column("row", is_right=True),
    Column("state", is_state=True),
    Column("account", shrinks_to=16),
    Column("held", is_right=True),
    Column("settled", is_right=True, leaves=1),
    Column("call", leaves=3),
    Column("at", leaves=2),
)
_Key = Annotated[str, Parameter(help="From `budgets list`.")]
_Amount = Annotated[str, Parameter(help="In US dollars; of budgets of tokens or calls, so many.")]
_SIGNS = {"usd": "${}", "tokens": "{} tokens", "calls": "{} calls"}


def list_(
    *,
    top: Annotated[int, Parameter(help="Of each budget so many accounts, those that used most.")] = 100,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List the accounts of all budgets, the fullest first; without a keeper, as it left them."""
    found = client.get(data, "/api/v1/budgets", top=top)
    if json:
        show.document(found)
        return
    show.table(_COLUMNS, [_row(account) for account in found["accounts"]])
    counted = {account["budget"] for account in found["accounts"]}
    for budget in found["budgets"]:
        if budget["id"] not in counted:
            limit = _said(budget["limit"], budget["unit"])
            show.note(f"{budget['id']}: {limit}, {budget['window']}, {budget['mode']}; no call has counted against it")
    if found["unresolved_holds"]:
        show.note(f"{found['unresolved_holds']} holds must be resolved; see `watchkeeper budgets holds`")


def show_(key: _Key, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show how one account stands."""
    found = client.get(data, "/api/v1/budgets/account", key=key)
    if json:
        show.document(found)
        return
    account, unit = found["account"], found["account"]["unit"]
    scope = ", ".join(f"{kind} {value}" for kind, value in account["scope"].items())
    show.heading(f"{account['budget']} ({account['mode']}): {scope}")
    said = {name: _said(account[name], unit) for name in ("settled", "limit", "leased", "unresolved", "left")}
    show.line(f"used        {said['settled']} of {said['limit']} ({_share(account)})")
    show.line(f"leased      {said['leased']}")
    show.line(f"unresolved  {said['unresolved']}")
    show.line(f"left        {said['left']}")
    show.line(f"window      {_moment(account['window_start'])} to {_moment(account['window_end'])}")
    counts = (account["refused"], account["would_refuse"], account["unpriced_calls"])
    show.line("refused     {} questions; would have refused {} calls; {} calls unpriced".format(*counts))
    if found["rows"]:
        show.table(_HOLDS, [_hold(row) for row in found["rows"]])


def holds(
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Also what is resolved or booked by hand.")
    ] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List holds of workers that died before their calls were recorded; each waits for `budgets resolve`."""
    found = client.get(data, "/api/v1/budgets/holds", all=all_ or None)
    if json:
        show.document(found)
    else:
        show.table(_HOLDS, [_hold(row) for row in found["holds"]])


def resolve(
    row: Annotated[int, Parameter(help="From `budgets holds`.")],
    *,
    amount: Annotated[str, Parameter(help="What the call used, in US dollars, tokens or calls.")] = "",
    release: Annotated[bool, Parameter(negative="", help="The call used nothing.")] = False,
    reason: str = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Book what a call used that was never recorded; the rest of its hold is available again."""
    if bool(amount) == release:
        raise CommandFailed(
            "What the call used is not clear; nothing was booked. Name an --amount, or --release it.",
            exit_code=WRONG_USAGE,
        )
    path = f"/api/v1/budgets/holds/{row}/resolve"
    done = client.post(data, path, amount="0" if release else amount, reason=reason)
    if json:
        show.document(done)
    else:
        unit = done["unit"]
        show.line(
            f"{done['state']} hold {done['id']} on {done['account']}: "
            f"{_said(done['settled'], unit)} of {_said(done['held'], unit)}"
        )


def top_up(
    key: _Key,
    amount: _Amount,
    *,
    reason: Annotated[str, Parameter(help="Kept with the row and in the list of changes.")],
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Let an account use more in its present window."""
    done = client.post(data, "/api/v1/budgets/top-ups", key=key, amount=amount, reason=reason)
    if json:
        show.document(done)
    else:
        account = done["account"]
        show.line(f"{account['key']} has {_said(account['left'], account['unit'])} left")


def verify(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Check that every account's sum is that of its charges and rows; fails when one is not."""
    found = client.get(data, "/api/v1/budgets/verify")
    if json:
        show.document(found)
    if not found["adds_up"]:
        named = ", ".join(one["key"] for one in found["differences"][:5])
        raise CommandFailed(
            f"{len(found['differences'])} accounts do not add up: {named}. "
            "A call that is just being stored shows here for a moment; ask again, then see --json."
        )
    if not json:
        show.line(f"{found['accounts']} accounts add up")


def _row(account: dict[str, Any]) -> tuple[str, ...]:
    unit = account["unit"]
    return (
        account["key"], _said(account["settled"], unit), _said(account["limit"], unit), _share(account),
        _said(account["left"], unit), _said(account["leased"], unit), _said(account["unresolved"], unit),
        account["mode"], _moment(account["window_end"]), str(account["refused"]),
    )  # fmt: skip


def _hold(row: dict[str, Any]) -> tuple[str, ...]:
    unit = row["unit"]
    settled = "" if row["settled"] is None else _said(row["settled"], unit)
    call = row["call"] or row["reason"]
    return str(row["id"]), row["state"], row["account"], _said(row["held"], unit), settled, call, _moment(row["at"])


def _said(amount: str, unit: str) -> str:
    return _SIGNS[unit].format(amount)


def _share(account: dict[str, Any]) -> str:
    share = account["used_share"]
    return "" if share is None else f"{100 * share:.1f}%"


def _moment(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "never"


group = group_of("budgets")
group.default(list_)
