"""Puts the price book, the configuration's own prices and its contracts together into what applies to each provider."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from watchkeeper.config.schema import Config
from watchkeeper.gateway.snapshot import Snapshot
from watchkeeper.ingest.pricing import Terms
from watchkeeper.money.book import PriceBook
from watchkeeper.money.prices import PriceList
from watchkeeper.money.written_prices import overridden
from watchkeeper.store.prices import Prices


class ListsInForce(NamedTuple):
    """Price lists, and which of them each provider has."""

    names: Mapping[str, str]
    """By provider; empty for one whose prices nobody knows."""
    lists: Mapping[str, PriceList]


async def stored_book(prices: Prices) -> PriceBook:
    """Return the book that is kept; at a first start it begins as the edition that is installed."""
    if not await prices.revision():
        from watchkeeper.money.genai import installed  # a quarter of a second, which only a first start needs

        await prices.seed(await asyncio.to_thread(installed))
    return await prices.book()


def lists_in_force(config: Config, book: PriceBook) -> ListsInForce:
    """Find each provider's list; one with overrides has a list of its own, in which they are asked first."""
    names: dict[str, str] = {}
    lists: dict[str, PriceList] = {}
    for provider, said in sorted(config.providers.items()):
        name = book.list_name(said.price_list, said.base_url)
        own = [
            overridden(override)
            for override in config.prices.overrides
            if override.provider == provider or (name and override.list == name)
        ]
        listed = book.price_list(name).models if book.has(name) else ()
        if own:
            name = f"{name} + {provider}" if name else provider
        if own or listed:
            lists[name] = PriceList(name, (*own, *listed)) if own else book.price_list(name)
        names[provider] = name if name in lists else ""
    return ListsInForce(names, lists)


def terms_of(snapshot: Snapshot) -> Terms:
    """Return what a snapshot says about prices, for whoever prices calls for good."""
    lists = snapshot.price_lists
    known = {name: lists[one.price_list] for name, one in snapshot.providers.items() if one.price_list in lists}
    return Terms(known, snapshot.contracts)
