"""What a rollback goes back to, and what a promotion lacks."""

from dataclasses import dataclass

import pytest

from watchkeeper.releases.history import fallback_of
from watchkeeper.releases.rules import Facts, Rules, counted, lacking
from watchkeeper.releases.standing import Arm, Rollout, RolloutKind


@dataclass(frozen=True)
class Row:
    kind: str
    release: str
    rollout: Rollout | None = None


def trying(release: str, kind: RolloutKind = "canary") -> Rollout:
    return Rollout("ro-1", kind, (Arm(release, 0.1),))


def rows(*written: str) -> list[Row]:
    """Rows as `promote A`, `rollback A`, `withdraw`, `canary A>B` (B is tried), `shadow A>B`."""
    found = []
    for text in written:
        kind, _, what = text.partition(" ")
        release, _, tried = what.partition(">")
        found.append(Row(kind, release, trying(tried, "shadow" if kind == "shadow" else "canary") if tried else None))
    return found


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        (["promote A"], None),
        (["promote A", "promote B"], "A"),
        (["promote A", "promote B", "promote C", "rollback B"], "A"),
        (["promote A", "promote B", "promote C", "rollback B", "promote D"], "B"),
        (["promote A", "promote B", "rollback A", "promote B"], "A"),
        (["promote A", "promote B", "rollback A"], None),
        (["promote A", "promote B", "rollback A", "promote B", "promote C"], "B"),
        (["promote A", "canary A>B"], "A"),
        (["promote A", "promote B", "canary B>C"], "B"),
        (["promote A", "canary A>B", "canary_back A", "promote B", "promote C"], "B"),
        (["promote A", "canary A>B", "canary_back A", "promote C"], "A"),
        (["promote A", "promote B", "shadow B>C"], "A"),
        (["promote A", "withdraw "], "A"),
        (["promote A", "promote B", "withdraw "], "B"),
        (["promote A", "promote B", "rollback A", "rollback B"], None),
    ],
)
def test_a_rollback_goes_to_the_last_that_was_not_taken_back(history: list[str], expected: str | None) -> None:
    assert fallback_of(rows(*history)) == expected


FACTS = Facts(feature="f", environment="production", release="wk1-x", authors=frozenset({"ana"}))


@pytest.mark.parametrize(
    ("rules", "facts", "missing"),
    [
        (Rules(), {}, []),
        (Rules(), {"freezes": ("production is frozen",)}, ["freeze"]),
        (Rules(approvals=1), {}, ["approvals"]),
        (Rules(approvals=1), {"request": 1, "votes": {"ana": "approve"}}, ["approvals"]),
        (Rules(1, author_may_approve=True), {"request": 1, "votes": {"ana": "approve"}}, []),
        (Rules(approvals=1), {"request": 1, "votes": {"ben": "approve"}}, []),
        (Rules(approvals=2), {"request": 1, "votes": {"ben": "approve"}}, ["approvals"]),
        (Rules(approvals=1), {"request": 1, "votes": {"ben": "approve", "cy": "reject"}}, ["rejection"]),
        (Rules(), {"request": 1, "votes": {"cy": "reject"}}, []),
        (Rules(gates=("a", "b")), {"gates": {"a": True}}, ["gate"]),
        (Rules(gates=("a", "b")), {"gates": {"a": True, "b": False, "c": False}}, ["gate"]),
        (Rules(gates=("a", "b")), {"gates": {"a": True, "b": True}}, []),
    ],
)
def test_each_rule_that_does_not_hold_is_named(rules: Rules, facts: dict[str, object], missing: list[str]) -> None:
    fields = {name: getattr(FACTS, name) for name in FACTS.__slots__} | facts
    found = lacking(rules, Facts(**fields))
    assert [lack.rule for lack in found] == missing
    assert all("watchkeeper release" in lack.message for lack in found if lack.rule != "freeze")


def test_only_approvals_of_others_count() -> None:
    fields = {name: getattr(FACTS, name) for name in FACTS.__slots__}
    facts = Facts(**fields | {"votes": {"ana": "approve", "ben": "approve", "cy": "reject"}})
    assert counted(Rules(2), facts) == {"ben"}
    assert counted(Rules(2, author_may_approve=True), facts) == {"ana", "ben"}
