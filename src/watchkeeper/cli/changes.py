"""`watchkeeper changes`."""

from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_COLUMNS = (Column("time (UTC)"), Column("by"), Column("kind", leaves=1), Column("what", may_shrink=True))


def changes(
    *,
    since: Annotated[str, Parameter(help="Span back from now (15m, 1h, 7d) or a time (2026-11-03T14:05).")] = "7d",
    until: Annotated[str, Parameter(help="As --since; the end is not included.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List what was changed in the set-up, when and by whom, oldest first."""
    found = client.get(data, "/api/v1/changes", since=since, until=until)
    if json:
        show.document(found)
        return
    rows = [
        (change["at"][:19].replace("T", " "), change["actor"], change["kind"], change["summary"])
        for change in found["changes"]
    ]
    show.table(_COLUMNS, rows)
