"""What a price book is made of: the rows of each model's price, in a form that is stored and compared."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from watchkeeper.money.prices import BUCKETS, Match, ModelPrices, Rate, Rates, Tier

Origin = Literal["edition", "file"]
"""Where an entry comes from: an edition of genai-prices, or a file of the operator's own."""


class Row(Struct, frozen=True, omit_defaults=True):
    """One price with the conditions under which it holds; amounts are nano-dollars."""

    per_million: dict[str, int] = {}
    """By bucket of usage: for a million units."""
    above: dict[str, tuple[tuple[int, int], ...]] = {}
    """By bucket: thresholds of the call's input in tokens, ascending, and the price for a million once it is longer."""
    request: int = 0
    """For each call."""
    service_tier: str = ""
    """Empty for the ordinary one."""
    valid_from_ns: int | None = None
    """Unix time; None for always."""
    valid_to_ns: int | None = None
    """Unix time, excluded; None for never."""
    hours_s: tuple[int, int] | None = None
    """Seconds of the UTC day, the end excluded; the start may be later than the end."""

    @property
    def conditions(self) -> tuple[object, ...]:
        """What tells it from the other rows of its model."""
        return (self.service_tier, self.valid_from_ns, self.valid_to_ns, self.hours_s)

    def rates(self, source: str) -> Rates:
        """Compile the row."""
        return Rates(
            source,
            self.valid_from_ns,
            self.hours_s,
            tuple(self._rate(bucket) for bucket in BUCKETS),
            self.request,
            self.valid_to_ns,
            self.service_tier,
        )

    def _rate(self, bucket: str) -> Rate | None:
        found = self.per_million.get(bucket)
        if found is None:
            return None
        return Rate(found, tuple(Tier(above, nusd) for above, nusd in self.above.get(bucket, ())))


class Entry(Struct, frozen=True):
    """The price of one model in one list, as one source tells it."""

    list: str
    model: str
    """Its id in the list."""
    match: Match | None
    """Which names mean it; None for those of the entry below it."""
    rows: tuple[Row, ...]
    """Of those that hold, the last counts. None at all takes the entry back."""
    source: str = ""
    place: int = 0
    """In its list: of two models that a name could mean, the one with the lower place is meant."""

    @property
    def key(self) -> tuple[str, str]:
        """List and model."""
        return self.list, self.model

    @property
    def described(self) -> str:
        """What its rows name as their source."""
        return f"{self.source}: {self.list}/{self.model}"

    def says_the_same(self, other: "Entry") -> bool:
        """Tell whether prices and names are those of another entry, whoever said it."""
        return self.rows == other.rows and self.match == other.match

    def rates(self) -> tuple[Rates, ...]:
        """Compile its rows."""
        return tuple(row.rates(self.described) for row in self.rows)


class ListFacts(Struct, frozen=True):
    """What is known of a price list beside its prices."""

    address: str
    """Pattern of the addresses that are its provider's."""
    borrows: tuple[str, ...] = ()
    """Lists that are asked for a model which it does not have."""


class Edition(Struct, frozen=True):
    """A price book as somebody published it."""

    source: str
    """Such as `genai-prices 0.2.3`."""
    lists: dict[str, ListFacts]
    entries: tuple[Entry, ...]


def compiled(below: Mapping[str, Entry], above: Mapping[str, Entry]) -> tuple[ModelPrices, ...]:
    """Put the entries of one list together, each by model: what an operator's file says lies on an edition's rows.

    Models that only the file has are asked first.
    """
    models = [
        ModelPrices(entry.match or Match("equals", model.lower()), entry.rates())
        for model, entry in above.items()
        if model not in below
    ]
    for model, entry in sorted(below.items(), key=lambda item: item[1].place):
        upper = above.get(model)
        match = (upper.match if upper is not None else None) or entry.match
        if match is not None:
            models.append(ModelPrices(match, entry.rates() + (upper.rates() if upper is not None else ())))
    return tuple(models)
