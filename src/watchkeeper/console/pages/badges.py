"""What is unusual about a call's answer, in a word or two: never by colour alone."""

from dataclasses import dataclass
from urllib.parse import urlencode

from watchkeeper.console import figures
from watchkeeper.store.rows import CallDetail, CallRow


@dataclass(frozen=True, slots=True)
class Badge:
    """A word and what it means."""

    word: str
    meaning: str
    is_warning: bool = False
    href: str = ""
    """All calls that share it; empty where there is no list of them."""


def row_badges(row: CallRow) -> tuple[Badge, ...]:
    """Name where an answer came from unless it was the upstream, and the faults that were injected."""
    found = []
    href = _calls_href("served", row.served_from)
    match row.served_from:
        case "cache":
            found.append(Badge("cache", "answered from the cache", href=href))
        case "stale_cache":
            found.append(Badge("stale", "the call failed; a stale answer was given from the cache", True, href))
        case "set_answer":
            found.append(Badge("set answer", "the call failed; the text that the route states was given", True, href))
        case "upstream" | "":
            pass
    match row.origin:
        case "shadow":
            meaning = "a copy of a client's call, under a release that is tried; its answer went to nobody"
            found.append(Badge("shadow", meaning, href=_calls_href("origin", "shadow")))
        case "replay":
            found.append(Badge("replay", "an earlier call, made again", href=_calls_href("origin", "replay")))
        case "eval":
            found.append(Badge("eval", "a case of a suite, or a judge", href=_calls_href("origin", "eval")))
        case "client":
            pass
    match row.output_status:
        case "failed":
            meaning = "the answer is not what its release asks for"
            found.append(Badge("output failed", meaning, True, _calls_href("output", "failed")))
        case "repaired":
            meaning = "the answer was mended; the attempts for it are on the bill"
            found.append(Badge("repaired", meaning, href=_calls_href("output", "repaired")))
        case "ok" | "":
            pass
    if row.faults:
        meaning = f"injected on purpose: {', '.join(row.faults)}"
        found.append(Badge("fault", meaning, True, _calls_href("fault", row.faults[0])))
    return tuple(found)


def call_badges(detail: CallDetail) -> tuple[Badge, ...]:
    """Name the same of one call, with its figures, and what was done to its request and its stream."""
    found = []
    for badge in row_badges(detail.row):
        match badge.word:
            case "cache":
                found.append(Badge(f"cache hit{_cached(detail)}", badge.meaning, href=badge.href))
            case "stale":
                found.append(Badge(f"stale answer{_cached(detail)}", badge.meaning, True, badge.href))
            case "fault":
                found += [
                    Badge(f"fault {name}", "injected on purpose", True, _calls_href("fault", name))
                    for name in detail.row.faults
                ]
            case _:
                found.append(badge)
    if detail.is_stale:
        meaning = "served from what was last known, while the keeper was not there"
        found.append(Badge("stale release", meaning, True))
    if detail.change:
        found.append(Badge("request shortened", detail.change, True))
    if detail.skipped_events:
        plural = "s" if detail.skipped_events != 1 else ""
        word = f"{figures.count(detail.skipped_events)} event{plural} left out"
        found.append(Badge(word, "events of the stream that could not be read were not passed on", True))
    return tuple(found)


def _cached(detail: CallDetail) -> str:
    age = "" if detail.cached_age_s is None else f", {figures.duration(detail.cached_age_s * 1_000)} old"
    return age if detail.saved_nusd is None else f"{age}, {figures.money(detail.saved_nusd)} saved"


def _calls_href(parameter: str, value: str) -> str:
    return f"/calls?{urlencode({parameter: value, 'window': 'all'})}"
