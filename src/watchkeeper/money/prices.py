"""Price lists in compiled form: plain data that a gateway worker carries and that ingest evaluates alike.

Rates are integer nano-dollars per million units, which holds every published price exactly. An amount is rounded once,
half up, per bucket of usage, so that the lines of a bill add up to its total.
"""

import re
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import astuple, replace

from watchkeeper.core.money import CostStatus
from watchkeeper.core.usage import Usage, UsageStatus

PER_MILLION = 1_000_000
MODEL_NAME_MAX = 300
"""A longer model name has no price; a client can send any, and some rules are patterns."""
DAY_S = 86_400
WHOLE_BP = 10_000
"""Basis points of a whole price."""
DISTINCT_TIERS = frozenset({"batch", "fast", "flex", "priority"})
"""Service tiers that are known to cost something else than the ordinary one."""

Bucket = Literal[
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output_text",
    "output_reasoning",
    "audio_in",
    "audio_out",
    "image_in",
    "image_out",
    "server_tools",
]
"""The fields of `core.usage.Usage`."""

BUCKETS: tuple[Bucket, ...] = (
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output_text",
    "output_reasoning",
    "audio_in",
    "audio_out",
    "image_in",
    "image_out",
    "server_tools",
)


class Tier(Struct, frozen=True, array_like=True, gc=False):
    """A rate that holds for the whole call once its input is longer than `above_tokens`."""

    above_tokens: int
    nusd_per_million: int


class Rate(Struct, frozen=True, array_like=True, gc=False):
    """What one bucket costs."""

    nusd_per_million: int
    tiers: tuple[Tier, ...] = ()
    """Ascending by threshold."""

    def at(self, input_tokens: int) -> int:
        """Return nano-dollars per million units for a call with this much input."""
        found = self.nusd_per_million
        for tier in self.tiers:
            if input_tokens > tier.above_tokens:
                found = tier.nusd_per_million
        return found

    def times(self, share: int) -> "Rate":
        """Return the rate with all its numbers multiplied."""
        tiers = [Tier(tier.above_tokens, tier.nusd_per_million * share) for tier in self.tiers]
        return Rate(self.nusd_per_million * share, tuple(tiers))


