"""The price book: genai-prices compiled into price lists, and the rule that says whose prices apply to a provider."""

import re
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.money.prices import BUCKETS, FREE, Bucket, Match, ModelPrices, PriceList, Rate, Rates, Tier

PRICE_KEYS: dict[Bucket, tuple[str, ...]] = {
    "input_uncached": ("input_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m": ("cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "output_text": ("output_mtok",),
    "output_reasoning": ("output_reasoning_mtok", "output_mtok"),
    "audio_in": ("input_audio_mtok", "input_mtok"),
    "audio_out": ("output_audio_mtok", "output_mtok"),
}
"""Which of genai-prices' rates pays for a bucket: the first that a model has."""

_FIRST_ADDRESSES = ("openai",)
"""Where two providers of the book share an address, the one that serves the API we speak."""


class PriceBook:
    """Every price list known here, compiled when it is first asked for."""

    def __init__(self) -> None:
        self._providers = {provider.id: provider for provider in get_snapshot().providers}
        self._source = f"genai-prices {version('genai-prices')}"
        self._compiled: dict[str, PriceList] = {FREE.name: FREE}

    @property
    def names(self) -> list[str]:
        """Names a configuration may give as `price_list`."""
        return sorted([*self._providers, FREE.name])

    def has(self, name: str) -> bool:
        """Tell whether there is a list of this name."""
        return name in self._compiled or name in self._providers

    def list_name(self, declared: str | None, base_url: str) -> str:
        """Name the list that prices a provider: the declared one, that of the address's owner, or none (empty)."""
        if declared is not None:
            return declared
        for name in (*_FIRST_ADDRESSES, *self._providers):
            if _is_address_of(self._providers[name].api_pattern, base_url):
                return name
        return ""

    def price_list(self, name: str) -> PriceList:
        """Return a list by name.

        Raises:
            KeyError: there is none of this name.
        """
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = self._compile(self._providers[name])
        return found

    def _compile(self, provider: genai.Provider) -> PriceList:
        models = [self._model(provider.id, model) for model in provider.models]
        for other in provider.fallback_model_providers or ():
            models += [self._model(other, model) for model in self._providers[other].models]
        return PriceList(provider.id, tuple(models))

    def _model(self, provider_id: str, model: genai.ModelInfo) -> ModelPrices:
        source = f"{self._source}: {provider_id}/{model.id}"
        conditions = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
        rows = [_rates(source, condition, is_first=index == 0) for index, condition in enumerate(conditions)]
        return ModelPrices(_match(model.match), tuple(rows))


def _is_address_of(api_pattern: str, base_url: str) -> bool:
    """Tell whether an address is a provider's. Most patterns stop inside the host name, so what follows counts too."""
    found = re.match(api_pattern, base_url)
    return found is not None and (found[0].endswith(("/", ".")) or base_url[found.end() :][:1] in ("", "/", ":"))


def _rates(source: str, condition: genai.ConditionalPrice, *, is_first: bool) -> Rates:
    by_bucket = tuple(_first_rate(condition.prices, PRICE_KEYS[bucket]) for bucket in BUCKETS)
    valid_from_ns, hours_s = None, None
    match condition.constraint:
        case genai.StartDateConstraint(start_date=day):
            valid_from_ns = int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000_000
        case genai.TimeOfDateConstraint(start_time=start, end_time=end):
            hours_s = (_second_of_day(start), _second_of_day(end))
        case None:
            pass
    if is_first:
        # genai-prices falls back to the first row where no condition holds.
        valid_from_ns, hours_s = None, None
    return Rates(source, valid_from_ns, hours_s, by_bucket, _request_fee(condition.prices))


def _first_rate(prices: genai.ModelPrice, keys: tuple[str, ...]) -> Rate | None:
    for key in keys:
        found: Decimal | genai.TieredPrices | None = prices.__dict__.get(key)
        if isinstance(found, genai.TieredPrices):
            return Rate(
                _per_million(found.base), tuple(Tier(tier.start, _per_million(tier.price)) for tier in found.tiers)
            )
        if found is not None:
            return Rate(_per_million(found))
    return None


def _per_million(usd: Decimal) -> int:
    return int((usd * NUSD_PER_USD).to_integral_value())


def _request_fee(prices: genai.ModelPrice) -> int:
    per_thousand: Any = prices.__dict__.get("requests_kcount")
    return int(per_thousand * NUSD_PER_USD / 1000) if isinstance(per_thousand, Decimal) else 0


def _second_of_day(moment: time) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    at = datetime.combine(datetime(1970, 1, 2, tzinfo=UTC).date(), aware).astimezone(UTC)
    return at.hour * 3600 + at.minute * 60 + at.second


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
