"""Calls: the list, its facets, and the form that narrows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.console.pages.badges import Badge, row_badges
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.query import LABELS, CallQuery
from watchkeeper.console.window import ALL
from watchkeeper.store.rows import CallPage, CallRow, Facet

PAGE_SIZE = 50
FACETS = {
    "status": "status",
    "error_class": "error",
    "feature": "feature",
    "tenant": "tenant",
    "model": "model",
    "provider": "provider",
    "key_id": "key",
}
"""Fields that are counted beside the list, each with its URL parameter, in the order of the page."""
FACET_VALUES_MAX = 8
FORM_FIELDS = (
    "subject",
    "session",
    "tag",
    "trace",
    "route",
    "environment",
    "release",
    "rollout",
    "output",
    "origin",
    "served",
    "fault",
    "stream",
    "min_cost",
    "min_duration",
)
"""URL parameters that are typed rather than picked from a facet."""
_HINTS = {
    "subject": "an end user's id",
    "release": "wk1-...",
    "output": "ok, repaired, failed",
    "origin": "client, shadow, replay",
    "served": "cache, set_answer, ...",
    "stream": "yes or no",
    "min_cost": "0.01",
    "min_duration": "2000",
}
PREVIEW_LENGTH = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMark:
    """How a call ended: a shape and a word, never colour alone."""

    kind: str
    """`ok`, `error` or `cancelled`; names the shape and the colour."""
    word: str
    http_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLine:
    """One row of the list."""

    id: str
    href: str
    at: str
    status: StatusMark
    feature: str
    tenant: str
    model: str
    provider: str
    attempts: int
    badges: tuple[Badge, ...]
    input_tokens: str
    output_tokens: str
    are_tokens_estimated: bool
    cost: str
    cost_exact: str
    cost_status: str
    duration_ms: str
    first_token_ms: str
    preview: str
    """How the question begins; the answer, where no question was recorded."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value and how often it occurs."""

    name: str
    count: str
    href: str
    """Chooses the value, or drops it when it is chosen."""
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class FacetGroup:
    """The values of one field."""

    label: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set, with the link that drops it."""

    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One typed filter."""

    name: str
    label: str
    value: str
    hint: str
    """What may be typed; empty where the label says it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Calls that have arrived since the last look."""

    lines: tuple[CallLine, ...]
    """Newest first."""
    href: str
    """Where to look next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsPage:
    """The page."""

    picker: Picker
    search: str
    kept: tuple[tuple[str, str], ...]
    """Parameters the search form must carry along."""
    chips: tuple[Chip, ...]
    clear_href: str
    fields: tuple[FormField, ...]
    fields_kept: tuple[tuple[str, str], ...]
    """Parameters the form of typed filters must carry along."""
    facets: tuple[FacetGroup, ...]
    lines: tuple[CallLine, ...]
    problems: tuple[str, ...]
    first_href: str
    """The newest page; empty when this is it."""
    older_href: str
    """Empty on the last page."""
    live_href: str
    """Follows this list, or stops doing so; empty when it has an end and cannot grow."""
    tail: Tail | None
    """Set while the list is followed."""
    wider_href: str
    """The same question over all time; empty when it is asked already."""
    count: str
    """How many calls match, for the whole question rather than this page."""
    has_filters: bool


def calls_page(
    found: CallPage, facets: Sequence[Facet], query: CallQuery, *, matching: int, cursor: str = ""
) -> CallsPage:
    """Build the page from one page of rows and the counts beside it.

    Args:
        found: Rows, newest first.
        facets: Counts over all calls that match, in any order.
        query: What the URL asked for.
        matching: How many calls match in all.
        cursor: Behind which to look for arrivals, taken before the rows were; empty when the list is not followed.
    """
    typed = {name: query.chosen.get(name, "") for name in FORM_FIELDS}
    parameters = query.chosen | query.window.parameters()
    return CallsPage(
        picker=picker(query, "/calls", more=[ALL]),
        search=query.chosen.get("q", ""),
        kept=tuple((name, value) for name, value in parameters.items() if name != "q"),
        chips=tuple(
            Chip(LABELS[name], value, query.url("/calls", **{name: ""})) for name, value in query.chosen.items()
        ),
        clear_href=query.url("/calls", **dict.fromkeys(query.chosen, "")),
        fields=tuple(FormField(name, LABELS[name], value, _HINTS.get(name, "")) for name, value in typed.items()),
        fields_kept=tuple((name, value) for name, value in parameters.items() if name not in typed),
        facets=_facet_groups(facets, query),
        lines=tuple(call_line(row) for row in found.rows),
        problems=query.problems,
        first_href=query.url("/calls") if query.before else "",
        older_href=query.url("/calls", before=found.next_before) if found.next_before else "",
        live_href="" if query.before or query.window.until else query.url("/calls", live="" if cursor else "1"),
        tail=Tail((), query.url("/calls/tail", after=cursor)) if cursor else None,
        wider_href="" if query.window.name == ALL else query.url("/calls", window=ALL),
        count=figures.count(matching),
        has_filters=bool(query.chosen),
    )


def call_line(row: CallRow) -> CallLine:
    """Build one row; the same for the page, the live tail and a session's list."""
    preview = row.input_preview
    return CallLine(
        id=row.id,
        href=f"/calls/{row.id}",
        at=figures.iso(row.started_at),
        status=status_mark(row),
        feature=row.feature,
        tenant=row.tenant,
        model=row.model or row.requested_model,
        provider=row.provider,
        attempts=row.attempt_count,
        badges=row_badges(row),
        input_tokens=figures.count(row.input_tokens),
        output_tokens=figures.count(row.output_tokens),
        are_tokens_estimated=row.usage_status == "estimated",
        cost=figures.column_amount(row.cost_nusd),
        cost_exact=figures.exact_money(row.cost_nusd),
        cost_status=row.cost_status,
        duration_ms=figures.milliseconds(row.duration_ms),
        first_token_ms=figures.milliseconds(row.first_token_ms),
        preview=" ".join(preview[: 2 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH],
    )


def status_mark(row: CallRow) -> StatusMark:
    """Name how a call ended: `ok`, the class of its error, or `cancelled`."""
    word = row.error_class.replace("_", " ") if row.status == "error" and row.error_class else row.status
    return StatusMark(kind=row.status, word=word, http_status=row.http_status)


def _facet_groups(facets: Sequence[Facet], query: CallQuery) -> tuple[FacetGroup, ...]:
    counted = {facet.field: facet.values for facet in facets}
    groups = []
    for name, parameter in FACETS.items():
        chosen = query.chosen.get(parameter, "")
        values = [value for value in counted.get(name, ()) if value[0]][:FACET_VALUES_MAX]
        if chosen and chosen not in dict(values):
            values.append((chosen, dict(counted.get(name, ())).get(chosen, 0)))
        shown = tuple(
            FacetValue(
                name=value.replace("_", " ") if name == "error_class" else value,
                count=figures.short_count(number),
                href=query.url("/calls", **{parameter: "" if value == chosen else value}),
                is_chosen=value == chosen,
            )
            for value, number in values
        )
        if shown:
            groups.append(FacetGroup(LABELS[parameter], shown))
    return tuple(groups)
