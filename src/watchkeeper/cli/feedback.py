"""`watchkeeper feedback`: what people thought of answers."""

import uuid
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

LIMIT_DEFAULT = 50

_COLUMNS: tuple[Column, ...] = (
    Column("time (UTC)"),
    Column("name"),
    Column("score", is_right=True),
    Column("label"),
    Column("call"),
    Column("session", leaves=3, shrinks_to=12),
    Column("feature", leaves=4),
    Column("release", leaves=5, shrinks_to=12),
    Column("by", leaves=1),
    Column("comment", leaves=2, shrinks_to=20),
)
_BY_RELEASE: tuple[Column, ...] = (
    Column("feature"),
    Column("environment", leaves=2),
    Column("release", shrinks_to=12),
    Column("name"),
    Column("count", is_right=True),
    Column("score", is_right=True),
    Column("labels", leaves=1, shrinks_to=16),
)


def add(
    call_id: str = "",
    *,
    session: Annotated[str, Parameter(help="The session it is about, instead of a call.")] = "",
    feature: Annotated[str, Parameter(help="With --session, where several features use its name.")] = "",
    tenant: Annotated[str, Parameter(help="With --session, where several tenants use its name.")] = "",
    name: Annotated[str, Parameter(help="What was asked, such as thumbs.")] = "rating",
    score: Annotated[float | None, Parameter(help="From 0, the worst, to 1, the best.")] = None,
    label: str = "",
    comment: str = "",
    value: Annotated[str, Parameter(help="Units of value that it was worth.")] = "",
    id_: Annotated[str, Parameter(name="--id", help="The same id counts once; without one, one is made up.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Report feedback on a call or a session: a score, a label, a comment, units of value."""
    if bool(call_id) == bool(session):
        raise CommandFailed(
            "On what the feedback is, is not clear; nothing was kept. Name a call's id or a --session.",
            exit_code=WRONG_USAGE,
        )
    kept = client.post(
        data,
        "/api/v1/feedback",
        call_id=call_id,
        session=session,
        feature=feature,
        tenant=tenant,
        name=name,
        score=score,
        label=label,
        comment=comment,
        value=value or None,
        id=id_ or uuid.uuid4().hex,
    )
    if json:
        show.document(kept)
        return
    on = f"call {kept['call_id']}" if kept["call_id"] else f"session {kept['session']}"
    of = f" of release {kept['release']}" if kept["release"] else ""
    show.line(show.plain(f"kept {kept['id']}: {said(kept)} on {on}{of}"))


def list_(
    *,
    since: Annotated[str, Parameter(help="Span back from now (15m, 1h, 7d) or a time (2026-11-03T14:05).")] = "",
    until: Annotated[str, Parameter(help="As --since; the end is not included.")] = "",
    feature: str = "",
    tenant: str = "",
    environment: str = "",
    release: str = "",
    name: str = "",
    label: str = "",
    call: Annotated[str, Parameter(help="Id of a call.")] = "",
    session: str = "",
    by: Annotated[Literal["", "release"], Parameter(help="`release`: sums instead of a list.")] = "",
    limit: Annotated[int, Parameter(help="At most so many.")] = LIMIT_DEFAULT,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List feedback, the newest first; or its sums by release."""
    chosen = {
        "since": since, "until": until, "feature": feature, "tenant": tenant, "environment": environment,
        "release": release, "name": name, "label": label, "call_id": call, "session": session,
    }  # fmt: skip
    if by:
        found = client.get(data, "/api/v1/feedback/by-release", **chosen)
        columns, rows = _BY_RELEASE, [_sum(one) for one in found["releases"]]
    else:
        found = client.get(data, "/api/v1/feedback", limit=limit, **chosen)
        columns, rows = _COLUMNS, [_row(one) for one in found["feedback"]]
    if json:
        show.document(found)
    else:
        show.table(columns, rows)


def said(feedback: dict[str, Any]) -> str:
    """Say what feedback says, but for its comment."""
    parts = [
        f"score {feedback['score']:g}" if feedback["score"] is not None else "",
        feedback["label"],
        f"{feedback['value']} units of value" if feedback["value"] else "",
    ]
    return f"{feedback['name']}: {', '.join(filter(None, parts)) or 'a comment'}"


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["at"][:19].replace("T", " "), one["name"], "" if one["score"] is None else f"{one['score']:g}",
        one["label"], one["call_id"] or "", one["session"], one["feature"], one["release"], one["by"], one["comment"],
    )  # fmt: skip


def _sum(one: dict[str, Any]) -> tuple[str, ...]:
    labels = ", ".join(f"{label} {times}" for label, times in one["labels"].items())
    mean = "" if one["score_mean"] is None else f"{one['score_mean']:.3f}"
    return (
        one["feature"], one["environment"], one["release"], one["name"], str(one["count"]), mean, labels,
    )  # fmt: skip
