"""`watchkeeper release at`."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.release import Environment
from watchkeeper.core.clock import SystemClock

AHEAD_S = 1.0
"""What is live in the next moment is decided already; the API knows how far exactly."""


def at(
    feature: Annotated[str, Parameter(help="`*` for every one.")],
    time_: Annotated[str, Parameter(name="TIME", help="Such as `2026-11-03 14:05`.")],
    *,
    env: Environment = "production",
    tz: Annotated[str, Parameter(help="Zone of the time and of the answer, such as Europe/Berlin.")] = "UTC",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say what was live at a moment, with the shares of what was tried, and who brought it, why, approved by whom."""
    when = moment_of(time_, tz)
    if when.timestamp() > SystemClock().unix_ns() / 1e9 + AHEAD_S:
        raise CommandFailed(f"{_in_zone(when, tz)} is not yet.", exit_code=WRONG_USAGE)
    query = {"feature": feature, "environment": env, "at": when.isoformat()}
    found = client.get(data, "/api/v1/environments/at", **query)
    if json:
        show.document(found)
        return
    if not found["standings"]:
        show.line(f"nothing of {feature} was live in {env} at {_in_zone(when, tz)}")
    for standing in found["standings"]:
        _say(standing, tz)


def moment_of(text: str, tz: str) -> datetime:
    """Read a moment as a person writes it; with an offset (`+01:00`, `Z`) the zone does not matter.

    Raises:
        CommandFailed: it is none, or the zone's clocks showed it never or twice.
    """
    try:
        zone = ZoneInfo(tz)
        found = datetime.fromisoformat(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandFailed(
            f"{text!r} in {tz!r} is no moment; write `2026-11-03 14:05`, with seconds where you like, and a zone such "
            "as Europe/Berlin.",
            exit_code=WRONG_USAGE,
        ) from None
    if found.tzinfo is not None:
        return found
    early, late = (found.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != found:
        raise CommandFailed(f"The clocks of {tz} never showed {text}: they were set forward.", exit_code=WRONG_USAGE)
    if early.utcoffset() != late.utcoffset():
        raise CommandFailed(
            f"The clocks of {tz} showed {text} twice. Say which: {early.isoformat(' ')} or {late.isoformat(' ')}.",
            exit_code=WRONG_USAGE,
        )
    return early


def _say(standing: dict[str, Any], tz: str) -> None:
    """Say what served, what brought the release that stood, and what was tried beside it."""
    origin = standing["origin"]
    shares = ", ".join(f"{share['release']} {100 * share['share']:g}%" for share in standing["shares"])
    until = f"until {_read(standing['until'], tz)}" if standing["until"] else "and is still"
    show.line(f"{standing['feature']}  {shares or 'nothing'}  since {_read(standing['since'], tz)} {until}")
    approved = f", approved by {', '.join(map(show.plain, origin['approved_by']))}" if origin["approved_by"] else ""
    review = f", review {origin['review']}{approved}" if origin["review"] else ""
    run = f", run {show.plain(origin['eval_run'])}" if origin["eval_run"] else ""
    what = f"{standing['release']} stands since {_read(origin['since'], tz)}: " if standing["release"] else ""
    show.line(f"  {what}{_why(origin)}{review}{run}")
    if standing["since"] != origin["since"]:
        show.line(f"  last of all: {_why(standing)}")


def _why(row: dict[str, Any]) -> str:
    return f"{row['kind']} by {show.plain(row['by'])}: {show.plain(row['reason']) or 'no reason'}"


def _read(text: str, tz: str) -> str:
    return _in_zone(datetime.fromisoformat(text), tz)


def _in_zone(when: datetime, tz: str) -> str:
    """Write a moment by the clocks of a zone, with its offset where that is not the same all year."""
    there = when.astimezone(ZoneInfo(tz)).replace(tzinfo=None).isoformat(" ")
    offset = "" if tz == "UTC" else f" ({when.astimezone(ZoneInfo(tz)):%z})"
    return f"{there} {tz}{offset}"
