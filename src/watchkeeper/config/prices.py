"""The shape of what an installation says about prices: its own, and what was agreed with providers and tenants."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from watchkeeper.config.price_lists import PRICE_LISTS
from watchkeeper.config.problems import did_you_mean

ITEMS_MAX = 1_000
"""Overrides, and contracts, of one configuration."""
MODELS_MAX = 100
"""Patterns of one contract."""
_SHARE = re.compile(r"(-?\d{1,4}(?:\.\d{1,2})?) ?%")


def _is_number(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, (int, float, Decimal, str)):
        raise ValueError("must be a number of US dollars, such as `0.15`")
    return given


Dollars = Annotated[
    Decimal,
    BeforeValidator(_is_number),
    Field(ge=0, le=1_000_000, decimal_places=9, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1_000_000}),
]
"""US dollars, exact to the nano-dollar."""


def _basis_points(given: Any) -> Any:
    found = _SHARE.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError("must be a share with at most two decimals, such as `15%`")
    return int(Decimal(found[1]) * 100)


Percent = Annotated[
    int,
    BeforeValidator(_basis_points),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d{1,4}(\.\d{1,2})? ?%$", "examples": ["15%"]}),
]
"""Basis points, written as per cent."""


def _is_discount(bp: int | None) -> int | None:
    if bp is not None and not 0 < bp <= 10_000:
        raise ValueError("must be above 0% and at most 100%")
    return bp


def _is_mark_up(bp: int | None) -> int | None:
    if bp is not None and not (-10_000 <= bp <= 100_000 and bp):
        raise ValueError("must be between -100% and 1000%, and not 0%")
    return bp


Day = Annotated[date, WithJsonSchema({"type": "string", "format": "date"})]
"""Its midnight in UTC."""


def _pattern(text: str) -> str:
    if "*" in text[1:-1] or text == "**":
        raise ValueError("may have a `*` at its beginning and its end only")
    return text


ModelPattern = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,300}$"), AfterValidator(_pattern)]
"""A model's name; `*` at its beginning or end stands for anything."""

Named = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitPrices(_Section):
    """What units cost, in US dollars; what is not said costs what its whole does, as cached input does input."""

    input: Annotated[Dollars | None, Field(description="A million tokens of input.")] = None
    cache_read: Annotated[Dollars | None, Field(description="A million tokens from the provider's cache.")] = None
    cache_write_5m: Annotated[
        Dollars | None, Field(description="A million tokens written to the cache for the shorter lifetime.")
    ] = None
    cache_write_1h: Annotated[
        Dollars | None, Field(description="A million tokens written to the cache for the longer lifetime.")
    ] = None
    output: Annotated[Dollars | None, Field(description="A million tokens of output.")] = None
    reasoning: Annotated[Dollars | None, Field(description="A million tokens of reasoning.")] = None
    audio_in: Annotated[Dollars | None, Field(description="A million tokens of sound that was sent.")] = None
    audio_out: Annotated[Dollars | None, Field(description="A million tokens of sound that came back.")] = None
    image_in: Annotated[Dollars | None, Field(description="A million tokens of pictures that were sent.")] = None
    image_out: Annotated[Dollars | None, Field(description="A million tokens of pictures that came back.")] = None
    server_tools: Annotated[
        Dollars | None, Field(description="A thousand requests of tools that the provider runs, such as searches.")
    ] = None
    request: Annotated[Dollars | None, Field(description="One call, whatever it uses.")] = None


Thresholds = Annotated[
    dict[Annotated[int, Field(ge=1, le=1_000_000_000)], UnitPrices],
    Field(
        max_length=10,
        description="What all of a call costs once its input is longer than so many tokens; what is not said there "
        "stays as it is.",
        examples=[{"200000": {"input": 2.5, "output": 15}}],
    ),
]


class Override(UnitPrices):
    """Prices of one's own, instead of those of the price book: at all times, and for every service tier."""

    above: Thresholds = {}

    provider: Annotated[Named, Field(description="Of the configuration. This or `list`.", examples=["local"])] = ""
    list: Annotated[Named, Field(description="A price list: for every provider that uses it.")] = ""
    model: Annotated[
        ModelPattern, Field(description="A model; `*` at its beginning or end stands for anything.", examples=["my-*"])
    ]

    @model_validator(mode="after")
    def _names_one_of_both_and_a_price(self) -> Self:
        if bool(self.provider) == bool(self.list):
            raise ValueError("must name either a `provider` or a `list`")
        if self.list and self.list not in PRICE_LISTS:
            raise ValueError(f"there is no price list `{self.list}`{did_you_mean(self.list, PRICE_LISTS)}")
        if all(getattr(self, unit) is None for unit in UnitPrices.model_fields):
            raise ValueError("must say at least one price, such as `input`")
        return self


class Contract(_Section):
    """What was agreed with a provider or with a tenant. Of several that hold for a call, the last counts."""

    provider: Annotated[Named, Field(description="Of the configuration; by default every one.")] = ""
    tenant: Annotated[Named, Field(description="Only calls for this tenant.", examples=["acme"])] = ""
    models: Annotated[
        list[ModelPattern],
        Field(
            max_length=MODELS_MAX,
            description="`*` at the beginning or end of a name stands for anything; by default every model.",
            examples=[["gpt-4o*"]],
        ),
    ] = []
    discount: Annotated[
        Percent | None,
        AfterValidator(_is_discount),
        Field(description="Off the list price: the provider bills less, so calls cost less."),
    ] = None
    mark_up: Annotated[
        Percent | None,
        AfterValidator(_is_mark_up),
        Field(
            description="On what a call costs: what the tenant is charged. Costs, holds and budgets stay as they are.",
        ),
    ] = None
    start: Annotated[
        Day | None, Field(alias="from", description="First day, from midnight UTC.", examples=["2026-01-01"])
    ] = None
    until: Annotated[Day | None, Field(description="The day on which it holds no more, from midnight UTC.")] = None

    @model_validator(mode="after")
    def _says_what_was_agreed_with_whom(self) -> Self:
        if (self.discount is None) == (self.mark_up is None):
            raise ValueError("must have either a `discount`, which a provider gives, or a `mark_up` for a tenant")
        if self.discount is not None and not self.provider:
            raise ValueError("a `discount` needs the `provider` that gives it")
        if self.mark_up is not None and not self.tenant:
            raise ValueError("a `mark_up` needs the `tenant` that is charged")
        if self.start is not None and self.until is not None and self.until <= self.start:
            raise ValueError("must end after it begins")
        return self


class Prices(_Section):
    """Prices beside the price book. What was agreed about a call is looked up when it is made."""

    overrides: Annotated[
        list[Override],
        Field(max_length=ITEMS_MAX, description="Prices of one's own; of two for one model, the first counts."),
    ] = []
    contracts: Annotated[
        list[Contract],
        Field(max_length=ITEMS_MAX, description="Discounts that providers give, and mark-ups that tenants pay."),
    ] = []
