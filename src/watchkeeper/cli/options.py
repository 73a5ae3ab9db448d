"""Options that every command takes, and how spans of time, shares and ids of keys are read."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.access.keys import PREFIX, public_id_of
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.core.money import nusd

DATA_DEFAULT = Path("data")

Data = Annotated[Path, Parameter(name="--data", env_var="WATCHKEEPER_DATA", help="Data folder of the installation.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document and nothing else.")]

_SPAN = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%")
_DOLLARS = re.compile(r"\$?(\d{1,9}(?:\.\d{1,9})?)(?: ?USD)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span_s(option: str, text: str) -> int:
    """Read a span of time in seconds: 90s, 15m, 1h, 30d, 2w.

    Raises:
        CommandFailed: it is none.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise CommandFailed(f"{option} is {text!r}; write a span such as 90s, 15m, 1h or 30d.", exit_code=WRONG_USAGE)
    return int(found[1]) * _SECONDS[found[2]]


def share(option: str, text: str) -> float:
    """Read a share: 10% is 0.1.

    Raises:
        CommandFailed: it is none, or not above 0% and at most 100%.
    """
    found = _SHARE.fullmatch(text.strip())
    part = float(found[1]) / 100 if found is not None else 0.0
    if not 0 < part <= 1:
        raise CommandFailed(
            f"{option} is {text!r}; write a share above 0% and at most 100%, such as 10%.", exit_code=WRONG_USAGE
        )
    return part


def dollars_nusd(option: str, text: str) -> int | None:
    """Read an amount in US dollars; None where nothing is written.

    Raises:
        CommandFailed: it is none.
    """
    if not text:
        return None
    found = _DOLLARS.fullmatch(text.strip())
    if found is None:
        raise CommandFailed(
            f"{option} is {text!r}; write an amount in US dollars, such as 2.50.", exit_code=WRONG_USAGE
        )
    return nusd(found[1])


def key_id(text: str, *, instead: str) -> str:
    """Read the id of a key; a whole key is refused, since it should not have come here.

    Args:
        text: What was typed.
        instead: What to type, with `ID` in the place of the key's id.

    Raises:
        CommandFailed: it is a whole key.
    """
    given = text.strip()
    if given.startswith(PREFIX) and "-" in given.removeprefix(PREFIX):
        raise CommandFailed(
            "A whole key is not taken here, because every account of this host can read the list of processes; "
            f"nothing was done. Give its id: `{instead.replace('ID', public_id_of(given) or 'ID')}`.",
            exit_code=WRONG_USAGE,
        )
    return given.removeprefix(PREFIX)
