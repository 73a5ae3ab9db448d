"""What an update of the price book changes is said before it is done; a file that cannot be meant is refused."""

from decimal import Decimal
from itertools import pairwise

import pytest

from watchkeeper.money.diff import against_edition, against_file
from watchkeeper.money.edition import Edition, Entry, ListFacts, Row
from watchkeeper.money.genai import installed
from watchkeeper.money.moments import written
from watchkeeper.money.price_file import PriceFileWrong, read_file
from watchkeeper.money.prices import BUCKETS, Match

GPT = Entry(
    "openai", "gpt", Match("equals", "gpt"),
    (Row({"input_uncached": 2_500_000_000, "cache_read": 1_250_000_000, "output_text": 10_000_000_000}),), "edition 1",
)  # fmt: skip
DAY_NS = 1_798_761_600_000_000_000
"""2027-01-01."""


def _edition(*entries: Entry) -> Edition:
    return Edition("edition 2", {}, entries)


def _read(text: str) -> list[Entry]:
    return read_file(text.encode(), source="file f", lists=["openai", "anthropic"])


def test_what_moves_is_said_with_its_per_cent() -> None:
    cheaper = Entry(
        *GPT.key, GPT.match,
        (Row({"input_uncached": 2_000_000_000, "cache_read": 1_250_000_000, "output_text": 10_000_000_001}),), "e2",
    )  # fmt: skip
    [change] = against_edition([GPT], {}, _edition(cheaper)).changes
    assert change.words == ("input $2.5 -> $2 (-20.0%), output $10 -> $10.000000001 (+0.0%) per million",)
    assert change.percent == Decimal("-20.0")


def test_a_future_price_is_a_new_row_and_says_from_when() -> None:
    later = Row({"input_uncached": 1, "output_text": 2}, valid_from_ns=DAY_NS, service_tier="flex")
    [change] = against_edition([GPT], {}, _edition(Entry(*GPT.key, GPT.match, (*GPT.rows, later)))).changes
    assert change.words == ("new: input $0.000000001, output $0.000000002 per million, flex tier, from 2027-01-01",)


def test_added_and_removed_models_are_counted() -> None:
    diff = against_edition([GPT], {}, _edition(Entry("openai", "new", Match("equals", "new"), GPT.rows)))
    assert [(change.kind, change.entry.model) for change in diff.changes] == [("removed", "gpt"), ("added", "new")]
    assert (diff.count("added"), diff.count("changed"), diff.count("removed")) == (1, 0, 1)


def test_the_same_prices_from_another_edition_are_no_change() -> None:
    assert against_edition([GPT], {}, _edition(Entry(*GPT.key, GPT.match, GPT.rows, "edition 2"))).changes == ()


def _many(count: int, *, nusd: int = 1) -> list[Entry]:
    return [Entry("l", f"m{n:03}", Match("equals", f"m{n:03}"), (Row({"input_uncached": nusd}),)) for n in range(count)]


@pytest.mark.parametrize(
    ("moved", "left", "doubts"),
    [(20, 100, 0), (21, 100, 1), (0, 90, 0), (0, 89, 1), (11, 90, 1), (25, 60, 2)],
)
def test_an_update_that_changes_too_much_is_doubted(moved: int, left: int, doubts: int) -> None:
    new = [*_many(moved, nusd=2), *_many(left)[moved:]]
    assert len(against_edition(_many(100), {}, _edition(*new)).doubts) == doubts


def test_the_installed_edition_compares_with_itself_without_a_change() -> None:
    edition = installed()
    diff = against_edition(edition.entries, edition.lists, edition)
    assert (diff.changes, diff.doubts, diff.list_changes) == ((), (), ())


def test_a_list_that_is_for_other_addresses_or_borrows_elsewhere_is_a_change_too() -> None:
    old = {"a": ListFacts("x", ("b",)), "gone": ListFacts("y")}
    new = {"a": ListFacts("z", ()), "new": ListFacts("y")}
    assert against_edition([], old, Edition("e", new, ())).list_changes == (
        "the list a is for other addresses: x -> z",
        "the list a takes what it lacks from others: b -> none",
        "the list gone is gone",
        "the list new is new",
    )


def test_no_two_rows_of_a_model_hold_under_the_same_conditions() -> None:
    for entry in installed().entries:
        assert len({row.conditions for row in entry.rows}) == len(entry.rows), entry.key


