"""Price lists in compiled form: plain data that a gateway worker can carry and evaluate."""


from msgspec import Struct


class Rates(Struct, frozen=True, array_like=True, gc=False):
    """One dated price row."""

    source: str
    """Where the row came from, such as `genai-prices 0.2.3 openai/gpt-4o-mini`."""
    valid_from_ns: int | None
    """Unix time from which the row holds; None for always."""


class PriceList(Struct, frozen=True, array_like=True, gc=False):
    """The prices of one provider."""

    name: str
