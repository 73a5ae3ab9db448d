"""Amounts and shares as people write them: `500 USD`, `80%`."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from watchkeeper.core.money import nusd

_MONEY = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?) USD$")
_PERCENT = re.compile(r"^(\d{1,3}(?:\.\d+)?)%$")


def _money(given: Any) -> int:
    found = _MONEY.match(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError("must be an amount with its currency, such as `500 USD` or `0.50 USD`")
    return nusd(found[1])


def _share(given: Any) -> float:
    found = _PERCENT.match(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError("must be a share in per cent, such as `80%`")
    return float(Decimal(found[1]) / 100)


Money = Annotated[
    int,
    BeforeValidator(_money),
    WithJsonSchema({"type": "string", "pattern": _MONEY.pattern, "examples": ["500 USD"]}),
]
"""Nano-dollars."""
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema({"type": "string", "pattern": _PERCENT.pattern, "examples": ["80%"]}),
]
"""1.0 for 100 per cent."""
