"""What a release has to do with a call: which one it was, whether the answer is what it asks for, what was found."""

from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.console import figures
from watchkeeper.releases.recipe import ID_PREFIX, is_release_id
from watchkeeper.store.rows import CallDetail

SHORT = 8
"""Characters of a release's hash that are shown where there is no room for all."""
_WORDS = {
    "ok": "The answer is what the release asks for.",
    "repaired": "The answer was not what the release asks for, and was mended.",
    "failed": "The answer is not what the release asks for.",
}
_SHAPES = {"ok": "ok", "repaired": "warning", "failed": "error"}


@dataclass(frozen=True, slots=True)
class HitLine:
    """One document that was found."""

    collection: str
    document: str
    version: str
    score: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRelease:
    """The part of the page."""

    release: str
    href: str
    """The release's page; empty for a name that is no release of ours."""
    environment: str
    rollout: str
    rollout_href: str
    origin: str
    """In words; empty for a client's call."""
    origin_call: str
    status: str
    """Of the output; empty where nothing was asked of it."""
    shape: str
    verdict: str
    schema: str
    path: str
    error: str
    repairs: str
    hits: tuple[HitLine, ...]
    is_stale: bool


def call_release(detail: CallDetail) -> CallRelease | None:
    """Return the part; None for a call that no release, rollout, schema or document has to do with."""
    row = detail.row
    if not (row.release or row.rollout or row.output_status or detail.hits or row.origin != "client"):
        return None
    origins = {
        "shadow": "copy of a client's call",
        "replay": "replay of a call",
        "eval": "case of a suite, or a judge",
        "client": "",
    }
    plural = "s" if detail.output_repairs != 1 else ""
    return CallRelease(
        release=row.release,
        href=release_href(row.release),
        environment=row.environment,
        rollout=row.rollout,
        rollout_href=f"/rollouts/{quote(row.rollout, safe='')}" if row.rollout else "",
        origin=origins[row.origin],
        origin_call=detail.origin_call,
        status=row.output_status,
        shape=_SHAPES.get(row.output_status, ""),
        verdict=_WORDS.get(row.output_status, ""),
        schema=detail.output_schema,
        path=detail.output_path,
        error=detail.output_error,
        repairs=f"{detail.output_repairs} attempt{plural} to mend it" if detail.output_repairs else "",
        hits=tuple(
            HitLine(
                hit.collection, hit.document, hit.version, figures.NOTHING if hit.score is None else f"{hit.score:.3f}"
            )
            for hit in detail.hits
        ),
        is_stale=detail.is_stale,
    )


def release_href(release: str) -> str:
    """Return the page of a release; empty for a text that is not a release's whole id."""
    return f"/releases/{release}" if is_release_id(release) else ""


def short(release: str) -> str:
    """Write a release's id as short as people use it: `wk1-abcdefgh`; other names stay as they are."""
    return release[: len(ID_PREFIX) + SHORT] if is_release_id(release) else release
