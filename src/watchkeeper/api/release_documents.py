"""Releases, and what differs between two of them, as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from watchkeeper.releases.authoring import authored
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.comparing import Change
from watchkeeper.releases.described import described
from watchkeeper.store.releases import ReleaseRow


class LiveIn(BaseModel):
    """Where a release serves now."""

    feature: str
    environment: str
    since: datetime


class ReleaseSummary(BaseModel):
    """A release without its recipe."""

    id: str
    feature: str
    author: str
    message: str
    parent: Annotated[str, Field(description="The release it was made from; empty for the first of a feature.")]
    at: datetime
    is_head: Annotated[bool, Field(description="Whether the next change of the feature is made from it.")]
    live: list[LiveIn]


class ReleaseDocument(ReleaseSummary):
    """A release."""

    recipe: Annotated[
        dict[str, Any],
        Field(description="In the words of `release.yaml`, with every file that it names in its place."),
    ]


class MistakeDocument(BaseModel):
    """What is wrong at one place of a recipe, or probably not meant."""

    place: Annotated[str, Field(description="As in `messages[1].content`; empty for the whole.")]
    message: str


class PartDocument(BaseModel):
    """A piece of a line."""

    text: str
    is_changed: bool


class LineDocument(BaseModel):
    """A line of one text or of both."""

    sign: Annotated[Literal[" ", "-", "+"], Field(description="`-` was in the earlier text, `+` is in the later one.")]
    parts: list[PartDocument]


class ChangeDocument(BaseModel):
    """One place at which two recipes differ."""

    place: str
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any
    lines: Annotated[
        list[LineDocument] | None, Field(description="Where both are texts: line by line, and word by word in a line.")
    ]


def release_summary(row: ReleaseRow, head: str, live: list[LiveIn]) -> ReleaseSummary:
    """Show a release without its recipe."""
    return ReleaseSummary(**_summary(row, head, live))


def release_document(row: ReleaseRow, head: str, live: list[LiveIn]) -> ReleaseDocument:
    """Show a release."""
    return ReleaseDocument(recipe=authored(row.recipe), **_summary(row, head, live))


def mistake_document(mistake: Mistake) -> MistakeDocument:
    """Show a mistake."""
    return MistakeDocument(place=mistake.place, message=mistake.message)


def change_document(change: Change) -> ChangeDocument:
    """Show a change; a value that is not there is null, which its kind tells from a null that is."""
    return ChangeDocument.model_validate(described(change))


def _summary(row: ReleaseRow, head: str, live: list[LiveIn]) -> dict[str, Any]:
    return {
        "id": row.id,
        "feature": row.feature,
        "author": row.author,
        "message": row.message,
        "parent": row.parent,
        "at": row.at,
        "is_head": row.id == head,
        "live": live,
    }