FILE = """
prices:
  - list: openai
    model: gpt
    rows:
      - {valid_from: 2027-01-01, valid_to: 2027-07-01T12:30:00Z, input: 2.00, output: 8.00, cache_read: 0.1}
      - {service_tier: batch, hours: "16:30-00:30", input: 1, output: 0.000000001, request: 0.5}
  - list: openai
    model: tuned
    match: "ft:tuned-*"
    rows: [{input: 1.25, output: 10, above: {200000: {input: 2.5}, 400000: {output: 30}}, server_tools: 10}]
"""


def test_a_file_is_read_exactly() -> None:
    gpt, tuned = _read(FILE)
    dated, batch = gpt.rows
    assert (dated.valid_from_ns, written(dated.valid_to_ns or 0)) == (DAY_NS, "2027-07-01 12:30 UTC")
    assert dated.per_million["input_uncached"] == dated.per_million["cache_write_1h"] == 2_000_000_000
    assert dated.per_million["cache_read"] == 100_000_000
    assert (batch.service_tier, batch.hours_s, batch.request) == ("batch", (59_400, 1_800), 500_000_000)
    assert batch.per_million["output_reasoning"] == 1
    assert (gpt.match, tuned.match) == (None, Match("starts", "ft:tuned-"))
    [row] = tuned.rows
    assert set(row.per_million) == set(BUCKETS)
    assert row.per_million["server_tools"] == 10_000 * 10**9
    assert row.above["input_uncached"] == ((200_000, 2_500_000_000), (400_000, 2_500_000_000))
    assert row.above["output_text"] == ((200_000, 10_000_000_000), (400_000, 30_000_000_000))
    for steps in row.above.values():
        assert all(lower[0] < upper[0] for lower, upper in pairwise(steps))


def test_a_file_says_what_moves_against_the_edition_and_what_it_leaves_out() -> None:
    [gpt, _] = against_file([GPT], [], _read(FILE), source="file f").changes
    assert gpt.words[0] == (
        "input $2.5 -> $2 (-20.0%), cache read $1.25 -> $0.1 (-92.0%), output $10 -> $8 (-20.0%) per million, "
        "from 2027-01-01, until 2027-07-01 12:30 UTC"
    )
    searched = Entry(*GPT.key, GPT.match, (Row({"input_uncached": 1, "server_tools": 5}),))
    entries = _read("prices: [{list: openai, model: gpt, rows: [{input: 1}]}]")
    [change] = against_file([searched], [], entries, source="f").changes
    assert "server tools $0.000000005 -> no price" in change.words[0]


def test_a_model_without_rows_takes_an_earlier_file_back() -> None:
    entries = _read("prices: [{list: openai, model: gpt, rows: []}]")
    [change] = against_file([GPT], [GPT], entries, source="file f").changes
    assert (change.kind, change.new) == ("removed", None)
    assert against_file([GPT], [], entries, source="file f").changes == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices: [{list: opena, model: m, rows: [{input: 1}]}]", "did you mean `openai`"),
        ("prices: [{list: openai, model: m, rows: [{inptu: 1}]}]", "prices[0].rows[0].inptu: unknown key"),
        ("prices: [{list: openai, model: m, rows: [{}]}]", "must say at least one price"),
        ("prices: [{list: openai, model: m, rows: [{input: -1}]}]", "greater than or equal to 0"),
        ("prices: [{list: openai, model: m, rows: [{input: 0.0000000001}]}]", "9 decimal places"),
        ("prices: [{list: openai, model: m, rows: [{input: .nan}]}]", "finite"),
        ("prices: [{list: openai, model: m, rows: [{input: true}]}]", "must be a number"),
        ('prices: [{list: openai, model: m, rows: [{input: 1, hours: "24:00-1:00"}]}]', "hours of the day"),
        ('prices: [{list: openai, model: m, rows: [{input: 1, hours: "01:00-01:00"}]}]', "another time"),
        (
            "prices: [{list: openai, model: m, rows: [{input: 1, valid_from: 2027-01-02, valid_to: 2027-01-02}]}]",
            "must end after",
        ),
        ("prices: [{list: openai, model: m, rows: [{input: 1, valid_from: soon}]}]", "must be a day"),
        ("prices: [{list: openai, model: m, match: 'a*b', rows: [{input: 1}]}]", "beginning and its end only"),
        (
            "prices: [{list: openai, model: m, rows: [{input: 1}]}, {list: openai, model: m, rows: [{input: 1}]}]",
            "occurs twice",
        ),
        ("prices: [", "not YAML"),
        ("[]", "must be a mapping"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(PriceFileWrong, match="nothing was changed") as refusal:
        _read(text)
    assert words in str(refusal.value)
    assert "line " in str(refusal.value)
