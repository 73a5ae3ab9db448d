"""Cost and reviews as page models: what the URL means, where a bar leads, and when a signed review differs."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from watchkeeper.console.costing import export_href, read_view, today
from watchkeeper.console.pages.cost import name_filter
from watchkeeper.console.pages.cost_course import BARS_MOST, course
from watchkeeper.console.pages.review import differences
from watchkeeper.console.pages.review_figures import EffectFigures, FeatureFigures, ReviewFigures, read_figures
from watchkeeper.console.query import read_query
from watchkeeper.console.weeks import read_week, week_name
from watchkeeper.store.cost_rows import NO_SPEND, CostAnswer, CostGroup, Spend

NOW = datetime(2026, 11, 19, 14, 20, tzinfo=UTC)


def spend(nusd: int, *, calls: int = 1) -> Spend:
    figures = {name: getattr(NO_SPEND, name) for name in Spend.__dataclass_fields__}
    return Spend(**figures | {"calls": calls, "cost_nusd": nusd})


@pytest.mark.parametrize(
    "parameters",
    [{}, {"window": "24h"}, {"window": "30d"}, {"window": "all"}, {"since": "2020-01-01", "until": "2026-01-01"},
     {"since": "2026-11-19T14:01"}, {"window": "1h"}],
)  # fmt: skip
def test_the_bars_cover_the_window_and_each_leads_to_its_own_stretch(parameters: dict[str, str]) -> None:
    view = read_view(parameters, now=NOW)
    drawn = course(CostAnswer(by=("hour",), total=NO_SPEND, groups=(), other=None, other_groups=0), view)
    assert 1 <= len(drawn.chart.links) <= BARS_MOST + 1
    asked = [parse_qs(urlsplit(link.href).query) for link in drawn.chart.links]
    assert asked[0]["since"] == [f"{view.since:%Y-%m-%dT%H:%M:%SZ}"]
    assert asked[-1]["until"] == [f"{view.until:%Y-%m-%dT%H:%M:%SZ}"]
    assert [one["until"] for one in asked[:-1]] == [one["since"] for one in asked[1:]]


def test_an_hour_is_drawn_in_the_bar_that_leads_to_it() -> None:
    view = read_view({"window": "7d"}, now=NOW)
    at = view.since + timedelta(hours=7)
    group = CostGroup(names=(at.isoformat(),), spend=spend(3 * 10**9))
    drawn = course(CostAnswer(by=("hour",), total=NO_SPEND, groups=(group,), other=None, other_groups=0), view)
    assert drawn.chart.series[0].values[1] == 3.0
    assert "$3.00" in drawn.chart.links[1].label


def test_today_is_compared_with_the_same_clock_a_week_ago_also_when_the_clocks_changed() -> None:
    now = datetime(2026, 10, 28, 9, 30, tzinfo=UTC)  # 10:30 in Berlin; a week before 10:30 was 08:30 UTC
    (since, until), (then_since, then_until) = today(now, "Europe/Berlin")
    assert (since, until) == (datetime(2026, 10, 27, 23, tzinfo=UTC), now)
    assert then_since == datetime(2026, 10, 20, 22, tzinfo=UTC)
    assert then_until == datetime(2026, 10, 21, 8, 30, tzinfo=UTC)


def test_what_cannot_be_understood_is_named_and_left_out() -> None:
    view = read_view({"by": "<b>", "tz": "Mars/Olympus", "q": "words", "cost": "cheap", "feature": "support"}, now=NOW)
    assert (view.by, view.tz, view.where) == ("feature", "UTC", (("feature", "support"),))
    assert len(view.query.problems) == 4


def test_a_link_to_the_page_keeps_its_own_parameters_and_one_to_the_calls_does_not() -> None:
    view = read_view({"by": "model", "tz": "Europe/Berlin", "tenant": "acme"}, now=NOW)
    assert view.url(window="24h") == "/cost?tenant=acme&by=model&tz=Europe%2FBerlin&window=24h"
    assert view.query.url("/calls") == "/calls?tenant=acme&window=7d"


def test_the_default_window_of_a_page_is_the_one_left_out_of_its_url() -> None:
    query = read_query({"window": "7d"}, now=NOW, default_window="7d")
    assert (query.url("/cost"), query.url("/calls")) == ("/cost", "/calls?window=7d")
    assert query.url("/cost", window="24h") == "/cost?window=24h"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("feature", "a & b", {"feature": "a & b"}), ("tag", "", {"without": "tag"}), ("key", "", {"without": "key"})],
)
def test_the_nameless_group_is_chosen_by_what_its_calls_lack(name: str, value: str, expected: dict[str, str]) -> None:
    assert name_filter(name, value) == expected
    found = read_query(expected, now=NOW)
    assert found.problems == ()


def test_an_export_takes_the_same_calls_of_the_same_time() -> None:
    view = read_view({"tenant": "a=b&c", "window": "24h"}, now=NOW)
    asked = parse_qs(urlsplit(export_href(view.scope, form="parquet", by="feature")).query)
    assert asked["where"] == ["tenant=a=b&c"]
    assert asked["since"] == ["2026-11-18T15:00:00Z"]


def figures_of(**cost: int) -> ReviewFigures:
    rows = tuple(FeatureFigures(name, 1, nusd, 0, 0, None, "", 0, 0) for name, nusd in sorted(cost.items()))
    return ReviewFigures(features=rows, effects=EffectFigures(0, 0, 0, 0), movers=(), budgets=())


def test_figures_that_were_signed_read_back_the_same() -> None:
    found = figures_of(support=10**9)
    assert read_figures(found.kept()) == found
    assert differences(read_figures(found.kept()), found) == ""


def test_a_correction_after_the_signature_is_told_with_both_amounts() -> None:
    told = differences(figures_of(support=10**9, search=5), figures_of(support=2 * 10**9, search=5))
    assert told == "the cost is $2.000000005 instead of $1.000000005; in support"


@pytest.mark.parametrize(
    ("text", "name", "is_over"),
    [("", "2026-W46", True), ("2026-W47", "2026-W47", False), ("2020-W53", "2020-W53", True)],
)
def test_a_week_is_read(text: str, name: str, is_over: bool) -> None:
    week, problems = read_week(text, NOW)
    assert (week.name, week.is_over, problems) == (name, is_over, [])
    assert week.until - week.since == timedelta(days=7)
    assert (week.before, week.after) == (week_name(week.since - timedelta(1)), week_name(week.until))


@pytest.mark.parametrize("text", ["2021-W53", "0000-W01", "9999-W52", "last", "2026-W00", "<b>"])
def test_what_is_no_week_gives_the_last_one_and_says_so(text: str) -> None:
    week, problems = read_week(text, NOW)
    assert week.name == "2026-W46"
    assert len(problems) == 1
