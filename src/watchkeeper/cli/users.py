"""`watchkeeper users`."""

import sys
from getpass import getpass
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

_COLUMNS = (Column("name"), Column("created"), Column("state", is_state=True))
_Password = Annotated[
    str | None,
    Parameter(
        help="Better left out: it is then asked for, or read from standard input, and no list of processes shows it."
    ),
]


def add(name: str, *, password: _Password = None, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Add a user who may sign in to the console."""
    made = client.post(data, "/api/v1/users", name=name, password=_asked() if password is None else password)
    if json:
        show.document(made)
    else:
        show.line(f"added {made['name']}")


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the users."""
    found = client.get(data, "/api/v1/users")
    if json:
        show.document(found)
        return
    rows = [
        (user["name"], user["created_at"][:16].replace("T", " "), "disabled" if user["is_disabled"] else "enabled")
        for user in found["users"]
    ]
    show.table(_COLUMNS, rows)


def password(name: str, *, password: _Password = None, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Change a user's password; their sessions end."""
    wanted = _asked() if password is None else password
    changed = client.post(data, f"/api/v1/users/{client.part(name)}/password", password=wanted)
    if json:
        show.document(changed)
    else:
        show.line(f"changed the password of {changed['name']}, whose sessions have ended")


def disable(name: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Keep a user out from now on; their sessions end."""
    changed = client.post(data, f"/api/v1/users/{client.part(name)}/disable")
    if json:
        show.document(changed)
    else:
        show.line(f"disabled {changed['name']}, whose sessions have ended")


def enable(name: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Let a user in again."""
    changed = client.post(data, f"/api/v1/users/{client.part(name)}/enable")
    if json:
        show.document(changed)
    else:
        show.line(f"enabled {changed['name']}")


def link(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Make a link that signs in to the console once, within 15 minutes; put the console's address in front of it."""
    made = client.post(data, "/api/v1/login-links")
    if json:
        show.document(made)
    else:
        show.line(made["path"])


def _asked() -> str:
    """Ask twice at a terminal; elsewhere the first line of standard input is the password."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    wanted = getpass("Password: ")
    if getpass("Once more: ") != wanted:
        raise CommandFailed("The two passwords differ; nothing was done. Try again.", exit_code=WRONG_USAGE)
    return wanted
