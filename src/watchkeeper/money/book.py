"""The price book: entries compiled into price lists, and the rule that says whose prices apply to a provider."""

import re
from collections.abc import Iterable, Mapping
from typing import Self

from watchkeeper.money.edition import Edition, Entry, ListFacts, compiled
from watchkeeper.money.prices import FREE, ModelPrices, PriceList

_FIRST_ADDRESSES = ("openai",)
"""Where two providers of the book share an address, the one that serves the API we speak."""


class PriceBook:
    """What is believed of prices: every list, compiled when it is first asked for.

    Args:
        lists: The lists of the edition that was approved last.
        entries: Its entries.
        corrections: What an operator's files say on top of them.
        revision: Number of the latest approval; 0 for a book that is not stored.
    """

    def __init__(
        self,
        lists: Mapping[str, ListFacts],
        entries: Iterable[Entry],
        corrections: Iterable[Entry] = (),
        *,
        revision: int = 0,
    ) -> None:
        self.revision = revision
        self.lists = lists
        self._entries = _by_list(entries)
        self._corrections = _by_list(corrections)
        self._compiled: dict[str, PriceList] = {FREE.name: FREE}

    @classmethod
    def of(cls, edition: Edition) -> Self:
        """Make the book that an edition alone is."""
        return cls(edition.lists, edition.entries)

    @property
    def names(self) -> list[str]:
        """Names a configuration may give as `price_list`."""
        return sorted([*self.lists, FREE.name])

    def has(self, name: str) -> bool:
        """Tell whether there is a list of this name."""
        return name in self._compiled or name in self.lists

    def list_name(self, declared: str | None, base_url: str) -> str:
        """Name the list that prices a provider: the declared one, that of the address's owner, or none (empty)."""
        if declared is not None:
            return declared
        for name in (*_FIRST_ADDRESSES, *self.lists):
            if name in self.lists and _is_address_of(self.lists[name].address, base_url):
                return name
        return ""

    def price_list(self, name: str) -> PriceList:
        """Return a list by name.

        Raises:
            KeyError: there is none of this name.
        """
        found = self._compiled.get(name)
        if found is None:
            borrowed = (name, *self.lists[name].borrows)
            models = [model for other in borrowed for model in self._models(other)]
            found = self._compiled[name] = PriceList(name, tuple(models))
        return found

    def entries(self, name: str) -> list[Entry]:
        """Return what is believed of the models of a list, corrections behind what they correct."""
        return [*self._entries.get(name, {}).values(), *self._corrections.get(name, {}).values()]

    def _models(self, name: str) -> tuple[ModelPrices, ...]:
        return compiled(self._entries.get(name, {}), self._corrections.get(name, {}))


def _by_list(entries: Iterable[Entry]) -> dict[str, dict[str, Entry]]:
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        found.setdefault(entry.list, {})[entry.model] = entry
    return found


def _is_address_of(api_pattern: str, base_url: str) -> bool:
    """Tell whether an address is a provider's. Most patterns stop inside the host name, so what follows counts too."""
    found = re.match(api_pattern, base_url)
    return found is not None and (found[0].endswith(("/", ".")) or base_url[found.end() :][:1] in ("", "/", ":"))
