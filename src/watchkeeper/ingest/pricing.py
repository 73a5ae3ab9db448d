"""The final price of a call, from the same price lists that the gateway used."""

from typing import NamedTuple, Protocol

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.money import CostStatus
from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.prices import Line, ModelPrices, Rates, price

KNOWN_MODELS_MAX = 10_000
"""Models whose rows are remembered; the next one starts over with none."""


class Priced(NamedTuple):
    """What a call costs and why."""

    nusd: int | None
    status: CostStatus
    lines: list[Line]
    """Of all attempts."""
    source: str
    """Of the last attempt's prices, as is the date."""
    valid_from_ns: int | None


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
        rates: Rates | None = None
        for attempt, usage in _used(call):
            list_name = self.list_of_provider.get(attempt.provider, "")
            if not self._book.has(list_name):
                return _as_booked(call)
            prices = self._prices(list_name, attempt.model)
            rates = prices.at(call.started_ns) if prices is not None else None
            found = price(usage, rates) if rates is not None else None
            if found is None:
                return Priced(None, "unpriced", [], "", None)
            lines += found
        if rates is None:
            return _as_booked(call)
        status: CostStatus = "measured" if call.usage_status == "measured" else "estimated"
        return Priced(sum(line.nusd for line in lines), status, lines, rates.source, rates.valid_from_ns)

    def _prices(self, list_name: str, model: str) -> ModelPrices | None:
        known = (list_name, model)
        if known not in self._found:
            if len(self._found) >= KNOWN_MODELS_MAX:
                self._found.clear()
            self._found[known] = self._book.price_list(list_name).find(model)
        return self._found[known]


def _used(call: Call) -> list[tuple[Attempt, Usage]]:
    """What each attempt used; the last one all of it, where only the whole is known."""
    used = [(attempt, attempt.usage) for attempt in call.attempts if attempt.usage is not None]
    if not used and call.attempts and call.usage is not None:
        used = [(call.attempts[-1], call.usage)]
    return used


def _as_booked(call: Call) -> Priced:
    return Priced(call.cost_nusd, call.cost_status, [], "", None)
