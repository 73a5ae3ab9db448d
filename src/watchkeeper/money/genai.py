"""The edition of the price book that is installed: genai-prices, read into our own rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.money.edition import Edition, Entry, ListFacts, Row
from watchkeeper.money.prices import BUCKETS, Bucket, Match

PRICE_KEYS: dict[Bucket, tuple[str, ...]] = {
    "input_uncached": ("input_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "output_text": ("output_mtok",),
    "output_reasoning": ("output_reasoning_mtok", "output_mtok"),
    "audio_in": ("input_audio_mtok", "input_mtok"),
    "audio_out": ("output_audio_mtok", "output_mtok"),
    "image_in": ("input_image_mtok", "input_mtok"),
    "image_out": ("output_image_mtok", "output_mtok"),
    "server_tools": ("web_searches_kcount",),
}
"""Which of genai-prices' rates pays for a bucket: the first that a model has."""

_TIER_KEYS = ("service_tier", "processing", "speed")
"""What a variant may depend on that an upstream reports as its service tier."""
_ORDINARY = frozenset({"default", "standard"})

_Price = Decimal | genai.TieredPrices


def installed() -> Edition:
    """Read the package's own snapshot; nothing is fetched."""
    source = f"genai-prices {version('genai-prices')}"
    providers = get_snapshot().providers
    return Edition(
        source,
        {one.id: ListFacts(one.api_pattern, tuple(one.fallback_model_providers or ())) for one in providers},
        tuple(
            Entry(one.id, model.id, _match(model.match), _rows(model), source, place)
            for one in providers
            for place, model in enumerate(one.models)
        ),
    )


def _rows(model: genai.ModelInfo) -> tuple[Row, ...]:
    """Write a model's prices as rows: the ordinary ones in their order, then those of each service tier in the same.

    genai-prices falls back to the first where no condition holds, so the first has none. A variant replaces single
    prices of whichever ordinary row holds, so there is a row for each pair of them, under the conditions of both.
    """
    found = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
    ordinary = [(None if place == 0 else one.constraint, _given(one.prices)) for place, one in enumerate(found)]
    rows = [_row(prices, [constraint]) for constraint, prices in ordinary]
    for tier, variant in _variants(model):
        for constraint, prices in ordinary:
            rows.append(_row(prices | _given(variant.prices), [constraint, variant.constraint], tier))
    by_conditions = {row.conditions: row for row in rows}  # of two under the same conditions, the last counts
    return tuple(by_conditions.values())


def _variants(model: genai.ModelInfo) -> Iterator[tuple[str, genai.PriceVariant]]:
    """Yield the variants that a service tier selects, so that of two for one tier the first comes last and counts."""
    for variant in reversed(model.price_variants or ()):
        [(key, value), *others] = variant.when.items()
        if key in _TIER_KEYS and not others and value not in _ORDINARY:
            yield value, variant


def _given(prices: genai.ModelPrice) -> dict[str, _Price]:
    return {key: price for key, price in prices.__dict__.items() if price is not None}


def _row(prices: dict[str, _Price], constraints: list[Any], service_tier: str = "") -> Row:
    per_million: dict[str, int] = {}
    above: dict[str, tuple[tuple[int, int], ...]] = {}
    for bucket in BUCKETS:
        key = next((key for key in PRICE_KEYS[bucket] if key in prices), None)
        if key is None:
            continue
        thousandths = 1000 if key.endswith("_kcount") else 1
        match prices[key]:
            case genai.TieredPrices(base=base, tiers=tiers):
                per_million[bucket] = _nusd(base * thousandths)
                above[bucket] = tuple((tier.start, _nusd(tier.price * thousandths)) for tier in tiers)
            case flat:
                per_million[bucket] = _nusd(flat * thousandths)
    per_thousand = prices.get("requests_kcount")
    return Row(
        per_million,
        above,
        request=_nusd(per_thousand / 1000) if isinstance(per_thousand, Decimal) else 0,
        service_tier=service_tier,
        valid_from_ns=max(map(_start_ns, filter(_is_start, constraints)), default=None),
        hours_s=next((_hours_s(one) for one in constraints if isinstance(one, genai.TimeOfDateConstraint)), None),
    )


def _is_start(constraint: Any) -> bool:
    return isinstance(constraint, genai.StartDateConstraint)


def _start_ns(constraint: genai.StartDateConstraint) -> int:
    return int(datetime.combine(constraint.start_date, time(), UTC).timestamp()) * 1_000_000_000


def _hours_s(constraint: genai.TimeOfDateConstraint) -> tuple[int, int]:
    return _second_of_day(constraint.start_time), _second_of_day(constraint.end_time)


def _second_of_day(moment: time) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    at = datetime.combine(datetime(1970, 1, 2, tzinfo=UTC).date(), aware).astimezone(UTC)
    return at.hour * 3600 + at.minute * 60 + at.second


def _nusd(usd: Decimal) -> int:
    return int((usd * NUSD_PER_USD).to_integral_value())


def _match(logic: Any) -> Match:
    match logic:
        case genai.ClauseEquals(equals=text):
            return Match("equals", text.lower())
        case genai.ClauseStartsWith(starts_with=text):
            return Match("starts", text.lower())
        case genai.ClauseEndsWith(ends_with=text):
            return Match("ends", text.lower())
        case genai.ClauseContains(contains=text):
            return Match("contains", text.lower())
        case genai.ClauseRegex(regex=text):
            return Match("regex", text)
        case genai.ClauseOr(or_=parts):
            return Match("any", "", tuple(_match(part) for part in parts))
        case genai.ClauseAnd(and_=parts):
            return Match("all", "", tuple(_match(part) for part in parts))
        case _:
            raise TypeError(f"genai-prices has a match rule that is not known here: {type(logic).__name__}")
