"""Options that every command takes, and how spans of time are read."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed

DATA_DEFAULT = Path("data")

Data = Annotated[Path, Parameter(name="--data", env_var="WATCHKEEPER_DATA", help="Data folder of the installation.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document and nothing else.")]

_SPAN = re.compile(r"(\d{1,6})(s|m|h|d|w)")
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
