"""Our rows say of every model, tier and hour what genai-prices itself says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from watchkeeper.money.edition import Entry
from watchkeeper.money.genai import PRICE_KEYS, installed
from watchkeeper.money.moments import unix_ns
from watchkeeper.money.prices import BUCKETS, ModelPrices, Rate

TIERS = ("batch", "fast", "flex", "priority")
HOURS = [datetime(2026, 11, 21, hour, 30, tzinfo=UTC) for hour in (0, 2, 7, 12, 16, 20)]
ENTRIES: dict[tuple[str, str], Entry] = {entry.key: entry for entry in installed().entries}


def _moments(model: genai.ModelInfo) -> list[datetime]:
    """The hours of a day, and the moments around each date on which a price changes."""
    rows = model.prices if isinstance(model.prices, list) else []
    constraints = [one.constraint for one in rows] + [one.constraint for one in model.price_variants or ()]
    days = {one.start_date for one in constraints if isinstance(one, genai.StartDateConstraint)}
    changes = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    return [*HOURS, *changes, *(moment - timedelta(seconds=1) for moment in changes)]


def _expected(prices: genai.ModelPrice) -> list[tuple[Decimal, list[tuple[int, Decimal]]] | None]:
    found: list[tuple[Decimal, list[tuple[int, Decimal]]] | None] = []
    for bucket in BUCKETS:
        given = [prices.__dict__.get(key) for key in PRICE_KEYS[bucket]]
        first = next((price for price in given if price is not None), None)
        scale = 1000 if bucket == "server_tools" else 1
        match first:
            case None:
                found.append(None)
            case genai.TieredPrices():
                tiers = [(tier.start, _exact(tier.price * scale)) for tier in first.tiers]
                found.append((_exact(first.base * scale), tiers))
            case _:
                found.append((_exact(first * scale), []))
    return found


def _exact(price: Decimal) -> Decimal:
    """Some prices of the package come out of a float, such as 0.18000000000000002."""
    return price.quantize(Decimal("1e-9"))


def _written(rate: Rate | None) -> tuple[Decimal, list[tuple[int, Decimal]]] | None:
    if rate is None:
        return None
    tiers = [(tier.above_tokens, Decimal(tier.nusd_per_million) / 10**9) for tier in rate.tiers]
    return Decimal(rate.nusd_per_million) / 10**9, tiers


def test_every_price_is_that_of_the_package() -> None:
    compared = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            entry = ENTRIES[provider.id, model.id]
            assert entry.match is not None
            compiled = ModelPrices(entry.match, entry.rates())
            for moment in _moments(model):
                for tier in ("", *TIERS) if model.price_variants else ("",):
                    context = {"service_tier": tier, "processing": tier, "speed": tier}
                    rates = compiled.at(unix_ns(moment), tier)
                    assert rates is not None
                    expected = _expected(model.get_prices(moment, context if tier else None))
                    assert [_written(rate) for rate in rates.by_bucket] == expected, (entry.key, moment, tier)
                    compared += 1
    assert compared > 15_000
