"""Discounts and mark-ups: exact, once, and only for whom they were agreed."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.config.schema import Config
from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.money.book import PriceBook
from watchkeeper.money.contracts import Contract, charged, contracted, percent
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import BUCKETS, Rate, Rates, Tier, cost_nusd, price
from watchkeeper.server.compile import compile_snapshot
from watchkeeper.server.prices import terms_of

BOOK = PriceBook.of(installed())
units = st.integers(0, 10**9)
rates = st.builds(lambda flat, above: Rate(flat, (Tier(1_000, above),)), st.integers(0, 10**13), st.integers(0, 10**13))
rows = st.builds(lambda found: Rates("s", None, None, tuple(found)), st.lists(rates, min_size=11, max_size=11))
shares = st.integers(1, 10_000)


def _half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


@given(st.builds(Usage, *[units] * len(BUCKETS)), rows, shares, shares)
def test_each_line_is_the_exact_product_rounded_once(usage: Usage, row: Rates, discount: int, mark_up: int) -> None:
    contracts = (Contract("p", discount_bp=discount), Contract(tenant="acme", mark_up_bp=mark_up))
    cost_rates = contracted(row, contracts, "acme", 0)
    charged_rates = charged(cost_rates, contracts, "acme", 0)
    assert charged_rates is not None
    for found, share in (
        (cost_rates, Decimal(10_000 - discount) / 10_000),
        (charged_rates, Decimal(10_000 - discount) / 10_000 * Decimal(10_000 + mark_up) / 10_000),
    ):
        lines = price(usage, found)
        assert lines is not None
        for line in lines:
            rate = row.by_bucket[BUCKETS.index(line.bucket)]
            assert rate is not None
            listed = Decimal(line.units) * rate.at(usage.input_tokens) / 10**6
            assert line.nusd == _half_up(listed * share)
        assert sum(line.nusd for line in lines) == cost_nusd(usage, found)


def test_a_contract_holds_for_its_tenant_its_models_and_its_days() -> None:
    contract = Contract("p", "acme", discount_bp=1_500, from_ns=10, until_ns=20)
    row = Rates("s", None, None, (Rate(100),) * len(BUCKETS))
    assert contracted(row, (contract,), "acme", 9) is row
    assert contracted(row, (contract,), "acme", 10).per == 10_000_000_000
    assert contracted(row, (contract,), "acme", 20) is row
    assert contracted(row, (contract,), "other", 15) is row
    assert charged(row, (contract,), "acme", 15) is None


def test_of_two_discounts_the_last_counts_and_they_are_not_added_up() -> None:
    row = Rates("s", None, None, (Rate(10_000_000),) * len(BUCKETS), request_nusd=5)
    found = contracted(row, (Contract("p", discount_bp=5_000), Contract("p", discount_bp=1_000)), "", 0)
    assert cost_nusd(Usage(1), found) == 9 + 5  # the fee: 4.5, half up
    assert found.source == "s, 10% discount by contract"


def test_per_cent_are_written_exactly() -> None:
    assert [percent(bp) for bp in (1_500, 1_250, 1, -1_000, 10_000)] == ["15%", "12.5%", "0.01%", "-10%", "100%"]


CONFIG = Config.model_validate(
    {
        "providers": {
            "openai": {"base_url": "https://api.openai.com/v1"},
            "mine": {"base_url": "http://127.0.0.1:8081/v1"},
            "free": {"base_url": "http://127.0.0.1:8082/v1", "price_list": "free"},
        },
        "prices": {
            "overrides": [
                {"provider": "mine", "model": "my-*", "input": 0.1, "output": 0.4, "above": {"1000": {"input": 0.2}}},
                {"list": "openai", "model": "gpt-4o-mini", "input": 1, "output": 2, "request": 0.001},
            ],
            "contracts": [
                {"provider": "openai", "tenant": "acme", "models": ["gpt-4o*"], "discount": "15%"},
                {"tenant": "acme", "mark_up": "20%"},
            ],
        },
    }
)
TERMS = terms_of(compile_snapshot(CONFIG, [], BOOK))


def _call(provider: str, model: str, usage: Usage, tenant: str = "", service_tier: str = "") -> Call:
    attempt = Attempt(
        number=1, provider=provider, model=model, dialect="openai", started_ms=0.0,
        usage=usage, usage_status="measured", service_tier=service_tier,
    )  # fmt: skip
    started_ns = 1_793_000_000_000_000_000
    return Call(id="c", started_ns=started_ns, worker="w", tenant=tenant, attempts=[attempt], usage=usage,
                usage_status="measured")  # fmt: skip


def test_what_a_tenant_is_charged_stands_beside_what_the_call_costs() -> None:
    usage = Usage(100_000, output_text=10_000)
    # gpt-4o: 100,000 x 2.50 + 10,000 x 10 = 350,000 millionths of a dollar
    plain = BookPricer(TERMS).price(_call("openai", "gpt-4o", usage))
    assert (plain.nusd, plain.charged_nusd) == (350_000_000, None)
    # less 15 %: 297,500; and 20 % on that: 357,000
    acme = BookPricer(TERMS).price(_call("openai", "gpt-4o", usage, tenant="acme"))
    assert (acme.nusd, acme.charged_nusd, acme.status) == (297_500_000, 357_000_000, "measured")
    assert "15% discount" in acme.source
    # gpt-5 is not in the contract: 100,000 x 1.25 + 10,000 x 10 = 225,000, charged 270,000
    other = BookPricer(TERMS).price(_call("openai", "gpt-5", usage, tenant="acme"))
    assert (other.nusd, other.charged_nusd) == (225_000_000, 270_000_000)


def test_a_tier_and_a_contract_work_together() -> None:
    # gpt-5 in a batch: half of 225,000; it has no discount, and acme pays 20 % more
    found = BookPricer(TERMS).price(_call("openai", "gpt-5", Usage(100_000, output_text=10_000), "acme", "batch"))
    assert (found.nusd, found.charged_nusd) == (112_500_000, 135_000_000)


def test_what_costs_nothing_is_charged_at_nothing() -> None:
    found = BookPricer(TERMS).price(_call("free", "x", Usage(5), tenant="acme"))
    assert (found.nusd, found.charged_nusd) == (0, None)


def test_an_override_prices_what_the_book_does_not_know_and_wins_over_what_it_does() -> None:
    own = BookPricer(TERMS).price(_call("mine", "My-Model", Usage(1_000, output_text=100)))
    assert own.nusd == 100_000 + 40_000
    long = BookPricer(TERMS).price(_call("mine", "my-model", Usage(1_001, output_text=100)))
    assert long.nusd == 200_200 + 40_000
    assert BookPricer(TERMS).price(_call("mine", "other", Usage(1))).status == "unpriced"
    listed = BookPricer(TERMS).price(_call("openai", "gpt-4o-mini", Usage(1_000_000)))
    assert listed.nusd == 1_001_000_000
    assert listed.source == "configuration: openai/gpt-4o-mini"
    neighbour = BookPricer(TERMS).price(_call("openai", "gpt-4o-mini-2024-07-18", Usage(1_000_000)))
    assert neighbour.nusd == 150_000_000


def test_a_list_that_the_stored_book_does_not_have_yet_leaves_calls_unpriced() -> None:
    """A newer package may know a list that nobody has approved; the configuration may name it all the same."""
    terms = terms_of(compile_snapshot(CONFIG, [], PriceBook({}, [])))
    assert not terms.knows("openai") or BookPricer(terms).price(_call("openai", "gpt-4o", Usage(1))).nusd is None
    assert BookPricer(terms).price(_call("free", "x", Usage(1))).nusd == 0
