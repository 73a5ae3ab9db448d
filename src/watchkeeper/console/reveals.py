"""Secrets that are shown once: kept between the form that made one and the page that shows it."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from watchkeeper.access.tokens import make_token
from watchkeeper.core.clock import Clock

KEPT_S = 60
KEPT_MAX = 100

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Made]):
    made: Made
    session: str
    until: float


class Reveals(Generic[Made]):
    """Holds each secret for one minute, for one session, for one look. Nothing is written anywhere."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept[Made]] = OrderedDict()

    def keep(self, made: Made, *, session: str) -> str:
        """Keep a secret and return the ticket for it; the oldest is dropped when there are too many."""
        ticket = make_token()
        self._kept[ticket] = _Kept(made, session, self._clock.monotonic() + KEPT_S)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return ticket

    def take(self, ticket: str, *, session: str) -> Made | None:
        """Return a secret and forget it; None when it was shown already, is too old, or is another session's."""
        kept = self._kept.pop(ticket, None)
        is_good = kept is not None and kept.session == session and self._clock.monotonic() < kept.until
        return kept.made if kept is not None and is_good else None
