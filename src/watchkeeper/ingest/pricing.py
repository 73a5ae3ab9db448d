"""The final price of a call, from the same price lists that the gateway used."""

from typing import NamedTuple, Protocol

from watchkeeper.core.call import Call
from watchkeeper.core.money import CostStatus
from watchkeeper.money.book import PriceBook
from watchkeeper.money.prices import Line, ModelPrices, price

KNOWN_MODELS_MAX = 10_000
"""Models whose rows are remembered; the next one starts over with none."""


class Priced(NamedTuple):
    """What a call costs and why."""

    nusd: int | None
    status: CostStatus
    lines: list[Line]
    source: str
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
        """Price a call by its own day; what the gateway booked stands where nothing was used or no list is known."""
        if call.usage is None or not call.attempts:
            return Priced(call.cost_nusd, call.cost_status, [], "", None)
        target = call.attempts[-1]
        list_name = self.list_of_provider.get(target.provider, "")
        if not self._book.has(list_name):
            return Priced(call.cost_nusd, call.cost_status, [], "", None)
        prices = self._prices(list_name, target.model)
        rates = prices.at(call.started_ns) if prices is not None else None
        lines = price(call.usage, rates) if rates is not None else None
        if rates is None or lines is None:
            return Priced(None, "unpriced", [], "", None)
        status: CostStatus = "measured" if call.usage_status == "measured" else "estimated"
        return Priced(sum(line.nusd for line in lines), status, lines, rates.source, rates.valid_from_ns)

    def _prices(self, list_name: str, model: str) -> ModelPrices | None:
        known = (list_name, model)
        if known not in self._found:
            if len(self._found) >= KNOWN_MODELS_MAX:
                self._found.clear()
            self._found[known] = self._book.price_list(list_name).find(model)
        return self._found[known]
