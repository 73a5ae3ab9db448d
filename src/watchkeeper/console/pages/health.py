"""Health: whether every part works, what waits, what was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from watchkeeper.console import figures
from watchkeeper.console.pages.drills import FaultLine, fault_line
from watchkeeper.store.changes import Change
from watchkeeper.store.faults import FaultRow

State = Literal["ok", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class HealthFact:
    """One figure of a part."""

    name: str
    value: str
    at: str = ""
    """The value as an instant, when it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCard:
    """One part of the installation."""

    title: str
    about: str
    state: State
    word: str
    trouble: str
    facts: tuple[HealthFact, ...]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change of the set-up."""

    at: str
    actor: str
    kind: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    """The page."""

    state: State
    word: str
    parts: tuple[PartCard, ...]
    faults: tuple[FaultLine, ...]
    """Those that are being injected, in the order in which they were started."""
    changes: tuple[ChangeLine, ...]
    """Of the last seven days, newest first."""
    url: str
    """This page again, to look every now and then."""


CHANGES_MAX = 100


def health_page(health: Mapping[str, Any], changes: Sequence[Change], *, faults: Sequence[FaultRow] = ()) -> HealthPage:
    """Build the page.

    Args:
        health: As the API gives it: a part's own facts under its name, and `troubles`.
        changes: Oldest first.
        faults: Those that are being injected.
    """
    troubles = dict(one.split(": ", 1) for one in health["troubles"])
    parts = (
        _ingest(health.get("ingest")),
        _config(health),
        _store(health["store"], troubles.get("store", "")),
        _control(troubles.get("control", "")),
    )
    states: tuple[State, ...] = ("critical", "warning", "ok")
    worst = next(state for state in states if state == "ok" or any(part.state == state for part in parts))
    lines = [ChangeLine(figures.iso(one.at), one.actor, one.kind, one.summary) for one in reversed(changes)]
    word = {"ok": "Everything works", "warning": "Something needs a look", "critical": "Something does not work"}[worst]
    return HealthPage(
        state=worst,
        word=word,
        parts=parts,
        faults=tuple(map(fault_line, faults)),
        changes=tuple(lines[:CHANGES_MAX]),
        url="/health",
    )


def _ingest(found: Mapping[str, Any] | None) -> PartCard:
    about = "Takes recorded calls from the spool, the workers' files, to the store: received = stored + rejected."
    if found is None:
        trouble = "No keeper runs: calls are recorded and wait in the spool."
        return PartCard(title="Ingest", about=about, state="warning", word="not running", trouble=trouble, facts=())
    rejected: Mapping[str, int] = found.get("rejected") or {}
    waiting = int(found.get("waiting_bytes") or 0)
    facts = [
        HealthFact("Received", figures.count(found.get("accepted"))),
        HealthFact("Stored", figures.count(found.get("stored"))),
        HealthFact("Rejected", figures.count(sum(rejected.values()))),
        *(HealthFact(f"of these, {reason.replace('_', ' ')}", figures.count(n)) for reason, n in rejected.items()),
        HealthFact("Waiting in the spool", figures.size(waiting)),
        HealthFact("Behind by", figures.duration(1_000 * float(found.get("lag_s") or 0))),
        HealthFact(
            "Last stored", "" if found.get("last_stored_at") else "never", str(found.get("last_stored_at") or "")
        ),
    ]
    trouble = str(found.get("trouble") or "")
    state: State = "critical" if trouble else "ok"
    word = "in trouble" if trouble else "taking in"
    return PartCard(title="Ingest", about=about, state=state, word=word, trouble=trouble, facts=tuple(facts))


def _config(health: Mapping[str, Any]) -> PartCard:
    found: Mapping[str, Any] = health.get("config") or {}
    refused = str(found.get("refused") or "")
    facts = (
        HealthFact("File", str(found.get("path") or figures.NOTHING)),
        HealthFact("Version of the file", str(found.get("version") or figures.NOTHING)),
        HealthFact("Served with the keys, as", str(health.get("snapshot") or "none yet")),
    )
    return PartCard(
        title="Configuration",
        about="An edit is served within a second; one that is refused leaves the one before in force.",
        state="critical" if refused else "ok",
        word="last edit refused" if refused else "in force",
        trouble=refused,
        facts=facts,
    )


def _store(found: Mapping[str, Any] | None, trouble: str) -> PartCard:
    facts = () if found is None else (
        HealthFact("Calls", figures.count(int(found.get("calls") or 0))),
        HealthFact("On disk", figures.size(int(found.get("bytes") or 0))),
        HealthFact("Days", figures.count(int(found.get("days") or 0))),
        HealthFact("Oldest day", _day(str(found.get("oldest") or ""))),
    )  # fmt: skip
    return PartCard(
        title="Analytics store",
        about="Where calls are kept and found again.",
        state="critical" if trouble else "ok",
        word="does not answer" if trouble else "answers",
        trouble=trouble,
        facts=facts,
    )


def _control(trouble: str) -> PartCard:
    return PartCard(
        title="Control database",
        about="Keys, people, drills and the history of changes.",
        state="critical" if trouble else "ok",
        word="does not answer" if trouble else "answers",
        trouble=trouble,
        facts=(),
    )


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else figures.NOTHING
