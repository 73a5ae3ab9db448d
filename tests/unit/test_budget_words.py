"""A budget in the configuration's own words: it reads back the same, and mistakes are named as in the file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.config.budget_words import BudgetWrong, Edit, definition_of, read_definition, with_edits
from watchkeeper.config.budgets import Budget
from watchkeeper.console.pages.budget_form import budget_form, definition_from, typed_of

SCOPES = st.sampled_from([{"organisation": "*"}, {"tenant": "*"}, {"feature": "support", "subject": "*"}])
SHARES = st.integers(1, 9_999).map(lambda parts: f"{parts / 100:g}%")
DEFINITIONS = st.fixed_dictionaries(
    {"scope": SCOPES, "limit": st.integers(1, 10**15).map(lambda nusd: f"{nusd // 10**9}.{nusd % 10**9:09d} USD")},
    optional={
        "name": st.sampled_from(["a", "the-budget"]),
        "tokens": st.integers(1, 10**12),
        "calls": st.integers(1, 10**6),
        "window": st.sampled_from(["calendar-day", "rolling 24h", "lifetime"]),
        "tz": st.just("Europe/Berlin"),
        "mode": st.sampled_from(["hard", "soft", "shadow"]),
        "alerts": st.lists(SHARES, max_size=4),
        "holds": st.just("worst_case"),
    },
)


@given(DEFINITIONS)
def test_what_is_written_reads_back_the_same(definition: dict[str, Any]) -> None:
    budget = read_definition(definition)
    assert read_definition(definition_of(budget)) == budget


@given(DEFINITIONS)
def test_a_form_that_is_sent_back_untouched_changes_nothing(definition: dict[str, Any]) -> None:
    budget = read_definition(definition)
    written = definition_of(budget)
    assert read_definition(definition_from(typed_of(written), written)) == budget


def test_a_degrading_budget_keeps_its_tier_through_the_form() -> None:
    definition = {
        "scope": {"tenant": "*"}, "limit": "20 USD", "mode": "degrade",
        "degrade": {"at": "70%", "tier": "cheap", "cache_only_at": "95%"},
    }  # fmt: skip
    typed = typed_of(definition_of(read_definition(definition)))
    assert definition_from(typed, definition)["degrade"] == definition["degrade"]
    assert "degrade" not in definition_from(typed | {"mode": "hard"}, definition)


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"limit": "500"}, "limit", "must be an amount with its currency, such as `500 USD` or `0.50 USD`"),
        ({"limit": "5 USD", "alerts": "0.8"}, "alerts", "must be a share in per cent, such as `80%`"),
        ({"limit": "5 USD", "window": "calendar-mont"}, "window", "did you mean `calendar-month`?"),
        ({"limit": "5 USD", "scope": "customer=acme"}, "scope", "customer"),
        ({"limit": "5 USD", "tokens": "many"}, "tokens", "must be a whole number"),
        ({"limit": "5 USD", "mode": "degrade", "degrade_at": "x"}, "degrade_at", "must be a share in per cent"),
    ],
)
def test_a_mistake_stands_beside_its_field(typed: dict[str, str], field: str, words: str) -> None:
    given = {"scope": "tenant=*"} | typed
    with pytest.raises(BudgetWrong) as wrong:
        read_definition(definition_from(given, {}))
    fields = {one.name: one.problem for one in budget_form(given, wrong=wrong.value).fields}
    assert words in fields[field]
    assert [name for name, problem in fields.items() if problem] == [field]


def test_a_budget_without_any_limit_is_a_mistake_of_the_whole() -> None:
    with pytest.raises(BudgetWrong) as wrong:
        read_definition({"scope": {"tenant": "*"}})
    form = budget_form({}, wrong=wrong.value)
    assert form.problems == ("must have a `limit`, `tokens` or `calls`",)


def budget(**fields: Any) -> Budget:
    return read_definition({"scope": {"tenant": "*"}, "limit": "1 USD"} | fields)


def test_an_edit_stands_in_the_place_of_what_it_changes_and_an_addition_behind() -> None:
    first, second, more = budget(name="first"), budget(name="second"), budget(name="more", limit="9 USD")
    changed = budget(name="first", limit="2 USD")
    edits = {"more": Edit(budget=more, is_added=True), "first": Edit(budget=changed, is_added=False)}
    assert with_edits([first, second], edits) == [changed, second, more]


def test_an_edit_of_what_the_file_no_longer_has_does_nothing() -> None:
    edits = {"gone": Edit(budget=budget(name="gone"), is_added=False)}
    assert with_edits([budget(name="first")], edits) == [budget(name="first")]
