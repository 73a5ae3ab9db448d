"""Links to the quality page of a feature, for people who have no account."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.access.tokens import make_token
from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.store.share_links import DAYS_MAX, ShareLink

DAYS = 30
SHARE_PATH = "/share/"
"""A link is the console's address, this, and its token."""
SHARING = [needs("write_releases", "operate", somewhere=True)]

router = APIRouter(prefix="/api/v1/shares", tags=["shares"])


class ShareWish(Strict):
    """A link that is to be made."""

    feature: str = Field(min_length=1, max_length=200)
    name: str = Field(default="", max_length=200, description="For whom, in words.")
    days: int = Field(default=DAYS, ge=1, le=DAYS_MAX, description="How long it is good.")


class ShareDocument(BaseModel):
    """A link, without what opens it."""

    id: str
    feature: str
    name: str
    by: str
    at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str
    is_good: bool


class MadeShare(ShareDocument):
    """A link that has just been made."""

    path: Annotated[str, Field(description="Behind the console's address; told this once, and kept nowhere.")]


class ShareList(BaseModel):
    """Links, the newest first."""

    shares: list[ShareDocument]


@router.post("", summary="Share a feature's quality page", dependencies=SHARING)
async def make_share(wish: ShareWish, parts: Parts, by: By) -> MadeShare:
    """Make a link that shows the quality page of one feature to whoever holds it: figures, and no answers."""
    link, path = await share(parts, by, wish)
    return MadeShare(**dict(_document(parts, link)), path=path)


@router.get("", summary="List links", dependencies=SOME)
async def list_shares(parts: Parts, by: By, feature: str = "") -> ShareList:
    """List the links to pages of features, those that have ended included."""
    readable = by.rights.features("read")
    wanted = readable if not feature else {feature} if readable is None else readable & {feature}
    return ShareList(shares=[_document(parts, link) for link in await parts.control.share_links.listed(wanted)])


@router.post("/{share_id}/revoke", summary="Take a link back", dependencies=SHARING)
async def revoke_share(share_id: str, parts: Parts, by: By) -> ShareDocument:
    """Take a link back: from the next request on it opens nothing."""
    return _document(parts, await unshare(parts, by, share_id))


async def share(parts: Services, by: Operator, wish: ShareWish) -> tuple[ShareLink, str]:
    """Make a link for somebody who may; return it with its path, which nobody can find out afterwards.

    Raises:
        NotAllowed: they may not.
        TooManyShares: the feature has as many as it may have.
    """
    await require(parts, by, "write_releases", "operate", feature=wish.feature)
    token = make_token()
    hashed = parts.token_hasher.hash(token)
    links = parts.control.share_links
    link = await links.make(hashed, wish.feature, name=wish.name.strip(), days=wish.days, by=by.name)
    return link, SHARE_PATH + token


async def unshare(parts: Services, by: Operator, share_id: str) -> ShareLink:
    """Take a link back for somebody who may.

    Raises:
        ShareUnknown: there is no such link.
        NotAllowed: they may not.
    """
    link = await parts.control.share_links.get(share_id)
    await require(parts, by, "write_releases", "operate", feature=link.feature)
    return await parts.control.share_links.revoke(link.id, by=by.name)


def _document(parts: Services, link: ShareLink) -> ShareDocument:
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    known = {name: getattr(link, name) for name in ShareDocument.model_fields if name != "is_good"}
    return ShareDocument(**known, is_good=link.is_good(now))
