"""`watchkeeper users`."""

import sys
from getpass import getpass
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.access.roles import ALL, Role
from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("name"),
    Column("created", leaves=2),
    Column("signs in", leaves=1),
    Column("roles", shrinks_to=20),
    Column("state", is_state=True),
)
_GRANT_COLUMNS = (
    Column("role"),
    Column("of"),
    Column("given by"),
    Column("at"),
)
_Password = Annotated[
    str | None,
    Parameter(
        help="Better left out: it is then asked for, or read from standard input, and no list of processes shows it."
    ),
]


_Feature = Annotated[str, Parameter(help="For this feature only.")]


def add(
    name: str,
    *,
    role: Annotated[
        Role | None, Parameter(help="What they may do at first. Without it the first user is an admin, others viewers.")
    ] = None,
    feature: _Feature = ALL,
    password: _Password = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a user who may sign in to the console."""
    wanted = _asked() if password is None else password
    made = client.post(data, "/api/v1/users", name=name, password=wanted, role=role, feature=feature)
    if made["note"]:
        show.note(made["note"])
    if json:
        show.document(made)
    else:
        show.line(f"added {made['name']}, {_roles(made)}")


def grant(name: str, role: Role, *, feature: _Feature = ALL, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Give a user a role; it holds from their next request on."""
    _changed(client.post(data, f"/api/v1/users/{client.part(name)}/grant", role=role, feature=feature), json=json)


def withdraw(name: str, role: Role, *, feature: _Feature = ALL, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Take a role from a user; from their next request on they do not have it."""
    _changed(client.post(data, f"/api/v1/users/{client.part(name)}/withdraw", role=role, feature=feature), json=json)


def show_(name: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show a user and each of their roles: for which feature, given by whom."""
    found = client.get(data, f"/api/v1/users/{client.part(name)}")
    if json:
        show.document(found)
        return
    show.heading(f"{found['name']}, {_state(found)}, signs in {_WAYS[found['origin']]}")
    rows = [
        (one["role"], _of(one["feature"]), _giver(one), one["granted_at"][:16].replace("T", " "))
        for one in found["grants"]
    ]
    show.table(_GRANT_COLUMNS, rows)


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the users and their roles."""
    found = client.get(data, "/api/v1/users")
    if json:
        show.document(found)
        return
    rows = [
        (user["name"], user["created_at"][:16].replace("T", " "), _WAYS[user["origin"]], _roles(user), _state(user))
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


def hand_over(name: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Let a local user sign in with the provider from now on; their password ends, their roles stay."""
    changed = client.post(data, f"/api/v1/users/{client.part(name)}/hand-over")
    if json:
        show.document(changed)
    else:
        show.line(f"{changed['name']} signs in with the provider from now on")


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


_WAYS = {"local": "with a password", "oidc": "with the provider"}


def _changed(user: dict[str, Any], *, json: bool) -> None:
    if user.get("note"):
        show.note(user["note"])
    if json:
        show.document(user)
    else:
        show.line(f"{user['name']} is {_roles(user)}")


def _roles(user: dict[str, Any]) -> str:
    """Say what somebody is: each role once for a feature, whoever gave it."""
    return ", ".join(dict.fromkeys(f"{one['role']} of {_of(one['feature'])}" for one in user["grants"])) or "nothing"


def _of(feature: str) -> str:
    return "every feature" if feature == ALL else feature


def _giver(grant: dict[str, Any]) -> str:
    return f"the provider, through {grant['granted_by']}" if grant["origin"] == "oidc" else grant["granted_by"]


def _state(user: dict[str, Any]) -> str:
    return "disabled" if user["is_disabled"] else "enabled"


def _asked() -> str:
    """Ask twice at a terminal; elsewhere the first line of standard input is the password."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    wanted = getpass("Password: ")
    if getpass("Once more: ") != wanted:
        raise CommandFailed("The two passwords differ; nothing was done. Try again.", exit_code=WRONG_USAGE)
    return wanted
