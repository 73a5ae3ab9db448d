"""How the installation is doing, and what was changed in it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.api.auth import Parts
from watchkeeper.api.filters import Moment, read_moment
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict

router = APIRouter(prefix="/api/v1", tags=["installation"])


class Health(BaseModel):
    """What works and what does not, part by part."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "trouble"]
    troubles: Annotated[list[str], Field(description="One sentence for each part that does not work.")]
    store: Annotated[dict[str, Any] | None, Field(description="What the analytics store holds; null when it is away.")]


class ChangeQuery(Strict):
    """Which changes."""

    since: Annotated[Moment, Field(description="ISO 8601 time, or a span back from now.")] = "7d"
    until: Annotated[Moment, Field(description="As `since`; the end is not included.")] = ""


class ChangeDocument(BaseModel):
    """One change of the set-up."""

    at: datetime
    actor: str
    kind: str
    summary: str
    detail: dict[str, Any]


class ChangeList(BaseModel):
    """Changes, oldest first; of too many the newest."""

    changes: list[ChangeDocument]


@router.get("/health", summary="Whether everything works", responses={503: {"model": Health}})
async def health(response: Response, parts: Parts) -> Health:
    """Ask every part, the stores with a real query; 503 when one does not work."""
    found = await examine(parts)
    response.status_code = 503 if found.troubles else 200
    return found


@router.get("/changes", summary="What was changed in the set-up")
async def changes(query: Annotated[ChangeQuery, Query()], parts: Parts) -> ChangeList:
    """Return the changes of a window, oldest first; without one the last seven days."""
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    begin = read_moment(query.since, now) or now - timedelta(days=7)
    # A change of this very moment belongs to a window that ends now.
    end = read_moment(query.until, now) or now + timedelta(seconds=1)
    found = await parts.control.changes.between(begin, end)
    return ChangeList(
        changes=[
            ChangeDocument(
                at=change.at, actor=change.actor, kind=change.kind, summary=change.summary, detail=change.detail
            )
            for change in found
        ]
    )


async def examine(parts: Services) -> Health:
    """Ask every part how it is doing; a part that fails is named and fails nothing else."""
    found = parts.health()
    troubles = [
        f"{name}: {part['trouble']}" for name, part in found.items() if isinstance(part, dict) and part.get("trouble")
    ]
    refused = found.get("config", {}).get("refused")
    if refused:
        troubles.append(f"config: {refused}")
    if not await parts.control.answers():
        troubles.append("control: the control database does not answer")
    else:
        found["ledger"] = found.get("ledger", {}) | await parts.control.ledger.counts()
    store = None
    try:
        store = await parts.analytics.stats()
    except Exception as error:  # whatever the store says, the answer is that it does not work
        troubles.append(f"store: {error}")
    return Health(status="trouble" if troubles else "ok", troubles=troubles, store=store, **found)
