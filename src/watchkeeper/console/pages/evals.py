"""Evals: each feature with its suites, what they came to of late, and what keeps a release from an environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.meter import meter
from watchkeeper.console.pages.call_release import short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.runs import (
    PATH,
    Piece,
    RunLine,
    course,
    iso_ms,
    pieces,
    quality_href,
    run_href,
    run_line,
    suite_href,
    tried,
)
from watchkeeper.console.query import address
from watchkeeper.evals.outcome import Status
from watchkeeper.evals.run import RunHead
from watchkeeper.releases.rules import Rules
from watchkeeper.store.gates import GateRow
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.suites import SuiteRow

FEATURES_MAX = 30
SUITES_MAX = 12
"""Of one feature."""
CHOICES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLine:
    """What one environment asks for, and whether the latest release has it."""

    shape: str
    environment: str
    says: tuple[Piece, ...]
    href: str
    """The run that it rests on; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteLine:
    """One suite."""

    name: str
    href: str
    version: str
    cases: str
    description: str
    course: Markup
    last: RunLine | None
    """The latest that has ended."""
    runs: str
    when: str = ""
    """When it runs by itself, in words; empty where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEvals:
    """One feature."""

    name: str
    href: str
    quality_href: str
    blocks: tuple[BlockLine, ...]
    suites: tuple[SuiteLine, ...]
    left: str
    """Suites that are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A run that has not ended."""

    id: str
    href: str
    suite: str
    tried: str
    said: str
    bar: Markup
    at: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalsPage:
    """The page."""

    feature: str
    clear_href: str
    choices: tuple[tuple[str, str, bool], ...]
    """Features: name, address, whether it is chosen."""
    under_way: tuple[UnderWay, ...]
    url: str
    """To ask again; empty where nothing runs."""
    features: tuple[FeatureEvals, ...]
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What environments ask of the releases of a feature."""

    latest: str = ""
    """The feature's latest release; empty where it has none."""
    gates: Sequence[GateRow] = ()
    """Results for it, the latest first."""
    live: Mapping[str, str] = field(default_factory=dict[str, str])
    """The release that stands, by environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalsFound:
    """What the stores say."""

    suites: Sequence[SuiteRow]
    runs: Mapping[tuple[str, str], Sequence[RunBrief]]
    asked: Mapping[str, Asked]
    """By feature."""
    rules: Mapping[str, Rules]
    """By environment."""
    progress: Mapping[str, Mapping[Status, int]]
    """By run that has not ended: outcomes of the candidate."""


def evals_page(found: EvalsFound, *, feature: str) -> EvalsPage:
    """Build the page."""
    names = sorted({row.feature for row in found.suites})
    features = [_feature(name, found) for name in names if not feature or name == feature]
    features.sort(key=lambda one: (not any(line.shape == "error" for line in one.blocks), one.name))
    running = [
        under_way(run.head, found.progress.get(run.head.id, {}))
        for runs in found.runs.values()
        for run in runs
        if run.head.status == "running" and (not feature or run.head.feature == feature)
    ]
    hidden = len(features) - FEATURES_MAX
    return EvalsPage(
        feature=feature,
        clear_href=PATH,
        choices=tuple((name, address(PATH, feature=name), name == feature) for name in names[:CHOICES_MAX]),
        under_way=tuple(running),
        url=address(PATH, feature=feature) if running else "",
        features=tuple(features[:FEATURES_MAX]),
        left=figures.count(hidden) if hidden > 0 else "",
    )


def _feature(name: str, found: EvalsFound) -> FeatureEvals:
    suites = [row for row in found.suites if row.feature == name]
    hidden = len(suites) - SUITES_MAX
    known = {row.name for row in suites}
    return FeatureEvals(
        name=name,
        href=feature_href(name),
        quality_href=quality_href(name),
        blocks=block_lines(name, found.asked.get(name, Asked()), found.rules, known),
        suites=tuple(suite_line(row, found.runs.get((name, row.name), ())) for row in suites[:SUITES_MAX]),
        left=figures.count(hidden) if hidden > 0 else "",
    )


def suite_line(row: SuiteRow, runs: Sequence[RunBrief]) -> SuiteLine:
    """Build the line of a suite; `runs` are its latest, the newest first."""
    ended = [run for run in runs if run.head.status != "running"]
    return SuiteLine(
        name=row.name,
        href=suite_href(row.feature, row.name),
        version=row.id[:12],
        cases=figures.count(row.cases),
        description=row.message,
        course=course(runs),
        last=run_line(ended[0]) if ended else None,
        runs=figures.count(len(runs)),
    )


def under_way(head: RunHead, counts: Mapping[Status, int]) -> UnderWay:
    """Build the line of a run that has not ended, from the outcomes of its candidate."""
    done, whole = sum(counts.values()), head.cases * head.repeats
    parts = [f"{figures.count(counts[word])} {word}" for word in ("failed", "unmeasured") if counts.get(word)]
    said = f"{figures.count(done)} of {figures.count(whole)} answers"
    return UnderWay(
        id=head.id,
        href=run_href(head.id),
        suite=head.title,
        tried=tried(head),
        said=", ".join([said, *parts]),
        bar=meter(done / whole if whole else 0.0),
        at=iso_ms(head.started_ms),
        by=head.by,
    )


def block_lines(feature: str, asked: Asked, rules: Mapping[str, Rules], suites: set[str]) -> tuple[BlockLine, ...]:
    """Say what environments ask for that a feature's suites can show, what is missing first."""
    if not asked.latest:
        asking = [
            f"{environment} asks for {', '.join(f'`{gate}`' for gate in rule.gates)}"
            for environment, rule in rules.items()
            if rule.gates
        ]
        return (_said("warning", "", f"It has no release yet; {'; '.join(asking)}"),) if asking else ()
    latest = {row.gate: row for row in reversed(asked.gates)}
    lines = [
        _block(environment, gate, asked, latest.get(gate), suite=f"{feature}/{gate}" if gate in suites else "")
        for environment, rule in rules.items()
        for gate in rule.gates
    ]
    order = ("error", "warning", "valid")
    return tuple(sorted(lines, key=lambda line: order.index(line.shape)))


def _block(environment: str, gate: str, asked: Asked, row: GateRow | None, *, suite: str) -> BlockLine:
    asks = f"asks for `{gate}`"
    name = f"the latest release `{short(asked.latest)}`"
    is_live = asked.live.get(environment) == asked.latest
    if row is None:
        how = f": `watchkeeper eval run {suite} --release {short(asked.latest)} --gate`"
        other = "; no suite here has that name, so another program must report it"
        return _said("warning", environment, f"{asks}; it has not been run for {name}{how if suite else other}")
    if row.has_passed:
        return _said("valid", environment, f"{asks}; {name} has passed it{', and is live' if is_live else ''}", row)
    return _said("error", environment, f"{asks}; {name} has not passed it: {row.summary or 'no reason was given'}", row)


def _said(shape: str, environment: str, text: str, row: GateRow | None = None) -> BlockLine:
    is_run = row is not None and row.run.startswith("run-")
    return BlockLine(
        shape=shape,
        environment=environment,
        says=pieces(text),
        href=run_href(row.run) if row is not None and is_run else "",
    )
