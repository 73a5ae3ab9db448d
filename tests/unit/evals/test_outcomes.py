"""What marks come to together: a case of which nothing is asked has not passed."""

import pytest

from watchkeeper.evals.outcome import Answer, Mark, outcome_of

SEEN = Mark(scorer="latency", status="passed", score=1.0, weight=0)
FAILED = Mark(scorer="contains", status="failed", score=0.0, reason="not there")


@pytest.mark.parametrize("marks", [(), (SEEN,)])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_a_case_without_a_scorer_that_counts_is_unmeasured_and_says_so(
    marks: tuple[Mark, ...], threshold: float | None
) -> None:
    found = outcome_of("candidate", "one", 0, Answer(text="Anything."), marks, threshold=threshold)
    assert (found.status, found.score) == ("unmeasured", None)
    assert "no scorer with a weight above 0" in found.reason


def test_a_mark_that_counts_decides_beside_one_that_does_not() -> None:
    found = outcome_of("candidate", "one", 0, Answer(text="Anything."), (SEEN, FAILED))
    assert (found.status, found.score, found.reason) == ("failed", 0.0, "not there")
