"""Bundles in memory: asked for once, looked at again in the background, kept on disk for when the gateway is down."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.releases.bundle import Bundle, BundleRefused, public_key_of, verify
from watchkeeper.releases.prepared import Prepared
from watchkeeper.sdk.disk import Disk, Kept
from watchkeeper.sdk.errors import NotServed, Unavailable
from watchkeeper.sdk.gateway import Fetched, Gateway

HELD_MAX = 1_000
"""Names of which bundles are held; the one that was asked for first makes room."""
REWRITE_AFTER_S = 60.0
"""How old the time of the last confirmation on disk may become while the bundle stays the same."""
STALE_AFTER_TTLS = 3
"""Without confirmation for so many ttls, a bundle counts as stale even if nobody has failed to get it."""

_log = logging.getLogger("watchkeeper.sdk")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    feature: str
    environment: str = ""
    """Empty for the key's own."""
    release: str = ""
    """Instead of what an environment serves."""

    @property
    def name(self) -> str:
        """`feature`, `feature@environment` or `feature@wk1-...`."""
        which = self.release or self.environment
        return f"{self.feature}@{which}" if which else self.feature

    def is_answered_by(self, bundle: Bundle) -> bool:
        """Tell whether a bundle is of what was asked."""
        return (
            bundle.feature == self.feature
            and self.environment in ("", bundle.environment)
            and self.release in ("", bundle.release)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is known of one name. Replaced whole, never changed."""

    bundle: Bundle | None
    document: bytes = b""
    """The bundle as it was signed."""
    etag: str = ""
    confirmed_ns: int = 0
    """When a gateway that hears from its keeper last said that this is what it serves (Unix time); 0 for never."""
    answered_at: float | None = None
    """When the gateway last answered, in monotonic seconds; None for what this process has from disk."""
    looked_at: float
    """Monotonic seconds of the latest look, whatever came of it."""
    trouble: WatchkeeperError | None = None
    """Why the latest look failed."""
    is_behind: bool = False
    """Whether the gateway itself has not heard from its keeper."""
    prepared: dict[str, Prepared] = field(default_factory=dict[str, Prepared], compare=False)
    """By release, as far as rendered."""


class Holder:
    """Holds bundles, and has at most one look at the gateway under way in the background."""

    def __init__(self, gateway: Gateway, disk: Disk | None, public_key: str, *, ttl_s: float, clock: Clock) -> None:
        self._gateway = gateway
        self._disk = disk
        self._given_key = public_key
        self._public_key = public_key
        self._ttl_s = ttl_s
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._written_at: dict[str, float] = {}
        self._due: dict[str, Asked] = {}
        self._lock = threading.Lock()
        self._looking: dict[str, threading.Lock] = {}
        self._is_refreshing = False

    def after_fork(self) -> None:
        """Go on in a child: the thread that was looking, and whoever held a lock, stayed behind."""
        self._lock = threading.Lock()
        self._looking = {}
        self._due = {}
        self._is_refreshing = False
        self._gateway.after_fork()

    def get(self, asked: Asked, *, may_wait: bool) -> Held:
        """Return what is held. What is not yet held is asked for now; what is older than its ttl, in the background.

        Args:
            asked: What is wanted.
            may_wait: Whether to ask now, too, where the last look has brought nothing and was longer ago than the ttl.
        """
        held = self._held.get(asked.name)
        if held is None:
            return self._once(asked, lambda: self._held.get(asked.name))
        if self._clock.monotonic() - held.looked_at < self._ttl_s:
            return held
        if held.bundle is None and may_wait:
            return self._once(asked, lambda: self._later_than(held, asked.name))
        self._look_soon(asked, held)
        return held

    def is_stale(self, held: Held) -> bool:
        """Tell whether somebody may have changed since what is served, without us knowing."""
        if held.trouble is not None or held.is_behind or held.answered_at is None:
            return True
        return self._clock.monotonic() - held.answered_at > STALE_AFTER_TTLS * self._ttl_s

    def _later_than(self, held: Held, name: str) -> Held | None:
        found = self._held.get(name)
        return found if found is not held else None

    def _once(self, asked: Asked, found: Callable[[], Held | None]) -> Held:
        """Look now, unless another thread has by the time that it is our turn."""
        with self._lock:
            lock = self._looking.setdefault(asked.name, threading.Lock())
        with lock:
            return found() or self._look(asked)

    def _look_soon(self, asked: Asked, held: Held) -> None:
        with self._lock:
            if self._held.get(asked.name) is not held:
                return
            self._due[asked.name] = asked
            if self._is_refreshing:
                return
            self._is_refreshing = True
        try:
            threading.Thread(target=self._refresh, name="watchkeeper-prompts", daemon=True).start()
        except RuntimeError:  # the interpreter is ending, or has no thread left: what is held must do
            self._is_refreshing = False

    def _refresh(self) -> None:
        try:
            while (asked := self._next()) is not None:
                try:
                    self._look(asked)
                finally:
                    with self._lock:
                        self._due.pop(asked.name, None)
        except BaseException:  # a defect ends this thread; the next rendering starts another
            self._is_refreshing = False
            raise

    def _next(self) -> Asked | None:
        with self._lock:
            found = next(iter(self._due.values()), None)
            self._is_refreshing = found is not None
            return found

    def _look(self, asked: Asked) -> Held:
        """Ask the gateway, and where it does not answer, memory and then the disk."""
        before = self._held.get(asked.name)
        now = self._clock.monotonic()
        try:
            fetched = self._gateway.fetch(asked.name, before.etag if before is not None and before.bundle else "")
            held = self._taken(asked, fetched, before, now)
        except NotServed as refused:
            # It has been taken off on purpose; what was kept of it is of no use any more.
            held = Held(bundle=None, looked_at=now, trouble=refused)
            if self._disk is not None:
                self._disk.forget(asked.name)
        except WatchkeeperError as trouble:
            held = self._without_gateway(asked, before, now, trouble)
            if before is None or before.trouble is None or type(before.trouble) is not type(trouble):
                _log.warning("the prompt %s could not be looked at: %s", asked.name, trouble)
        with self._lock:
            while len(self._held) >= HELD_MAX and asked.name not in self._held:
                gone = next(iter(self._held))
                for known in (self._held, self._looking, self._written_at):
                    known.pop(gone, None)
            self._held[asked.name] = held
        return held

    def _taken(self, asked: Asked, fetched: Fetched, before: Held | None, now: float) -> Held:
        confirmed_ns = (
            (before.confirmed_ns if before is not None else 0) if fetched.is_behind else self._clock.unix_ns()
        )
        if not fetched.document:
            assert before is not None  # without an ETag nobody answers that nothing has changed
            held = replace(
                before,
                confirmed_ns=confirmed_ns,
                answered_at=now,
                looked_at=now,
                trouble=None,
                is_behind=fetched.is_behind,
            )
            self._keep(asked, held)
            return held
        bundle = self._verified(asked, fetched.document)
        self._written_at.pop(asked.name, None)
        held = Held(
            bundle=bundle,
            document=fetched.document,
            etag=fetched.etag,
            confirmed_ns=confirmed_ns,
            answered_at=now,
            looked_at=now,
            is_behind=fetched.is_behind,
            prepared=_still(before, bundle),
        )
        self._keep(asked, held)
        return held

    def _without_gateway(self, asked: Asked, before: Held | None, now: float, trouble: WatchkeeperError) -> Held:
        if before is not None and before.bundle is not None:
            return replace(before, looked_at=now, trouble=trouble)
        try:
            kept = self._disk.read(asked.name) if self._disk is not None else None
            if kept is None:
                return Held(bundle=None, looked_at=now, trouble=trouble)
            bundle = self._verified(asked, kept.document.encode())
        except BundleRefused as refused:
            told = Unavailable(f"{trouble} What was kept cannot be used either: {refused}")
            return Held(bundle=None, looked_at=now, trouble=told)
        return Held(
            bundle=bundle,
            document=kept.document.encode(),
            etag=kept.etag,
            confirmed_ns=min(kept.confirmed_ns, self._clock.unix_ns()),
            looked_at=now,
            trouble=trouble,
        )

    def _verified(self, asked: Asked, document: bytes) -> Bundle:
        """Return the bundle, signed with the key that was given, or that was pinned at the first fetch."""
        pinned = self._disk.pinned() if self._disk is not None and not self._public_key else ""
        key, signed_with = self._public_key or pinned, public_key_of(document)
        if key and signed_with != key:
            where = f"pinned in {self._disk.pin_path}" if self._disk is not None and not self._given_key else "known"
            raise BundleRefused(
                f"{self._gateway.origin} signs with another key than the one that is {where}. Nothing of it is used. "
                "If the gateway was set up anew, remove that file, or give its new `public_key`, and start again."
            )
        bundle = verify(document, signed_with)
        if not asked.is_answered_by(bundle):
            raise BundleRefused(f"{asked.name} was asked for, and {bundle.name} was given; it is not used.")
        if self._disk is not None and not key:
            self._disk.pin(signed_with)
        self._public_key = signed_with
        return bundle

    def _keep(self, asked: Asked, held: Held) -> None:
        """Write to disk, unless the same was written a moment ago."""
        if self._disk is None or held.looked_at - self._written_at.get(asked.name, -math.inf) < REWRITE_AFTER_S:
            return
        self._disk.write(Kept(asked.name, held.document.decode(), held.etag, held.confirmed_ns))
        self._written_at[asked.name] = held.looked_at


def _still(before: Held | None, bundle: Bundle) -> dict[str, Prepared]:
    """What was made ready of releases that a new bundle still has."""
    if before is None:
        return {}
    return {release: made for release, made in before.prepared.items() if release in bundle.recipes}
