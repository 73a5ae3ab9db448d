"""Answers kept for requests that are the same to the byte: in memory, bounded in bytes, in each worker for itself."""

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct

from watchkeeper.core.call import Call, OutputStatus
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.snapshot import CacheSettings, Purge

BYTES_MAX = 64 * 1024 * 1024
"""Of all answers in one worker; the one that was not asked for the longest goes first."""
ENTRY_BYTES_MAX = 1024 * 1024
"""A longer answer is not kept."""
_OVERHEAD_BYTES = 1_000
"""What an entry takes beside its body, roughly."""

_TOOLS = (b'"tool_', b'"function_call')
"""What an answer holds that asks for a tool: whether the tool is to be used once more is not ours to say."""


class Entry(Struct, gc=False):
    """One answer."""

    body: bytes
    model: str
    stored_ns: int
    """Unix time."""
    cost_nusd: int | None
    tenant: str
    release: str
    subject: str
    output_schema: str = ""
    """As in `core.call.Call`."""
    output_status: OutputStatus = ""

    @property
    def bytes(self) -> int:
        """What it takes."""
        return len(self.body) + _OVERHEAD_BYTES


class Wish(NamedTuple):
    """What a client's `x-wk-cache` asks for."""

    reads: bool = True
    keeps: bool = True
    ttl_s: float | None = None


_NO_WISH = Wish()


def wish_of(header: bytes | None) -> Wish:
    """Read `x-wk-cache: off | refresh | ttl=SECONDS`.

    Raises:
        BadRequest: it says something else.
    """
    if not header:
        return _NO_WISH
    said = header.decode("latin-1").strip().lower()
    if said == "off":
        return Wish(reads=False, keeps=False)
    if said == "refresh":
        return Wish(reads=False)
    name, _, value = said.partition("=")
    if name == "ttl" and value.isascii() and value.isdigit() and len(value) < 9:
        return Wish(ttl_s=float(value))
    raise BadRequest("`x-wk-cache` takes `off`, `refresh` or `ttl=SECONDS`.", param="x-wk-cache")


def key_of(call: Call, settings: CacheSettings, body: bytes) -> bytes:
    """Name an answer by who may share it, by its route and API, and by the whole request."""
    shared = [getattr(call, _FIELDS[name]) for name in settings.scope]
    # Lengths keep apart what could be read in two ways.
    head = f"{call.route}\0{call.surface}\0{[len(text) for text in shared]}\0{''.join(shared)}\0"
    return blake2b(head.encode() + body, digest_size=16).digest()


_FIELDS = {"tenant": "tenant", "release": "release", "subject": "subject", "key": "key_id"}


class Cache:
    """The answers of one worker."""

    def __init__(self, clock: Clock, *, bytes_max: int = BYTES_MAX) -> None:
        self._unix_ns = clock.unix_ns
        self._bytes_max = bytes_max
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._obeyed: frozenset[Purge] = frozenset()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes, *, younger_than_s: float) -> tuple[Entry, float] | None:
        """Return an answer and its age in seconds; None when there is none so young."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        age_s = (self._unix_ns() - entry.stored_ns) / 1e9
        if age_s > younger_than_s:
            return None
        self._entries.move_to_end(key)
        return entry, age_s

    def keep(self, key: bytes, entry: Entry) -> bool:
        """Keep an answer, unless it is too long or asks for a tool."""
        if len(entry.body) > ENTRY_BYTES_MAX or any(mark in entry.body for mark in _TOOLS):
            return False
        self._drop(key)
        self._entries[key] = entry
        self.bytes += entry.bytes
        while self.bytes > self._bytes_max:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.bytes
        return True

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """Drop what must not be served any more; a purge that has been obeyed is not looked at again."""
        new = [one for one in purges if one not in self._obeyed]
        if not new:
            return
        self._obeyed = frozenset(purges)
        for key in [key for key, entry in self._entries.items() if any(_is_meant(one, entry) for one in new)]:
            self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self.bytes = 0

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.bytes


def _is_meant(purge: Purge, entry: Entry) -> bool:
    return (
        entry.stored_ns <= purge.before_ns
        and purge.tenant in ("", entry.tenant)
        and purge.release in ("", entry.release)
        and purge.subject in ("", entry.subject)
    )
