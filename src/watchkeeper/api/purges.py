"""Purges of the answer cache."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import By, Parts
from watchkeeper.api.permits import needs
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.store.purges import PurgeDraft

NAME_MAX = 200
"""The gateway keeps so much of a name."""
GIVEN_MAX = 2_000

OPERATING = [needs("operate", because="The cache is not kept by feature.")]

router = APIRouter(prefix="/api/v1/cache", tags=["cache"])


class PurgeWish(Strict):
    """Whose answers are to be dropped: all that are set must hold."""

    tenant: str = Field(default="", max_length=NAME_MAX)
    release: str = Field(default="", max_length=NAME_MAX)
    subject: str = Field(
        default="",
        max_length=GIVEN_MAX,
        description="A pseudonym, or a person as the client names them, together with the tenant they belong to.",
    )
    all: bool = Field(default=False, description="Every answer; nothing else may be set beside it.")

    @model_validator(mode="after")
    def _says_whose(self) -> Self:
        is_bounded = bool(self.tenant or self.release or self.subject)
        if not is_bounded and not self.all:
            raise ValueError("say which answers: a tenant, a release or a subject, or all of them")
        if is_bounded and self.all:
            raise ValueError("`all` means every answer; leave it out, or leave out the tenant, release and subject")
        return self


class PurgeDocument(BaseModel):
    """A purge: what was stored in the cache up to a time is not served any more."""

    at: Annotated[datetime, Field(description="Answers stored up to this time are dropped.")]
    by: str
    tenant: Annotated[str, Field(description="Empty for every tenant.")]
    release: Annotated[str, Field(description="Empty for every release.")]
    subject: Annotated[str, Field(description="A pseudonym; empty for every person.")]


@router.post("/purges", status_code=201, summary="Drop answers from the cache", dependencies=OPERATING)
async def purge(wish: PurgeWish, parts: Parts, by: By) -> PurgeDocument:
    """Drop what is stored up to now; every worker obeys within a second."""
    draft = PurgeDraft(tenant=wish.tenant, release=wish.release, subject=_subject(wish, parts))
    row = await parts.control.purges.add(draft, actor=by.name)
    parts.on_control_change()
    return PurgeDocument(at=row.at, by=row.actor, tenant=row.tenant, release=row.release, subject=row.subject)


def _subject(wish: PurgeWish, parts: Services) -> str:
    """Name the person as the gateway does: cut to what it keeps, then under the tenant, or under none."""
    if not wish.subject or is_pseudonym(wish.subject):
        return wish.subject
    return parts.pseudonyms.of(wish.tenant, wish.subject[:NAME_MAX])
