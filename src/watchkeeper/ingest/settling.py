"""What calls have used, on its way from the spool into the ledger: before their records are stored, and once."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from typing import Protocol

from watchkeeper.core.call import Call
from watchkeeper.core.money import Charge
from watchkeeper.ingest.pricing import Priced
from watchkeeper.store.ledger import Ledger, Place, SettledCharge

SETTLE_S = 30.0
"""How long one batch may take; then it is tried again, and what was booked after all is not booked twice."""

_NS = 1_000_000_000
_SHADOW_NOTE = "would_refuse "


class Settler(Protocol):
    """Where charges go."""

    def settle(self, worker: str, place: Place, charges: list[SettledCharge]) -> None:
        """Book the charges that stand behind what was booked of this worker's spool before.

        Raises:
            Exception: nobody can tell whether they are booked; the same charges are to be sent again.
        """
        ...


class LoopSettler:
    """Books through a ledger that lives on an event loop; for any other thread."""

    def __init__(self, ledger: Ledger, loop: AbstractEventLoop, *, host: str) -> None:
        self._ledger = ledger
        self._loop = loop
        self._host = host

    def settle(self, worker: str, place: Place, charges: list[SettledCharge]) -> None:
        """Book, as `Settler` says; the thread waits for it.

        Raises:
            TimeoutError: the control database did not answer in time.
        """
        # Names of workers and lives are unique on their host only.
        ours = [charge._replace(holder=f"{self._host}/{charge.holder}") for charge in charges]
        work = self._ledger.settle(f"{self._host}/{worker}", place, ours)
        booking = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            booking.result(SETTLE_S)
        except TimeoutError:
            booking.cancel()
            raise TimeoutError(f"the ledger did not book within {SETTLE_S:g} s") from None


def charges_of(call: Call, priced: Priced, *, records: int) -> Iterator[SettledCharge]:
    """Yield what a call takes from which accounts.

    Args:
        call: Finished.
        priced: Its final price, which counts instead of what the worker thought.
        records: How many records of the segment stand up to the end of the frame that the call is in.
    """
    shadowed = {note.removeprefix(_SHADOW_NOTE) for note in call.budget_notes if note.startswith(_SHADOW_NOTE)}
    for charge in call.charges:
        yield SettledCharge(
            records,
            call.id,
            (charge.at_ns or call.started_ns) // _NS,
            call.started_ns + int(call.duration_ms * 1e6),
            call.holder,
            charge.key,
            charge.rule,
            charge.unit,
            charge.drawn,
            amount_of(charge, priced),
            charge.rule in shadowed,
        )


def amount_of(charge: Charge, priced: Priced) -> int | None:
    """Return what is booked for a charge; None for money that nobody can price."""
    return priced.nusd if charge.unit == "nusd" and priced.nusd is not None else charge.amount
