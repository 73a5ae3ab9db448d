"""The accounts that a worker knows: what lies idle is found, what nobody needs is forgotten, and both are bounded."""

import pytest

from watchkeeper.core.call import Call
from watchkeeper.gateway.budgets import accounts as module
from watchkeeper.gateway.budgets.accounts import Accounts
from watchkeeper.gateway.budgets.matching import Matcher
from watchkeeper.money.budgets import Budget, Rule, Scope
from watchkeeper.money.windows import Window
from watchkeeper.testing import FakeClock

EACH = Budget("each", (("subject", "*"),), "nusd", 100, Window("lifetime"))


def call(**fields: object) -> Call:
    return Call(**{"id": "1", "started_ns": 0, "worker": "w", **fields})  # type: ignore[arg-type]  # a table of fields


def budget(name: str, scope: Scope) -> Budget:
    return Budget(name, scope, "nusd", 1, Window("lifetime"))


def test_a_lease_that_nobody_touches_is_idle_and_an_account_at_rest_is_forgotten() -> None:
    clock = FakeClock()
    accounts = Accounts(clock)
    accounts.follow([EACH])
    ((used, _), *_) = accounts.of(call(subject="a")).budgets
    ((rests, _), *_) = accounts.of(call(subject="b")).budgets
    used.left = 5
    assert accounts.sweep() == []
    clock.advance(3)
    assert accounts.sweep() == [used]
    clock.advance(60)
    accounts.sweep()
    assert accounts.named([used.key, rests.key]) == [used]
    assert accounts.of(call(subject="b")).budgets[0][0] is not rests


def test_a_sweep_looks_at_some_and_the_next_one_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEPT_AT_ONCE", 3)
    clock = FakeClock()
    accounts = Accounts(clock)
    accounts.follow([EACH])
    for number in range(7):
        accounts.of(call(subject=f"s{number}")).budgets[0][0].left = 1
    clock.advance(5)
    found = [accounts.sweep() for _ in range(3)]
    assert [len(some) for some in found] == [3, 3, 3]
    assert len({account.key for some in found for account in some}) == 7


def test_there_are_never_more_accounts_than_the_limit_but_for_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACCOUNTS_MAX", 10)
    clock = FakeClock()
    accounts = Accounts(clock)
    accounts.follow([EACH])
    ((held, _), *_) = accounts.of(call(subject="held")).budgets
    held.held = 1
    for number in range(100):
        clock.advance(1)
        accounts.of(call(subject=f"s{number}"))
        assert len(accounts.all()) <= 10
    assert accounts.named([held.key]) == [held]


def test_rules_that_are_gone_are_counted_by_no_call() -> None:
    accounts = Accounts(FakeClock())
    accounts.follow([EACH])
    ((account, _), *_) = accounts.of(call(subject="a")).budgets
    assert accounts.follow([EACH]) == []
    account.held, account.left = 1, 5
    assert accounts.follow([]) == [account]
    assert accounts.of(call(subject="a")).is_empty and not accounts.has_rules
    assert accounts.sweep() == [account], "what its call gives back goes back at once"
    account.held = account.left = 0
    accounts.sweep()
    assert accounts.all() == []


@pytest.mark.parametrize(
    ("scope", "fields", "values"),
    [
        ((("organisation", "*"),), {}, [("*",)]),
        ((("tenant", "*"),), {"tenant": "acme"}, [("acme",)]),
        ((("tenant", "*"),), {}, []),
        ((("tenant", "acme"),), {"tenant": "acme"}, [("acme",)]),
        ((("tenant", "acme"),), {"tenant": "other"}, []),
        ((("tag", "*"),), {"tags": ["a", "b", "a"]}, [("a",), ("b",)]),
        ((("tag", "b"),), {"tags": ["a", "b"]}, [("b",)]),
        ((("tenant", "*"), ("feature", "f")), {"tenant": "t", "feature": "f"}, [("t", "f")]),
        ((("tenant", "*"), ("feature", "f")), {"tenant": "t", "feature": "g"}, []),
        ((("feature", "*"), ("tag", "*")), {"feature": "f", "tags": ["x", "y"]}, [("f", "x"), ("f", "y")]),
    ],
)
def test_a_call_counts_against_the_rules_whose_scope_it_is_in(
    scope: Scope, fields: dict[str, object], values: list[tuple[str, ...]]
) -> None:
    others: list[Rule] = [budget(f"other-{number}", (("tenant", f"nobody-{number}"),)) for number in range(50)]
    rule = budget("rule", scope)
    assert list(Matcher([*others, rule]).matches(call(**fields))) == [(rule, found) for found in values]
