"""Indexes of documents: what there is, what is found in them, and how they are made."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from msgspec import Struct
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.permits import needs
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.errors import CallerError
from watchkeeper.ingest.indexing import BuildWish, IndexRefused, find
from watchkeeper.releases.documents import (
    DOCUMENTS_MAX,
    FILES_MAX,
    ID_LETTERS_MAX,
    TEXT_LETTERS_MAX,
    TITLE_LETTERS_MAX,
    Document,
    LeftOut,
)
from watchkeeper.releases.passages import is_index_name
from watchkeeper.store.indexes import IndexVersion

BODY_BYTES_MAX = 64 << 20
TOP_K_MAX = 50
TOP_K_DEFAULT = 5

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"
"""As `releases.index_file.is_index_name` has it."""

_SHARED = "An index may serve every feature."

router = APIRouter(prefix="/api/v1/indexes", tags=["indexes"])

Name = Annotated[str, Path(pattern=NAME)]


class IndexInUse(CallerError):
    """A release that is live names the version; nothing was removed."""

    code = "index_in_use"
    http_status = 409


class BodyTooLarge(CallerError):
    """The documents are larger than one version may be; nothing was kept."""

    code = "too_large"
    http_status = 413


class LeftOutDocument(BaseModel):
    """A file that no document was made of."""

    path: str
    reason: str


class VersionDocument(BaseModel):
    """A version of an index; what it holds never changes."""

    collection: str
    version: str
    embedding: str
    documents: int
    passages: int
    letters: Annotated[int, Field(description="Of all documents.")]
    built_at: Annotated[datetime, Field(description="When its documents were last found to be these.")]
    built_by: str
    left_out_count: Annotated[int, Field(description="Files that no document was made of.")]
    left_out: Annotated[list[LeftOutDocument], Field(description="The first 500 of them.")]


class BuiltDocument(BaseModel):
    """What came of building."""

    version: VersionDocument
    is_new: Annotated[bool, Field(description="False where the same documents were a version already.")]
    embedded: Annotated[int, Field(description="Passages that were embedded; the others were there.")]


class IndexSummary(BaseModel):
    """An index."""

    collection: str
    versions: int
    newest: VersionDocument


class IndexList(BaseModel):
    """All indexes, by name."""

    indexes: list[IndexSummary]


class IndexDocument(BaseModel):
    """An index with its versions, the newest first."""

    collection: str
    versions: list[VersionDocument]


class FoundPassage(BaseModel):
    """A passage that was found."""

    document: str
    title: str
    text: str
    score: Annotated[float, Field(description="Cosine, 1 at most.")]


class FoundDocument(BaseModel):
    """What was found, the nearest first."""

    collection: str
    version: str
    passages: list[FoundPassage]


class SearchQuery(Strict):
    """What to look for."""

    words: Annotated[str, Field(min_length=1, max_length=8_000)]
    version: Annotated[str, Field(max_length=60, description="Empty for the newest.")] = ""
    top_k: Annotated[int, Field(ge=1, le=TOP_K_MAX)] = TOP_K_DEFAULT
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.0


class BuildBody(Struct, forbid_unknown_fields=True):
    """What an index is to be made of."""

    documents: list[Document]
    version: str = ""
    left_out: list[LeftOut] = []


_BODY = {
    "requestBody": {
        "required": True,
        "description": "`documents` (each `id`, `title`, `text`); `version` for a name of one's own; `left_out` (each "
        "`path`, `reason`) for files that no document was made of.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.get("", summary="List the indexes", dependencies=[needs("read", somewhere=True)])
async def list_indexes(parts: Parts) -> IndexList:
    """Return each index with its newest version."""
    by_name: dict[str, list[IndexVersion]] = {}
    for version in await parts.analytics.indexes.versions():
        by_name.setdefault(version.collection, []).append(version)
    return IndexList(
        indexes=[
            IndexSummary(collection=name, versions=len(versions), newest=_document(versions[0]))
            for name, versions in sorted(by_name.items())
        ]
    )


@router.get("/{collection}", summary="One index and its versions", dependencies=[needs("read", somewhere=True)])
async def get_index(collection: Name, parts: Parts) -> IndexDocument:
    """Return its versions, the newest first."""
    await find(parts.analytics.indexes, collection)
    versions = await parts.analytics.indexes.versions(collection)
    return IndexDocument(collection=collection, versions=[_document(one) for one in versions])


@router.get("/{collection}/search", summary="Search an index", dependencies=[needs("read", somewhere=True)])
async def search_index(collection: Name, query: Annotated[SearchQuery, Query()], parts: Parts) -> FoundDocument:
    """Return the passages nearest to some words, as a release would get them."""
    version = await find(parts.analytics.indexes, collection, query.version)
    found = await parts.indexing.search(
        parts.analytics.indexes, version, query.words, top_k=query.top_k, min_score=query.min_score
    )
    return FoundDocument(
        collection=collection,
        version=version.version,
        passages=[
            FoundPassage(document=one.document, title=one.title, text=one.text, score=round(score, 4))
            for one, score in found
        ],
    )


@router.post(
    "/{collection}",
    status_code=201,
    summary="Build a version of an index",
    openapi_extra=_BODY,
    dependencies=[needs("write_releases", somewhere=True)],
)
async def build_index(collection: Name, request: Request, parts: Parts, by: By, response: Response) -> BuiltDocument:
    """Make a version of documents; 200 where they are one already. It can be searched when this has been answered."""
    wish = await asyncio.to_thread(_wish, collection, await _body(request), by.name, _now(parts))
    built = await parts.indexing.build(parts.analytics.indexes, wish)
    await parts.on_index_change()
    if not built.is_new:
        response.status_code = 200
    else:
        summary = f"index {collection}: version {built.version.version} of {built.version.documents} documents"
        await parts.control.changes.note("index", summary, actor=by.name)
    return BuiltDocument(version=_document(built.version), is_new=built.is_new, embedded=built.embedded)


@router.delete(
    "/{collection}/{version}",
    summary="Remove a version of an index",
    dependencies=[needs("write_releases", because=_SHARED)],
)
async def remove_index(collection: Name, version: Name, parts: Parts, by: By) -> VersionDocument:
    """Take a version away; refused while a release that is live names it."""
    found = await find(parts.analytics.indexes, collection, version)
    if users := await _users(found, parts):
        raise IndexInUse(
            f"The version {version!r} of {collection!r} is what {', '.join(users)} looks into; nothing was removed. "
            "Promote a release that names another version first."
        )
    await parts.indexing.remove(parts.analytics.indexes, found, now=_now(parts))
    await parts.on_index_change()
    await parts.control.changes.note("index", f"index {collection}: version {version} removed", actor=by.name)
    return _document(found)


async def _users(version: IndexVersion, parts: Services) -> list[str]:
    """Name the features and environments that serve a release which looks into a version."""
    standings = await parts.control.environments.current()
    named = {
        one.id: [one.release, *(arm.release for arm in (one.rollout.arms if one.rollout else ()))] for one in standings
    }
    releases = await parts.control.releases.several({release for names in named.values() for release in names})
    looked_into = (version.collection, version.version)
    using = {
        id_
        for id_, row in releases.items()
        if (found := row.recipe.retrieval) and not found.retriever and (found.collection, found.version) == looked_into
    }
    return [f"{one.feature}@{one.environment}" for one in standings if using.intersection(named[one.id])]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge(f"The documents are more than {BODY_BYTES_MAX >> 20} MiB of JSON; nothing was kept.")
    return bytes(body)


def _wish(collection: str, body: bytes, by: str, at: datetime) -> BuildWish:
    try:
        asked = msgspec.json.decode(body, type=BuildBody)
    except msgspec.MsgspecError as error:
        raise IndexRefused(f"The body is not what an index is made of: {error}. Nothing was kept.") from error
    if asked.version and not is_index_name(asked.version):
        raise IndexRefused(
            f"{asked.version[:60]!r} cannot name a version: letters, digits, `.`, `_` and `-`, 60 at most. "
            "Nothing was kept."
        )
    for reason in _faults(asked.documents):
        raise IndexRefused(f"{reason} Nothing was kept.")
    return BuildWish(
        collection=collection,
        documents=asked.documents,
        left_out=[
            LeftOut(one.path[:ID_LETTERS_MAX], one.reason[:ID_LETTERS_MAX]) for one in asked.left_out[:FILES_MAX]
        ],
        version=asked.version,
        by=by,
        at=at,
    )


def _now(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)


def _faults(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what is wrong with documents, in sentences."""
    if len(documents) > DOCUMENTS_MAX:
        yield f"There are {len(documents)} documents, and a version may have {DOCUMENTS_MAX}."
    letters, ids = 0, set[str]()
    for document in documents:
        letters += len(document.text)
        if not document.id.strip() or len(document.id) > ID_LETTERS_MAX or len(document.title) > TITLE_LETTERS_MAX:
            yield f"The document {document.id[:60]!r} has no id, or too long a name."
        if document.id in ids:
            yield f"The id {document.id[:60]!r} occurs twice."
        if not document.text.strip():
            yield f"The document {document.id[:60]!r} is empty."
        ids.add(document.id)
    if letters > TEXT_LETTERS_MAX:
        yield f"The documents have {letters} letters together, and a version may have {TEXT_LETTERS_MAX}."


def _document(version: IndexVersion) -> VersionDocument:
    return VersionDocument(
        collection=version.collection,
        version=version.version,
        embedding=version.embedding,
        documents=version.documents,
        passages=version.passages,
        letters=version.letters,
        built_at=version.built_at,
        built_by=version.built_by,
        left_out_count=version.left_out,
        left_out=[
            LeftOutDocument(path=path, reason=reason)
            for path, reason in zip(version.left_out_paths, version.left_out_reasons, strict=True)
        ],
    )
