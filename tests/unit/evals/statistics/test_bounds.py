"""Bounds that hold at any number of cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv, gammaln, xlogy

from watchkeeper.evals.statistics.bootstrap import lower_of_mean, upper_of_mean
from watchkeeper.evals.statistics.bounds import lower_bound, probability_below, share_interval, upper_bound
from watchkeeper.evals.statistics.clusters import Clusters, clustered, negated
from watchkeeper.evals.statistics.exact import mcnemar

differences = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=1, max_size=60)


def each(values: list[float]) -> Clusters:
    return clustered(np.array(values, dtype=np.float64), np.ones(len(values)))


def pairs(losses: int, gains: int, cases: int) -> Clusters:
    return each([-1.0] * losses + [1.0] * gains + [0.0] * (cases - losses - gains))


@pytest.mark.parametrize(
    ("passed", "of", "one_sided", "two_sided"),
    [(20, 20, 0.861, (0.83, 1.0)), (18, 20, 0.717, (0.68, 0.99)), (16, 20, 0.599, (0.56, 0.94))],
)
def test_what_twenty_cases_show_of_a_share(
    passed: int, of: int, one_sided: float, two_sided: tuple[float, float]
) -> None:
    values = each([1.0] * passed + [0.0] * (of - passed))
    assert lower_bound(values, 0.05, least=0) == pytest.approx(one_sided, abs=0.001)
    assert share_interval(values, 0.05) == pytest.approx(two_sided, abs=0.005)


@given(of=st.integers(1, 300), share=st.floats(0, 1), alpha=st.floats(0.005, 0.2))
def test_of_a_share_it_is_the_bound_of_clopper_and_pearson(of: int, share: float, alpha: float) -> None:
    hits = round(share * of)
    exact = float(betaincinv(hits, of - hits + 1, alpha)) if hits else 0.0
    assert lower_bound(each([1.0] * hits + [0.0] * (of - hits)), alpha, least=0) == pytest.approx(exact, abs=0.006)


@pytest.mark.parametrize("cases", [5, 20, 29, 59, 99, 299])
def test_without_a_loss_it_is_the_exact_bound_of_losses(cases: int) -> None:
    assert -lower_bound(pairs(0, 0, cases), 0.05, least=-1) == pytest.approx(1 - 0.05 ** (1 / cases), rel=0.007)


@given(losses=st.integers(0, 60), gains=st.integers(0, 60), rest=st.integers(0, 100))
def test_of_pairs_it_lies_beyond_0_where_the_exact_test_of_mcnemar_says_so(losses: int, gains: int, rest: int) -> None:
    values = pairs(losses, gains, losses + gains + rest + 1)
    assert probability_below(negated(values), 0.0, least=-1) == pytest.approx(mcnemar(losses, gains), abs=0.004)


@pytest.mark.parametrize("cases", [12, 30])
def test_of_pairs_it_is_wrong_in_at_most_5_per_cent_whatever_is_true(cases: int) -> None:
    """Every result of so many pairs, with its probability under every pair of chances of a grid."""
    losses, gains = (
        np.array(side) for side in zip(*((b, c) for b in range(cases + 1) for c in range(cases + 1 - b)), strict=True)
    )
    bounds = np.array([lower_bound(pairs(b, c, cases), 0.05, least=-1) for b, c in zip(losses, gains, strict=True)])
    rest = cases - losses - gains
    ways = gammaln(cases + 1) - gammaln(losses + 1) - gammaln(gains + 1) - gammaln(rest + 1)
    grid = np.concatenate((np.linspace(0, 0.1, 11), np.linspace(0.15, 1, 18)))
    wrong = [
        np.exp(ways + xlogy(losses, lost) + xlogy(gains, won) + xlogy(rest, 1 - lost - won))[
            bounds > won - lost + 1e-9
        ].sum()
        for lost in grid
        for won in grid
        if lost + won <= 1
    ]
    assert 0.03 < max(wrong) <= 0.05


@pytest.mark.parametrize("count", [3, 8, 40])
def test_it_is_the_quantile_of_means_with_random_weights(count: int) -> None:
    dice = np.random.default_rng(count)
    values = each(list(dice.uniform(-0.5, 0.4, count)))
    means = dice.dirichlet(np.ones(count + 1), 200_000) @ np.append(values.sums, -1.0)
    assert lower_bound(values, 0.05, least=-1) == pytest.approx(np.quantile(means, 0.05), abs=0.004)


@given(values=differences, alpha=st.floats(0.001, 0.3))
def test_it_lies_between_the_worst_there_can_be_and_the_mean(values: list[float], alpha: float) -> None:
    found = each(values)
    low, high = lower_bound(found, alpha, least=-1), upper_bound(found, alpha, most=1)
    assert -1 <= low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= high <= 1


@given(values=differences, alphas=st.tuples(st.floats(0.001, 0.3), st.floats(0.001, 0.3)))
def test_less_error_makes_it_wider(values: list[float], alphas: tuple[float, float]) -> None:
    sure, unsure = (lower_bound(each(values), alpha, least=-1) for alpha in sorted(alphas))
    assert sure <= unsure + 1e-6


@given(values=differences, weights=st.lists(st.floats(0.1, 10), min_size=60, max_size=60), factor=st.floats(0.01, 100))
def test_neither_order_nor_the_scale_of_weights_matters(
    values: list[float], weights: list[float], factor: float
) -> None:
    names = [str(place % 7) for place in range(len(values))]
    first = clustered(np.array(values), np.array(weights[: len(values)]), names)
    other = clustered(np.array(values[::-1]), factor * np.array(weights[: len(values)][::-1]), names[::-1])
    assert lower_bound(first, 0.05, least=-1) == pytest.approx(lower_bound(other, 0.05, least=-1), abs=1e-6)


def test_the_clustered_error_is_what_the_formula_says() -> None:
    """Two clusters of two cases: means 0.5 and 0, residual sums 0.5 and -0.5; SE^2 = 2 / 1 * 0.5 / 16."""
    found = clustered(np.array([1.0, 0.0, 0.0, 0.0]), np.ones(4), ["a", "a", "b", "b"])
    assert found.mean == 0.25
    assert found.error == pytest.approx((2 * 0.5 / 16) ** 0.5)


def test_cases_that_say_the_same_within_a_cluster_count_once() -> None:
    alone = clustered(np.array([1.0, 0.0, -1.0, 0.0] * 5), np.ones(20))
    together = clustered(
        np.repeat(np.array([1.0, 0.0, -1.0, 0.0] * 5), 3), np.ones(60), [str(i // 3) for i in range(60)]
    )
    assert together.error == pytest.approx(alone.error)


def test_the_bootstrap_of_skewed_values_reaches_further_where_they_are_few() -> None:
    values = each(list(np.random.default_rng(3).exponential(1.0, 60)))
    low, high = lower_of_mean(values, 0.05), upper_of_mean(values, 0.05)
    assert values.mean - low < high - values.mean
    assert (lower_of_mean(values, 0.05), upper_of_mean(values, 0.05)) == (low, high)


@pytest.mark.parametrize("count", [8, 60])
def test_the_bootstrap_covers_the_mean(count: int) -> None:
    dice = np.random.default_rng(count)
    covered = sum(lower_of_mean(each(list(dice.normal(0, 1, count))), 0.05) <= 0 for _ in range(120))
    assert covered >= 106
