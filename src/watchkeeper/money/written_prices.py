"""Prices as people write them, in dollars for units with names of their own, as rows of the price book."""

from collections.abc import Mapping
from decimal import Decimal

from watchkeeper.config.prices import Contract as AgreedContract
from watchkeeper.config.prices import Override, UnitPrices
from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.money.contracts import Contract
from watchkeeper.money.edition import Row
from watchkeeper.money.moments import midnight_ns
from watchkeeper.money.prices import BUCKETS, Bucket, ModelPrices, match_of

PAYS_FOR: dict[Bucket, tuple[str, ...]] = {
    "input_uncached": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write_5m": ("cache_write_5m", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write_5m", "input"),
    "output_text": ("output",),
    "output_reasoning": ("reasoning", "output"),
    "audio_in": ("audio_in", "input"),
    "audio_out": ("audio_out", "output"),
    "image_in": ("image_in", "input"),
    "image_out": ("image_out", "output"),
    "server_tools": ("server_tools",),
}
"""Which of the names pays for a bucket: the first that was said."""

_THOUSANDS = frozenset({"server_tools"})
"""Names that speak of a thousand units, not of a million."""


def priced_row(said: UnitPrices, above: Mapping[int, UnitPrices]) -> Row:
    """Write prices as a row without conditions; what is said above a threshold lies on what holds below it."""
    units = _said(said)
    flat = _by_bucket(units)
    tiers: dict[str, list[tuple[int, int]]] = {}
    for tokens in sorted(above):
        units |= _said(above[tokens])
        for bucket, nusd in _by_bucket(units).items():
            tiers.setdefault(bucket, []).append((tokens, nusd))
    request = said.request
    return Row(
        flat,
        {bucket: tuple(steps) for bucket, steps in tiers.items() if bucket in flat},
        request=0 if request is None else _nusd(request),
    )


def overridden(override: Override) -> ModelPrices:
    """Compile an override."""
    seller = override.provider or override.list
    rates = priced_row(override, override.above).rates(f"configuration: {seller}/{override.model}")
    return ModelPrices(match_of(override.model), (rates,))


def contract_of(agreed: AgreedContract) -> Contract:
    """Compile a contract."""
    return Contract(
        agreed.provider,
        agreed.tenant,
        tuple(map(match_of, agreed.models)),
        agreed.discount or 0,
        agreed.mark_up or 0,
        None if agreed.start is None else midnight_ns(agreed.start),
        None if agreed.until is None else midnight_ns(agreed.until),
    )


def _said(prices: UnitPrices) -> dict[str, Decimal]:
    found = {name: getattr(prices, name) for name in UnitPrices.model_fields}
    return {name: amount for name, amount in found.items() if amount is not None}


def _by_bucket(units: Mapping[str, Decimal]) -> dict[str, int]:
    found: dict[str, int] = {}
    for bucket in BUCKETS:
        name = next((name for name in PAYS_FOR[bucket] if name in units), None)
        if name is not None:
            found[bucket] = _nusd(units[name] * 1000 if name in _THOUSANDS else units[name])
    return found


def _nusd(usd: Decimal) -> int:
    """Exact: no amount in a file has more than nine decimals."""
    return int(usd * NUSD_PER_USD)
