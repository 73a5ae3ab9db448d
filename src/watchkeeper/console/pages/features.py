"""Features: who owns each, what is live where, how it fares, what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.api.services import Ownership
from watchkeeper.console import figures
from watchkeeper.console.pages.live import LiveMark, live_marks
from watchkeeper.console.pages.picker import Picker, WindowLink, picker
from watchkeeper.console.query import CallQuery
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.release_figures import FeatureFigures

PATH = "/features"
SHOWN_MAX = 50
"""Others are found by their name: a page stays below 100 KB."""
STAGES = ("prototype", "internal", "beta", "production", "regulated")
SORTS = {"name": "Name", "calls": "Calls", "errors": "Errors", "outputs": "Outputs failed", "cost": "Cost"}
NOBODY = Ownership()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureLine:
    """One feature."""

    name: str
    href: str
    calls_href: str
    stage: str
    owner: str
    cost_owner: str
    has_no_owner: bool
    """Whether somebody should be named: from the stage `beta` on."""
    live: tuple[LiveMark, ...]
    calls: str
    errors: str
    errors_href: str
    is_failing: bool
    p95: str
    outputs: str
    """Share of the answers that failed; empty where nothing is asked of them."""
    outputs_href: str
    cost: str
    exact: str
    is_uncertain: bool
    unpriced: str
    """Calls that are missing from the cost; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesPage:
    """The page."""

    picker: Picker
    problems: tuple[str, ...]
    count: str
    find: str
    stage: str
    sorts: tuple[WindowLink, ...]
    kept: tuple[tuple[str, str], ...]
    lines: tuple[FeatureLine, ...]
    left_out: str
    copies: str
    """How many shadows and replays are in the cost; empty for none."""
    has_any: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesFound:
    """What the stores and the configuration say."""

    declared: Mapping[str, Ownership]
    released: Sequence[str]
    standings: Sequence[StandingRow]
    figures: Sequence[FeatureFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChoice:
    """Which features, in which order."""

    find: str = ""
    stage: str = ""
    sort: str = "name"


def features_page(found: FeaturesFound, query: CallQuery, choice: FeatureChoice) -> FeaturesPage:
    """Build the page from what the stores found."""
    fares = {one.feature: one for one in found.figures}
    live: dict[str, list[StandingRow]] = {}
    for row in found.standings:
        live.setdefault(row.feature, []).append(row)
    names = sorted({*found.declared, *found.released, *live, *fares} - {""})
    shown = [name for name in names if _is_chosen(name, found.declared.get(name, NOBODY), choice)]
    shown.sort(key=lambda name: (_rank(fares.get(name), choice.sort), name))
    copies = sum(one.copied_calls for one in found.figures)
    return FeaturesPage(
        picker=picker(query, PATH),
        problems=query.problems,
        count=figures.count(len(shown)),
        find=choice.find,
        stage=choice.stage,
        sorts=tuple(WindowLink(SORTS[name], query.url(PATH, sort=name), name == choice.sort) for name in SORTS),
        kept=tuple((query.window.parameters() | {"sort": choice.sort}).items()),
        lines=tuple(
            _line(name, found.declared.get(name, NOBODY), live.get(name, []), fares.get(name), query)
            for name in shown[:SHOWN_MAX]
        ),
        left_out=figures.count(len(shown) - SHOWN_MAX) if len(shown) > SHOWN_MAX else "",
        copies=f"{figures.count(copies)} shadows and replays are in the cost and in no other figure." if copies else "",
        has_any=bool(names),
    )


def feature_href(name: str) -> str:
    """Return a feature's page."""
    return f"{PATH}/{quote(name, safe='')}"


def _is_chosen(name: str, owned: Ownership, choice: FeatureChoice) -> bool:
    words = f"{name} {owned.owner} {owned.cost_owner}".lower()
    return choice.find.lower() in words and choice.stage in ("", owned.stage)


def _rank(one: FeatureFigures | None, sort: str) -> float:
    """Smaller comes first: the most calls, the largest share of errors, the dearest."""
    if one is None or sort == "name":
        return 0.0 if sort == "name" else 1.0
    match sort:
        case "calls":
            return -float(one.calls)
        case "errors":
            return -one.errors / one.calls if one.calls else 0.0
        case "outputs":
            return -one.failed_outputs / one.checked_outputs if one.checked_outputs else 0.0
        case _:
            return -float(one.cost_nusd or 0)


def _line(
    name: str, owned: Ownership, live: Sequence[StandingRow], one: FeatureFigures | None, query: CallQuery
) -> FeatureLine:
    calls = one.calls if one else 0
    errors, checked = (one.errors, one.checked_outputs) if one else (0, 0)
    return FeatureLine(
        name=name,
        href=feature_href(name),
        calls_href=query.url("/calls", feature=name, origin="client" if one and one.copied_calls else ""),
        stage=owned.stage,
        owner=owned.owner,
        cost_owner=owned.cost_owner,
        has_no_owner=owned.stage in STAGES[2:] and not owned.owner,
        live=live_marks(live),
        calls=figures.short_count(calls) if one else figures.NOTHING,
        errors=figures.share(errors, calls),
        errors_href=query.url("/calls", feature=name, status="error") if errors else "",
        is_failing=bool(calls) and errors / calls >= FAILING,
        p95=figures.duration(one.duration_p95_ms) if one else figures.NOTHING,
        outputs=figures.share(one.failed_outputs, checked) if one and checked else "",
        outputs_href=query.url("/calls", feature=name, output="failed") if one and one.failed_outputs else "",
        cost=figures.column_amount(one.cost_nusd) if one else figures.NOTHING,
        exact=figures.exact_money(one.cost_nusd) if one else "no call in this window",
        is_uncertain=bool(one and one.uncertain_nusd),
        unpriced=figures.short_count(one.unpriced_calls) if one and one.unpriced_calls else "",
    )


FAILING = 0.05
"""Share of errors from which a feature is marked."""
