"""The final price of a call, from the same price lists that the gateway used."""

from typing import NamedTuple, Protocol

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.money import CostStatus
from watchkeeper.core.usage import Usage, UsageStatus
from watchkeeper.money.book import PriceBook
from watchkeeper.money.prices import Line, ModelPrices, Rates, price

KNOWN_MODELS_MAX = 10_000
"""Models whose rows are remembered; the next one starts over with none."""


class PricedAttempt(NamedTuple):
    """What one attempt costs."""

    nusd: int | None
    status: CostStatus


class Priced(NamedTuple):
    """What a call costs and why."""

    nusd: int | None
    status: CostStatus
    lines: list[Line]
    """Of all attempts."""
    source: str
    """Of the last attempt's prices, as is the date."""
    valid_from_ns: int | None
    attempts: list[PricedAttempt]
    """Of each attempt, in the order of the call's; one may be priced though the whole cannot be."""
    line_attempts: list[int]
    """Of each line, the number of the attempt that used it."""


class Pricer(Protocol):
    """Prices finished calls."""

    def price(self, call: Call) -> Priced:
        """Return the final price of a call."""
        ...


class BookPricer:
    """Prices calls by the price book; whose prices apply to a provider is asked for each call, as it may change."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._found: dict[tuple[str, str], ModelPrices | None] = {}
        self.list_of_provider: dict[str, str] = {}
        """Price list of each provider in the configuration; kept up to date by its owner."""

    def price(self, call: Call) -> Priced:
        """Price a call by its own day, each attempt at the prices of its own target.

        What the gateway booked stands where nothing was used, or where the prices of a provider are not known here.
        """
        lines: list[Line] = []
        line_attempts: list[int] = []
        attempts: list[PricedAttempt] = []
        rates: Rates | None = None
        is_priced = True
        for attempt, usage, usage_status in _used(call):
            if usage is None:
                attempts.append(PricedAttempt(attempt.cost_nusd, attempt.cost_status))
                continue
            list_name = self.list_of_provider.get(attempt.provider, "")
            if not self._book.has(list_name):
                return as_booked(call)
            prices = self._prices(list_name, attempt.model)
            rates = prices.at(call.started_ns) if prices is not None else None
            found = price(usage, rates) if rates is not None else None
            if found is None:
                is_priced = False
                attempts.append(PricedAttempt(None, "unpriced"))
                continue
            attempts.append(PricedAttempt(sum([line.nusd for line in found]), _STATUSES[usage_status]))
            lines += found
            line_attempts += [attempt.number] * len(found)
        if not is_priced:
            return Priced(None, "unpriced", [], "", None, attempts, [])
        if rates is None:
            return as_booked(call)
        nusd = sum([line.nusd for line in lines])
        status = _STATUSES[call.usage_status]
        return Priced(nusd, status, lines, rates.source, rates.valid_from_ns, attempts, line_attempts)

    def _prices(self, list_name: str, model: str) -> ModelPrices | None:
        known = (list_name, model)
        if known not in self._found:
            if len(self._found) >= KNOWN_MODELS_MAX:
                self._found.clear()
            self._found[known] = self._book.price_list(list_name).find(model)
        return self._found[known]


_STATUSES: dict[UsageStatus, CostStatus] = {"measured": "measured", "estimated": "estimated", "missing": "estimated"}


def _used(call: Call) -> list[tuple[Attempt, Usage | None, UsageStatus]]:
    """What each attempt used; the last one all of it, where only the whole is known."""
    used = [(attempt, attempt.usage, attempt.usage_status) for attempt in call.attempts]
    if used and call.usage is not None and all(usage is None for _, usage, _ in used):
        used[-1] = (call.attempts[-1], call.usage, call.usage_status)
    return used


def as_booked(call: Call) -> Priced:
    """Return what the gateway booked."""
    attempts = [PricedAttempt(attempt.cost_nusd, attempt.cost_status) for attempt in call.attempts]
    return Priced(call.cost_nusd, call.cost_status, [], "", None, attempts, [])
