"""`watchkeeper changes`."""

import json as _json
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

NOTHING = "–"

_COLUMNS = (
    Column("time (UTC)"),
    Column("by"),
    Column("kind", leaves=2),
    Column("what", shrinks_to=20),
    Column("before → after", leaves=1),
)


def changes(
    *,
    since: Annotated[str, Parameter(help="Span back from now (15m, 1h, 7d) or a time (2026-11-03T14:05).")] = "7d",
    until: Annotated[str, Parameter(help="As --since; the end is not included.")] = "",
    kind: Annotated[str, Parameter(help="Only key, user, token, budget, fault, access, or another kind.")] = "",
    actor: Annotated[str, Parameter(help="Only what this user, token:NAME or local did.")] = "",
    feature: Annotated[str, Parameter(help="Only what belongs to this feature.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List what was changed in the set-up, when and by whom, oldest first."""
    found = client.get(data, "/api/v1/changes", since=since, until=until, kind=kind, actor=actor, feature=feature)
    if json:
        show.document(found)
        return
    rows = [
        (
            change["at"][:19].replace("T", " "),
            change["actor"],
            change["kind"],
            change["summary"],
            difference(change["detail"]),
        )
        for change in found["changes"]
    ]
    show.table(_COLUMNS, rows)


def difference(detail: dict[str, Any]) -> str:
    """Say what a change changed, field by field; empty where it says nothing of before and after."""
    before, after = _fields(detail.get("before")), _fields(detail.get("after"))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return "; ".join(f"{name}: {_word(before.get(name))} → {_word(after.get(name))}" for name in names)


def _fields(said: Any) -> dict[str, Any]:
    """What a change says of one side; a bare value is what the whole was."""
    return said if isinstance(said, dict) else {"it": said} if said else {}


def _word(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NOTHING
    return value if isinstance(value, str) else _json.dumps(value, ensure_ascii=False)
