"""How the installation is doing, and what was changed in it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.filters import Moment, Word, read_moment
from watchkeeper.api.permits import SOME, needs
from watchkeeper.api.services import Services
from watchkeeper.api.sight import changes_seen
from watchkeeper.api.strict import Strict
from watchkeeper.store.changes import ChangeFilter

AUDITING = [needs("read", "audit", somewhere=True)]

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
    kind: Annotated[Word, Field(description="`config`, `key`, `user`, `token`, `access` and others.")] = ""
    actor: Annotated[Word, Field(description="Who made it: a user, `token:NAME`, or `local`.")] = ""
    feature: Annotated[Word, Field(description="To which it belongs.")] = ""


class ChangeDocument(BaseModel):
    """One change of the set-up."""

    at: datetime
    actor: str
    kind: str
    summary: str
    feature: Annotated[str, Field(description="Empty for what is about the whole installation.")]
    detail: Annotated[dict[str, Any], Field(description="Of what was changed: `before` and `after`, null for nothing.")]


class ChangeList(BaseModel):
    """Changes, oldest first; of too many the newest."""

    changes: list[ChangeDocument]


@router.get("/health", summary="Whether everything works", responses={503: {"model": Health}}, dependencies=SOME)
async def health(response: Response, parts: Parts) -> Health:
    """Ask every part, the stores with a real query; 503 when one does not work."""
    found = await examine(parts)
    response.status_code = 503 if found.troubles else 200
    return found


@router.get("/changes", summary="What was changed in the set-up", dependencies=AUDITING)
async def changes(query: Annotated[ChangeQuery, Query()], parts: Parts, by: By) -> ChangeList:
    """Return the changes of a window, oldest first; without one the last seven days.

    Whoever reads some features finds their changes and those of the configuration; who has read which call is told to
    auditors.
    """
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    begin = read_moment(query.since, now) or now - timedelta(days=7)
    # A change of this very moment belongs to a window that ends now.
    end = read_moment(query.until, now) or now + timedelta(seconds=1)
    chosen = ChangeFilter(kind=query.kind, actor=query.actor, feature=query.feature)
    found = await parts.control.changes.between(begin, end, changes_seen(chosen, by))
    return ChangeList(
        changes=[
            ChangeDocument(**{name: getattr(change, name) for name in ChangeDocument.model_fields}) for change in found
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
