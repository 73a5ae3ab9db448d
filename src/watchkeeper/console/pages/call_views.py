"""The views of one call: what was said, the rhythm of the stream, the exact bytes, the call again."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from watchkeeper.console import curl, figures
from watchkeeper.console.bodies import BodyView, body_view, changed_lines
from watchkeeper.console.charts.chunks import draw_chunks, pace
from watchkeeper.console.pages.call_attempts import AttemptFigures, attempt_figures
from watchkeeper.console.turns import Turn, turns
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.routing import response_note
from watchkeeper.store.rows import CallDetail


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value; `href` leads to the calls that share it."""

    name: str
    value: str
    href: str = ""
    at: str = ""
    """The value as an instant, when it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """What was asked and answered."""

    asked: tuple[Turn, ...]
    answered: tuple[Turn, ...]
    tools: tuple[tuple[str, str, str], ...]
    """Name, description, indented schema."""
    parameters: tuple[tuple[str, str], ...]
    vectors: str
    error: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingView:
    """The stream's rhythm, and the attempts in figures."""

    attempts: tuple[AttemptFigures, ...]
    facts: tuple[Fact, ...]
    chunks: Markup
    """Empty when the call was not a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPart:
    """Headers and body of one direction, as bytes."""

    id: str
    title: str
    headers: tuple[tuple[str, str], ...]
    body: BodyView
    shown: str
    recorded: str
    full: str
    download_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawView:
    """The exact bytes."""

    parts: tuple[RawPart, ...]
    is_sent_as_received: bool
    changes: tuple[str, ...] | None
    """How the sent request differs, as lines of a diff; None when it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """The call as a command."""

    command: str
    body_href: str
    """Where to get the body that the command reads from a file; empty when it is in the command."""
    is_cut: bool
    """Whether only a part of the body was recorded, so that the command cannot be right."""


def conversation_view(detail: CallDetail) -> ConversationView:
    """Read the recorded bodies as what was said."""
    row = detail.row
    said = read_conversation(detail.request_body, detail.response_body, surface=row.surface, is_stream=row.is_stream)
    asked, answered = turns(said, call_href=f"/calls/{row.id}")
    notes = list(said.notes)
    if len(detail.request_body) < detail.request_bytes:
        notes.append(_cut_note("request", len(detail.request_body), detail.request_bytes))
    if len(detail.response_body) < detail.response_bytes:
        notes.append(_cut_note("response", len(detail.response_body), detail.response_bytes))
    if note := response_note(row.served_from, detail.attempts[-1].kind if detail.attempts else ""):
        notes.append(note)
    number, dimensions = said.vectors or (0, 0)
    return ConversationView(
        asked=asked,
        answered=answered,
        tools=tuple((tool.name, tool.description, figures.pretty_json(tool.parameters)) for tool in said.tools),
        parameters=tuple((name, figures.pretty_json(value)) for name, value in said.parameters.items()),
        vectors=f"{number} vectors of {dimensions or 'an unknown number of'} dimensions" if said.vectors else "",
        error=said.error,
        notes=tuple(notes),
    )


def _cut_note(name: str, recorded: int, full: int) -> str:
    if not recorded:
        return f"The {name} of {figures.size(full)} was not recorded: that of a call without a valid key is not kept."
    return f"Only the first {figures.size(recorded)} of the {name}'s {figures.size(full)} were recorded."


def timing_view(detail: CallDetail) -> TimingView:
    """Measure and draw the arrival of the chunks."""
    rhythm = pace(detail.chunk_offsets_us)
    facts = []
    if rhythm:
        stream_s = (rhythm.last_ms - rhythm.first_ms) / 1_000
        output = detail.row.output_tokens
        speed = f"{output / stream_s:.3g} tokens/s" if output and stream_s > 0 else figures.NOTHING
        facts = [
            Fact("Chunks", figures.count(rhythm.chunks)),
            Fact("First chunk", figures.duration(rhythm.first_ms)),
            Fact("Last chunk", figures.duration(rhythm.last_ms)),
            Fact("Speed", speed),
            Fact("Gap, p50", figures.duration(rhythm.gap_p50_ms)),
            Fact("Gap, p95", figures.duration(rhythm.gap_p95_ms)),
            Fact("Longest gap", figures.duration(rhythm.gap_max_ms)),
            Fact("It began at", figures.duration(rhythm.gap_max_at_ms)),
        ]
    offsets = detail.chunk_offsets_us
    chunks = draw_chunks(offsets, total_ms=detail.row.duration_ms) if offsets else Markup("")
    return TimingView(attempts=tuple(map(attempt_figures, detail.attempts)), facts=tuple(facts), chunks=chunks)


def raw_view(detail: CallDetail) -> RawView:
    """Show the bytes of each direction."""
    parts = [
        _raw_part(
            detail, "request", "Request, as received", detail.request_headers, detail.request_body, detail.request_bytes
        )
    ]
    changes: tuple[str, ...] | None = None
    if detail.sent_body is not None:
        sent = detail.sent_body
        parts.append(_raw_part(detail, "sent", "Request, as sent upstream", (), sent, len(sent)))
        changes = changed_lines(detail.request_body, sent)
    parts.append(
        _raw_part(
            detail,
            "response",
            "Response, from the upstream",
            detail.response_headers,
            detail.response_body,
            detail.response_bytes,
        )
    )
    return RawView(parts=tuple(parts), is_sent_as_received=detail.sent_body is None, changes=changes)


def _raw_part(
    detail: CallDetail, part_id: str, title: str, headers: Sequence[tuple[str, str]], body: bytes, full_bytes: int
) -> RawPart:
    view = body_view(body, full_bytes=full_bytes)
    return RawPart(
        id=part_id,
        title=title,
        headers=tuple(headers),
        body=view,
        shown=figures.size(view.shown_bytes),
        recorded=figures.size(view.recorded_bytes),
        full=figures.size(view.full_bytes),
        download_href=f"/calls/{detail.row.id}/{part_id}",
    )


def replay_view(detail: CallDetail, gateway_url: str) -> ReplayView:
    """Write the call as a command.

    Args:
        detail: The call.
        gateway_url: Address of the gateway, without `/v1` and without a trailing slash.
    """
    body = detail.request_body
    return ReplayView(
        command=curl.replay_command(gateway_url, detail.request_path, detail.request_headers, body),
        body_href=f"/calls/{detail.row.id}/request" if curl.needs_file(body) else "",
        is_cut=len(body) < detail.request_bytes,
    )
