"""Feedback as JSON."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.auth import Operator
from watchkeeper.money.units import written
from watchkeeper.store.feedback import FeedbackRow, Subject
from watchkeeper.store.rows import CallRow


class FeedbackDocument(BaseModel):
    """Feedback as it is kept."""

    id: str
    at: datetime
    call_id: Annotated[str | None, Field(description="Null where the session is meant.")]
    session: str
    feature: str
    tenant: str
    release: str
    environment: str
    rollout: str
    name: str
    score: float | None
    label: str
    comment: str
    value: Annotated[str | None, Field(description="Units of value that it reported.")]
    by: Annotated[str, Field(description="`key:ID`, or who reported it over this API.")]


def feedback_document(row: FeedbackRow) -> FeedbackDocument:
    """Return the API's form."""
    return FeedbackDocument(
        id=row.id,
        at=row.at,
        call_id=row.call_id or None,
        session=row.session,
        feature=row.feature,
        tenant=row.tenant,
        release=row.release,
        environment=row.environment,
        rollout=row.rollout,
        name=row.name,
        score=row.score,
        label=row.label,
        comment=row.comment,
        value=None if row.value_milli is None else written(row.value_milli),
        by=row.by,
    )


def feedback_seen(row: FeedbackRow, by: Operator) -> FeedbackRow:
    """Return feedback without its comment, where somebody may not read that."""
    return row if by.rights.may("read_bodies", row.feature) else replace(row, comment="")


def subject_of(row: CallRow) -> Subject:
    """Return a call as what feedback is about."""
    return Subject(
        row.id, row.started_at, row.session, row.key_id, row.feature, row.tenant, row.release, row.environment, ""
    )
