"""What a change changed, as the list of changes says it."""

import pytest

from watchkeeper.cli.changes import difference


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({}, ""),
        ({"before": None, "after": {"release": "wk1-b"}}, "release: – → wk1-b"),
        (
            {"before": {"release": "wk1-a", "by": "ana"}, "after": {"release": "wk1-b", "by": "ana"}},
            "release: wk1-a → wk1-b",
        ),
        ({"before": {"n": [1]}, "after": None}, "n: [1] → –"),
        ({"before": "wk1-a", "after": "wk1-b"}, "it: wk1-a → wk1-b"),  # as releases were noted at first
        ({"before": None, "after": "approve"}, "it: – → approve"),
    ],
)
def test_only_what_differs_is_said_whatever_shape_it_has(detail: dict[str, object], said: str) -> None:
    assert difference(detail) == said
