"""The SQL files, by name; and how a filter becomes a WHERE clause whose values are always bound, never written."""

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from watchkeeper.core.ids import CallId, made_at_ms
from watchkeeper.store.rows import NAMED_COLUMNS, CallFilter

Parameters = dict[str, Any]

_EQUAL = {
    "feature": "feature",
    "tenant": "tenant",
    "subject": "subject",
    "session": "session",
    "key_id": "key_id",
    "environment": "environment",
    "release": "release",
    "rollout": "rollout",
    "origin": "origin",
    "output_status": "output_status",
    "route": "route",
    "provider": "provider",
    "model": "model",
    "status": "status",
    "error_class": "error_class",
    "trace_id": "trace_id",
    "served_from": "served_from",
}
"""Fields of `CallFilter` that a column must equal."""

_HAS = {"document": "hit_documents", "tag": "tags", "fault": "faults", "budget_note": "budget_notes"}
"""Fields of `CallFilter` that a column must hold."""
_COST_STATUS = (
    "if(cost_status = 'unpriced' AND id IN (SELECT call_id FROM corrections),"
    " if(usage_status = 'measured', 'measured', 'estimated'), cost_status)"
)
"""As the questions about cost count it."""
_WHERE_SET = {
    "since": "started_at >= {since:DateTime64(6)}",
    "until": "started_at < {until:DateTime64(6)}",
    "features": "feature IN {features:Array(String)}",
    "cost_status": f"{_COST_STATUS} = {{cost_status:String}}",
    "is_stream": "is_stream = {is_stream:Bool}",
    "min_cost_nusd": "cost_nusd >= {min_cost_nusd:Int64}",
    "min_duration_ms": "duration_ms >= {min_duration_ms:Float64}",
}
"""What a field of `CallFilter` asks where it is not None."""
SEARCH_WORDS_MAX = 16
ID_SLACK = timedelta(hours=3)
"""A call's start may lie this long before the time in its id: the id is made when the body has arrived."""


def near(call_id: CallId) -> Parameters:
    """Bind a call's id, and the stretch of time in which it can have started."""
    made_at = datetime.fromtimestamp(made_at_ms(call_id) / 1000, UTC)
    return {"id": call_id, "from": made_at - ID_SLACK, "to": made_at + ID_SLACK}


@cache
def sql(name: str) -> str:
    """Return a question's text: `calls` is `sql/analytics/calls.sql`."""
    return (files("watchkeeper.store") / "sql" / "analytics" / f"{name}.sql").read_text()


def migrations() -> list[tuple[int, str]]:
    """List the schema's steps in order: number and statements."""
    folder = files("watchkeeper.store") / "sql" / "analytics" / "migrations"
    steps = sorted((entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), text) for name, text in steps]


def where(chosen: CallFilter, *, before: str | None = None) -> tuple[str, Parameters]:
    """Write the conditions of a filter and the values they refer to."""
    terms: list[str] = []
    values: Parameters = {}

    def add(term: str, name: str, value: Any) -> None:
        terms.append(term)
        values[name] = value

    if before is not None:
        add("id < {before:String}", "before", before)
    for field, term in _WHERE_SET.items():
        if (given := getattr(chosen, field)) is not None:
            add(term, field, _bound(given))
    for field, column in _EQUAL.items():
        value: str = getattr(chosen, field)
        if value:
            add(f"{column} = {{{field}:String}}", field, value)
    for field, column in _HAS.items():
        if wanted := getattr(chosen, field):
            add(f"has({column}, {{{field}:String}})", field, wanted)
    terms += [f"empty({name})" for name in chosen.without if name in NAMED_COLUMNS]
    found = search_words(chosen.search)
    if found:
        add("hasAllTokens(words, {search:Array(String)})", "search", found)
    elif chosen.search.strip():
        terms.append("false")
    return " AND ".join(terms) or "true", values


def search_words(text: str) -> list[str]:
    """Cut a search into words as the text index does: letters and digits in lower case; accented letters join them."""
    letters = "".join(letter if letter.isalnum() or ord(letter) > 127 else " " for letter in text.lower())
    return letters.split()[:SEARCH_WORDS_MAX]


def _bound(given: Any) -> Any:
    match given:
        case datetime():
            return given.astimezone(UTC)
        case frozenset():
            return sorted(given)
        case _:
            return given
