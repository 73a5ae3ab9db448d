"""Amounts survive being written and read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.money import nusd, usd


@given(st.integers(min_value=-(10**20), max_value=10**20))
def test_an_amount_that_is_written_can_be_read_back_exactly(amount: int) -> None:
    text = usd(amount)
    assert nusd(text) == amount
    assert "e" not in text.lower()
    assert Decimal(text) * 10**9 == amount


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (1500, "0.0000015"), (-1, "-0.000000001"), (10**9, "1"), (12 * 10**10, "120")]
)
def test_amounts_are_plain_decimals_without_trailing_zeros(amount: int, text: str) -> None:
    assert usd(amount) == text
