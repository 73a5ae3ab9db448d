"""Plans of which little is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.releases.judging import Guard
from watchkeeper.releases.metrics import METRIC, METRICS
from watchkeeper.releases.planning import SHARES, STEPS_MAX, PlanUnreadable, ab_plan, canary_plan, shadow_plan


def test_a_plan_of_which_nothing_is_said_has_the_usual_steps_and_every_guard() -> None:
    plan = canary_plan()
    assert tuple(step.share for step in plan.steps) == SHARES
    assert plan.guards == tuple(Guard(name, METRIC[name].margin) for name in METRICS)


@given(first=st.floats(0.001, 0.999))
def test_a_first_share_is_followed_by_larger_ones_up_to_everything(first: float) -> None:
    shares = [step.share for step in canary_plan(first=first).steps]
    assert shares[0] == first and shares == sorted(set(shares)) and shares[-1] == 1.0


@given(shares=st.lists(st.floats(-1, 2), min_size=1, max_size=STEPS_MAX + 2))
def test_only_growing_shares_are_steps(shares: list[float]) -> None:
    is_plan = shares == sorted(set(shares)) and 0 < shares[0] < 1 and shares[-1] <= 1 and len(shares) <= STEPS_MAX
    if is_plan:
        assert [step.share for step in canary_plan(shares).steps] == shares
    else:
        with pytest.raises(PlanUnreadable):
            canary_plan(shares)


def test_the_goal_of_a_test_is_no_guard_of_it() -> None:
    assert "cost" not in [guard.metric for guard in ab_plan(0.5, "cost").guards]
    with pytest.raises(PlanUnreadable, match="no guard of it"):
        ab_plan(0.5, "cost", guards={"cost": 0.1})


def test_a_shadow_is_not_judged() -> None:
    assert shadow_plan().guards == ()
