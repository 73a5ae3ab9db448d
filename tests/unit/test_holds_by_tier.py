"""What a call may cost before it is made: at most what its dearest service tier costs, less what a contract leaves."""

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.budgets.worth import highest
from watchkeeper.money.contracts import Contract, contracted
from watchkeeper.money.prices import BUCKETS, Rate, Rates, cost_nusd

LIST = Rates("s", None, None, (Rate(1_250_000_003),) * 8 + (Rate(2_000_000_000),) * 2 + (None,))


def test_a_hold_is_as_large_under_a_contract_as_the_call_can_cost() -> None:
    assert len(LIST.by_bucket) == len(BUCKETS)
    for discount_bp in (1, 1_500, 3_333, 9_999):
        rates = contracted(LIST, (Contract("p", discount_bp=discount_bp),), "", 0)
        held = highest(rates).cost(1_000_000, 1_000_000)
        used = cost_nusd(Usage(image_in=1_000_000, image_out=1_000_000), rates)
        assert used is not None
        assert used <= held <= used + 2
