"""`watchkeeper index`: documents that releases look up."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import FAILED, CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.releases.documents import read_folder
from watchkeeper.releases.passages import is_index_name

NAMED_MAX = 20
"""So many of the files that were left out are named; `index show` names more."""
_EXCERPT_LETTERS = 160

_INDEXES = (
    Column("index"),
    Column("versions", is_right=True, leaves=2),
    Column("newest"),
    Column("documents", is_right=True),
    Column("passages", is_right=True, leaves=3),
    Column("built (UTC)"),
    Column("by", leaves=1),
)
_VERSIONS = (
    Column("version"),
    Column("documents", is_right=True),
    Column("passages", is_right=True),
    Column("left out", is_right=True),
    Column("built (UTC)"),
    Column("by", leaves=1),
    Column("embedding", leaves=2),
)

Collection = Annotated[str, Parameter(help="From `index list`.")]


def build(
    folder: Path,
    *,
    collection: Annotated[str, Parameter(help="What the index is called; by default as the folder is.")] = "",
    version: Annotated[
        str, Parameter(help="A name of your own for this version; by default one that follows from the content.")
    ] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Read the documents of a folder and make a version of an index; the same documents are the same version."""
    named = collection or folder.resolve().name
    if not is_index_name(named):
        raise CommandFailed(
            f"{named[:60]!r} cannot name an index; nothing was built. "
            "Give it a name of letters, digits, `.`, `_` and `-` with --collection."
        )
    try:
        found = read_folder(folder)
    except OSError as error:
        raise CommandFailed(f"The folder {folder} cannot be read: {error.strerror}. Nothing was built.") from error
    if not found.documents:
        said = "".join(f"\n  {one.path} {one.reason}" for one in found.left_out[:NAMED_MAX])
        raise CommandFailed(f"No document could be read in {folder}; nothing was built.{said}", exit_code=FAILED)
    built = client.post(
        data,
        f"/api/v1/indexes/{client.part(named)}",
        documents=[{"id": one.id, "title": one.title, "text": one.text} for one in found.documents],
        version=version,
        left_out=[{"path": one.path, "reason": one.reason} for one in found.left_out],
    )
    if json:
        show.document(built)
        return
    for one in found.left_out[:NAMED_MAX]:
        show.note(show.plain(f"left out: {one.path} {one.reason}"))
    if len(found.left_out) > NAMED_MAX:
        show.note(f"and {len(found.left_out) - NAMED_MAX} more; `watchkeeper index show {named}` names them")
    made, kind = built["version"], "built" if built["is_new"] else "unchanged:"
    show.line(
        f"{kind} {named} version {made['version']}: {made['documents']} documents, {made['passages']} passages, "
        f"{built['embedded']} of them embedded now"
    )


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the indexes with their newest versions."""
    found = client.get(data, "/api/v1/indexes")
    if json:
        show.document(found)
        return
    show.table(
        _INDEXES,
        [
            (
                one["collection"],
                str(one["versions"]),
                one["newest"]["version"],
                str(one["newest"]["documents"]),
                str(one["newest"]["passages"]),
                _second(one["newest"]["built_at"]),
                one["newest"]["built_by"],
            )
            for one in found["indexes"]
        ],
    )


def show_(collection: Collection, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show the versions of an index, and which files the newest has left out."""
    found = client.get(data, f"/api/v1/indexes/{client.part(collection)}")
    if json:
        show.document(found)
        return
    show.table(_VERSIONS, [_row(one) for one in found["versions"]])
    for one in found["versions"][0]["left_out"]:
        show.note(show.plain(f"left out: {one['path']} {one['reason']}"))


def search(
    collection: Collection,
    words: str,
    *,
    version: Annotated[str, Parameter(help="By default the newest.")] = "",
    top_k: Annotated[int, Parameter(help="At most so many passages.")] = 5,
    min_score: Annotated[float, Parameter(help="Passages less near are left out; 1 is the nearest.")] = 0.0,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Search an index as a release does."""
    found = client.get(
        data,
        f"/api/v1/indexes/{client.part(collection)}/search",
        words=words,
        version=version,
        top_k=top_k,
        min_score=min_score,
    )
    if json:
        show.document(found)
        return
    for one in found["passages"]:
        show.line(show.plain(f"{one['score']:.3f}  {one['document']}  {one['title']}"))
        text = " ".join(one["text"].split())
        show.line(show.plain(f"       {text[:_EXCERPT_LETTERS]}{'...' if len(text) > _EXCERPT_LETTERS else ''}"))
    if not found["passages"]:
        show.note(f"nothing was found in {collection} version {found['version']}")


def remove(collection: Collection, version: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Remove a version of an index; refused while a release that is live names it."""
    gone = client.delete(data, f"/api/v1/indexes/{client.part(collection)}/{client.part(version)}")
    if json:
        show.document(gone)
    else:
        show.line(f"removed {gone['collection']} version {gone['version']} ({gone['documents']} documents)")


def _row(version: dict[str, Any]) -> tuple[str, ...]:
    return (
        version["version"], str(version["documents"]), str(version["passages"]), str(version["left_out_count"]),
        _second(version["built_at"]), version["built_by"], version["embedding"],
    )  # fmt: skip


def _second(moment: str) -> str:
    return moment[:19].replace("T", " ")
