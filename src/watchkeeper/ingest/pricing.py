"""The final price of a call, from the same price lists that the gateway used."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.money import CostStatus
from watchkeeper.core.usage import Usage, UsageStatus
from watchkeeper.money.book import PriceBook
from watchkeeper.money.contracts import Contract, about, charged, contracted
from watchkeeper.money.prices import Line, ModelPrices, PriceList, Rates, cost_nusd, cost_status, price

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
    """Of the last attempt's prices, as is the date; empty for what the gateway booked."""
    valid_from_ns: int | None
    attempts: list[PricedAttempt]
    """Of each attempt, in the order of the call's; one may be priced though the whole cannot be."""
    line_attempts: list[int]
    """Of each line, the number of the attempt that used it."""
    charged_nusd: int | None = None
    """What the tenant is charged; None where that is what the call costs, or where nobody knows that."""


class Pricer(Protocol):
    """Prices finished calls."""

    def price(self, call: Call) -> Priced:
        """Return the final price of a call."""
        ...


class _Found(NamedTuple):
    prices: ModelPrices | None
    contracts: tuple[Contract, ...]


class Terms:
    """Whose prices apply to each provider, and what was agreed on top. It is replaced whole.

    Args:
        lists: By provider in the configuration; one whose prices nobody knows is absent.
        contracts: In the order of the configuration.
    """

    def __init__(self, lists: Mapping[str, PriceList], contracts: tuple[Contract, ...] = ()) -> None:
        self.lists = lists
        self.contracts = contracts
        self._found: dict[tuple[str, str], _Found] = {}

    def knows(self, provider: str) -> bool:
        """Tell whether there are prices for a provider."""
        return provider in self.lists

    def of(self, provider: str, model: str) -> _Found:
        """Return the price rows and the contracts of a target; the provider must be known."""
        known = (provider, model)
        found = self._found.get(known)
        if found is None:
            if len(self._found) >= KNOWN_MODELS_MAX:
                self._found.clear()
            found = _Found(self.lists[provider].find(model), about(self.contracts, provider, model))
            self._found[known] = found
        return found


class BookPricer:
    """Prices calls by `terms`, which its owner keeps up to date."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    @classmethod
    def by_list(cls, book: PriceBook, list_of_provider: Mapping[str, str]) -> "BookPricer":
        """Make one for providers that have a list of the book each, and no contracts."""
        return cls(Terms({provider: book.price_list(name) for provider, name in list_of_provider.items()}))

    def price(self, call: Call) -> Priced:
        """Price a call by its own day, each attempt at the prices of its own target.

        What the gateway booked stands where nothing was used, or where the prices of a provider are not known here.
        """
        terms = self.terms
        lines: list[Line] = []
        line_attempts: list[int] = []
        attempts: list[PricedAttempt] = []
        charges: list[int | None] = []
        rates: Rates | None = None
        for attempt, usage, usage_status in _used(call):
            if usage is None:
                attempts.append(PricedAttempt(attempt.cost_nusd, attempt.cost_status))
                continue
            if not terms.knows(attempt.provider):
                return as_booked(call)
            prices, contracts = terms.of(attempt.provider, attempt.model)
            listed = prices.at(call.started_ns, attempt.service_tier) if prices is not None else None
            rates = listed and contracted(listed, contracts, call.tenant, call.started_ns)
            found = price(usage, rates) if rates is not None else None
            if rates is None or found is None:
                attempts.append(PricedAttempt(None, "unpriced"))
                charges.append(None)
                continue
            nusd = sum([line.nusd for line in found])
            attempts.append(PricedAttempt(nusd, cost_status(usage_status, rates, attempt.service_tier)))
            marked_up = charged(rates, contracts, call.tenant, call.started_ns)
            charges.append(nusd if marked_up is None else cost_nusd(usage, marked_up))
            lines += found
            line_attempts += [attempt.number] * len(found)
        if None in charges:
            return Priced(None, "unpriced", [], "", None, attempts, [])
        if rates is None:
            return as_booked(call)
        nusd = sum([line.nusd for line in lines])
        total = sum([nusd for nusd in charges if nusd is not None])
        is_measured = call.usage_status == "measured" and all(one.status != "estimated" for one in attempts)
        return Priced(
            nusd,
            "measured" if is_measured else "estimated",
            lines,
            rates.source,
            rates.valid_from_ns,
            attempts,
            line_attempts,
            total if total != nusd else None,
        )


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
