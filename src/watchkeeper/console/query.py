"""The calls a page asks for, as they stand in the URL: every filter is one readable parameter."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import get_args
from urllib.parse import urlencode

from watchkeeper.console.window import Window, read_window
from watchkeeper.core import money
from watchkeeper.core.call import Origin, OutputStatus
from watchkeeper.store.rows import NAMED_COLUMNS, CallFilter

DEFAULT_WINDOW = "24h"
DEFAULT_WINDOWS = {"/cost": "7d", "/budgets": "7d"}
"""By page, where it is another."""
TEXT_LENGTH_MAX = 200
LIST_PATH = "/calls"

TEXT_FIELDS = {
    "status": "status",
    "error": "error_class",
    "feature": "feature",
    "tenant": "tenant",
    "subject": "subject",
    "session": "session",
    "key": "key_id",
    "environment": "environment",
    "release": "release",
    "rollout": "rollout",
    "origin": "origin",
    "output": "output_status",
    "route": "route",
    "provider": "provider",
    "model": "model",
    "tag": "tag",
    "trace": "trace_id",
    "served": "served_from",
    "fault": "fault",
    "document": "document",
    "budget": "budget_note",
    "q": "search",
}
"""URL parameter -> field of `CallFilter`, for those that are plain text."""

LABELS = {
    "status": "Status",
    "error": "Error",
    "feature": "Feature",
    "tenant": "Tenant",
    "subject": "Subject",
    "session": "Session",
    "key": "Key",
    "environment": "Environment",
    "release": "Release",
    "rollout": "Rollout",
    "origin": "Origin",
    "output": "Output",
    "route": "Route",
    "provider": "Provider",
    "model": "Model",
    "tag": "Tag",
    "trace": "Trace",
    "served": "Served from",
    "fault": "Fault",
    "document": "Document",
    "q": "Text",
    "stream": "Streamed",
    "cost": "Cost",
    "budget": "Budget",
    "without": "Without",
    "min_cost": "Cost from, USD",
    "min_duration": "Duration from, ms",
}
"""What a reader calls each parameter."""


ORIGINS: tuple[Origin, ...] = get_args(Origin)
OUTPUT_STATUSES = tuple(one for one in get_args(OutputStatus) if one)
COST_STATUSES: tuple[money.CostStatus, ...] = get_args(money.CostStatus)
WITHOUT = {{"key_id": "key", "tags": "tag"}.get(column, column): column for column in NAMED_COLUMNS}
"""What a call may lack, by the name it has in URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """What the URL asked for, read once."""

    chosen: dict[str, str] = field(default_factory=dict[str, str])
    """The filters that are set, by URL parameter, in the order of `LABELS`."""
    window: Window
    before: str = ""
    """Cursor: calls older than this id."""
    is_live: bool = False
    """Whether the list follows what arrives."""
    problems: tuple[str, ...] = ()
    """What in the URL was not understood and has been left out."""
    path: str = ""
    """The page's own, where it has parameters of its own."""
    own: dict[str, str] = field(default_factory=dict[str, str])
    """Parameters of the page itself: they go along to the same page and to no other."""

    def url(self, path: str, **changes: str) -> str:
        """Write the URL of this query with some parameters changed; an empty value removes one.

        The cursor is dropped, because it means nothing in another list; pass `before` to set it.
        """
        parameters = self.chosen | self.window.parameters()
        if path == self.path:
            parameters |= self.own
        if self.is_live and path == LIST_PATH:
            parameters["live"] = "1"
        if "window" in changes or "since" in changes or "until" in changes:
            parameters = {k: v for k, v in parameters.items() if k not in ("window", "since", "until")}
        parameters = {name: value for name, value in (parameters | changes).items() if value}
        if parameters.get("window") == DEFAULT_WINDOWS.get(path, DEFAULT_WINDOW):
            del parameters["window"]
        return f"{path}?{urlencode(parameters)}" if parameters else path

    def call_filter(self, **changes: str) -> CallFilter:
        """Return the store's form of this query, with some parameters changed."""
        chosen = self.chosen | changes
        texts = {name: chosen.get(parameter, "") for parameter, name in TEXT_FIELDS.items()}
        return CallFilter(
            since=self.window.since,
            until=self.window.until,
            is_stream={"yes": True, "no": False}.get(chosen.get("stream", "")),
            cost_status=next((status for status in COST_STATUSES if status == chosen.get("cost")), None),
            without=tuple(WITHOUT[name] for name in chosen.get("without", "").split(",") if name in WITHOUT),
            min_cost_nusd=money.nusd(chosen["min_cost"]) if "min_cost" in chosen else None,
            min_duration_ms=float(chosen["min_duration"]) if "min_duration" in chosen else None,
            features=None,
            **texts,
        )


def address(path: str, **parameters: str) -> str:
    """Write a path with the parameters that are not empty."""
    found = urlencode({name: value for name, value in parameters.items() if value})
    return f"{path}?{found}" if found else path


def read_query(parameters: dict[str, str], *, now: datetime, default_window: str = DEFAULT_WINDOW) -> CallQuery:
    """Read a URL's parameters; nothing a person can type makes it fail."""
    problems: list[str] = []
    given = {name: value.strip()[:TEXT_LENGTH_MAX] for name, value in parameters.items()}
    chosen = {}
    for name in LABELS:
        value = given.get(name, "")
        if value and _is_understood(name, value, problems):
            chosen[name] = value
    window = read_window(given, now=now, default=default_window, problems=problems)
    return CallQuery(
        chosen=chosen,
        window=window,
        before=given.get("before", ""),
        is_live=given.get("live") == "1",
        problems=tuple(problems),
    )


def _is_understood(name: str, value: str, problems: list[str]) -> bool:
    if name == "stream" and value not in ("yes", "no"):
        problems.append(f"“{value}” says neither yes nor no to streamed calls; it was ignored.")
        return False
    if name == "cost" and value not in COST_STATUSES:
        problems.append(f"“{value}” says nothing of a cost; it may be {', '.join(COST_STATUSES)}. It was ignored.")
        return False
    if name == "origin" and value not in ORIGINS:
        problems.append(f"“{value}” is no origin of a call; it may be {', '.join(ORIGINS)}. It was ignored.")
        return False
    if name == "output" and value not in OUTPUT_STATUSES:
        problems.append(f"“{value}” says nothing of an output; it may be {', '.join(OUTPUT_STATUSES)}. It was ignored.")
        return False
    if name == "without" and not set(value.split(",")) <= WITHOUT.keys():
        problems.append(f"“{value}” cannot be missing; there are {', '.join(WITHOUT)}. It was ignored.")
        return False
    if name in ("min_cost", "min_duration"):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not (number.is_finite() and 0 <= number < 10**9):
            problems.append(f"“{value}” is not an amount ({LABELS[name]}); it was ignored.")
            return False
    return True
