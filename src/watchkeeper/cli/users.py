"""`watchkeeper users`."""

from getpass import getpass
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json


def add(
    name: str,
    *,
    password: Annotated[
        str | None, Parameter(help="Asked for when it is left out, which keeps it out of the shell's history.")
    ] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a user who may sign in to the console."""
    made = client.post(data, "/api/v1/users", name=name, password=getpass() if password is None else password)
    if json:
        show.document(made)
    else:
        show.line(f"added {made['name']}")


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the users."""
    found = client.get(data, "/api/v1/users")
    if json:
        show.document(found)
    else:
        show.table(("name", "created"), ((user["name"], user["created_at"][:16]) for user in found["users"]))


def link(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Make a link that signs in to the console once, within 15 minutes; put the console's address in front of it."""
    made = client.post(data, "/api/v1/login-links")
    if json:
        show.document(made)
    else:
        show.line(made["path"])