class Rates(Struct, frozen=True, array_like=True, gc=False):
    """One dated price row of a model."""

    source: str
    """Where the row came from, such as `genai-prices 0.2.3: openai/gpt-4o-mini`."""
    valid_from_ns: int | None
    """Unix time from which the row holds; None for always."""
    hours_s: tuple[int, int] | None
    """Seconds of the UTC day between which the row holds, the end excluded; None for the whole day."""
    by_bucket: tuple[Rate | None, ...]
    """In the order of `BUCKETS`; None where the model has no such rate."""
    request_nusd: int = 0
    """Fee for each call."""
    valid_to_ns: int | None = None
    """Unix time from which the row holds no more; None for never."""
    service_tier: str = ""
    """The service tier it is for; empty for the ordinary one, and for every tier that has no row of its own."""
    per: int = PER_MILLION
    """What units times rate is divided by: a million, times `WHOLE_BP` for each contract in the rates."""

    def __post_init__(self) -> None:
        """Refuse a row that another version compiled: a bucket it does not know would cost nothing."""
        if len(self.by_bucket) != len(BUCKETS):
            raise ValueError(f"a price row has {len(self.by_bucket)} rates and this version knows {len(BUCKETS)}")

    def holds_at(self, at_ns: int) -> bool:
        """Tell whether the row holds at a Unix time."""
        if self.valid_from_ns is not None and at_ns < self.valid_from_ns:
            return False
        if self.valid_to_ns is not None and at_ns >= self.valid_to_ns:
            return False
        if self.hours_s is None:
            return True
        start, end = self.hours_s
        second = at_ns // 1_000_000_000 % DAY_S
        return start <= second < end if start <= end else second >= start or second < end

    def at_share(self, share_bp: int, why: str) -> "Rates":
        """Return the row at a share of its price, in basis points.

        Its rates stay exact, since what they are divided by grows with them; the fee for each call is rounded half up.
        """
        return replace(
            self,
            source=f"{self.source}, {why}",
            by_bucket=tuple(None if rate is None else rate.times(share_bp) for rate in self.by_bucket),
            request_nusd=(self.request_nusd * share_bp + WHOLE_BP // 2) // WHOLE_BP,
            per=self.per * WHOLE_BP,
        )


class Match(Struct, frozen=True, array_like=True, gc=False):
    """A rule that recognises a model's name: one comparison, or several of which one or all must hold."""

    kind: Literal["equals", "starts", "ends", "contains", "regex", "any", "all"]
    text: str = ""
    parts: tuple["Match", ...] = ()

    def holds(self, name: str) -> bool:
        """Tell whether a lower-case model name is meant."""
        match self.kind:
            case "equals":
                return name == self.text
            case "starts":
                return name.startswith(self.text)
            case "ends":
                return name.endswith(self.text)
            case "contains":
                return self.text in name
            case "regex":
                return re.search(self.text, name) is not None
            case "any":
                return any(part.holds(name) for part in self.parts)
            case "all":
                return all(part.holds(name) for part in self.parts)


def match_of(pattern: str) -> Match:
    """Read a model's name in which a `*` at the beginning or the end stands for anything."""
    text = pattern.lower()
    match text.startswith("*"), len(text) > 1 and text.endswith("*"):
        case True, True:
            return Match("contains", text[1:-1])
        case True, False:
            return Match("ends", text[1:])
        case False, True:
            return Match("starts", text[:-1])
        case _:
            return Match("equals", text)


class ModelPrices(Struct, frozen=True, array_like=True, gc=False):
    """The price rows of one model; of those that hold at a time, the last counts."""

    match: Match
    rows: tuple[Rates, ...]

    def at(self, at_ns: int, service_tier: str = "") -> Rates | None:
        """Return the row that holds at a Unix time: that of the service tier, else the ordinary one."""
        ordinary = special = None
        for row in self.rows:
            if row.service_tier in ("", service_tier) and row.holds_at(at_ns):
                if row.service_tier:
                    special = row
                else:
                    ordinary = row
        return special or ordinary


class PriceList(Struct, frozen=True, array_like=True, gc=False):
    """The prices of one provider."""

    name: str
    models: tuple[ModelPrices, ...]

    def find(self, model: str) -> ModelPrices | None:
        """Return the rows of a model; None when the list does not know it."""
        if len(model) > MODEL_NAME_MAX:
            return None
        name = model.lower()
        return next((prices for prices in self.models if prices.match.holds(name)), None)

    def rates(self, model: str, at_ns: int, service_tier: str = "") -> Rates | None:
        """Return the row that holds for a model at a Unix time; None when the list does not know the model."""
        found = self.find(model)
        return found.at(at_ns, service_tier) if found is not None else None


class Line(NamedTuple):
    """One bucket of a bill."""

    bucket: str
    """A bucket of usage, or `request`."""
    units: int
    nusd_per_million: int
    """Rounded half up where a contract's share leaves a fraction; the amount is not made from the rounded one."""
    nusd: int


def price(usage: Usage, rates: Rates) -> list[Line] | None:
    """Write the bill of one call; its cost is the sum of the lines.

    None when something was used for which the row has no rate: a part of a bill would look like the whole.
    """
    lines: list[Line] = []
    per = rates.per
    for bucket, units, rate in zip(BUCKETS, astuple(usage), rates.by_bucket, strict=True):
        if units:
            if rate is None:
                return None
            found = rate.at(usage.input_tokens)
            lines.append(Line(bucket, units, _half_up(found * PER_MILLION, per), _half_up(units * found, per)))
    if rates.request_nusd:
        lines.append(Line("request", 1, rates.request_nusd * PER_MILLION, rates.request_nusd))
    return lines


def cost_nusd(usage: Usage, rates: Rates) -> int | None:
    """Return the sum of the lines that `price` would write, without writing them; None when a rate is missing."""
    total = rates.request_nusd
    per, by_bucket = rates.per, rates.by_bucket
    half = per // 2
    for place, units in enumerate(astuple(usage)):
        if units:
            rate = by_bucket[place]
            if rate is None:
                return None
            found = rate.at(usage.input_tokens) if rate.tiers else rate.nusd_per_million
            total += (units * found + half) // per
    return total


def cost_status(usage_status: UsageStatus, rates: Rates, service_tier: str) -> CostStatus:
    """Tell how far an amount can be relied on that was made from a count and a row."""
    is_of_tier = service_tier not in DISTINCT_TIERS or rates.service_tier == service_tier
    return "measured" if usage_status == "measured" and is_of_tier else "estimated"


def _half_up(numerator: int, denominator: int) -> int:
    return (numerator + denominator // 2) // denominator


FREE = PriceList(
    "free", (ModelPrices(Match("contains"), (Rates("declared free", None, None, (Rate(0),) * len(BUCKETS)),)),)
)
"""The list of providers that cost nothing by the call, such as a model on one's own machine."""
