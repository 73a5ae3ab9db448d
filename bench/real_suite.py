"""A whole evaluation with real answers: two prompts at two temperatures, asked of the bundled model, gated in pairs.

`python -m bench real_suite` does all of it from nothing: it starts an installation with the bundled model, pushes four
releases of one feature, runs the suite in `examples/quiz` against each, compares all pairs, and writes a page and a
Markdown report of each run into `build/real-suite`.
"""

import itertools
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figure import Figure, Settings
from watchkeeper.core.money import usd
from watchkeeper.testing.harness import Installation, free_port

ROOT = Path(__file__).parents[1]
QUIZ = ROOT / "examples" / "quiz"
REPORTS = ROOT / "build" / "real-suite"
PROMPTS = ("plain", "shown")
TEMPERATURES = (0.0, 0.8)
CONCURRENCY = 2
"""As many as the bundled model answers at once."""
RUN_WITHIN_S = 1_800.0
FORMATS = (".html", ".md")
QUICK_CASES = 12


@dataclass(frozen=True, slots=True)
class Arm:
    """One release: a prompt at a temperature."""

    prompt: str
    temperature: float

    @property
    def title(self) -> str:
        """Return its name, for people and for files."""
        return f"{self.prompt}-{self.temperature:g}"


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended."""

    arm: Arm
    release: str
    document: dict[str, Any]
    """As `watchkeeper eval run --json` prints it."""
    exit_code: int
    """Of the gate."""

    @property
    def id(self) -> str:
        """Return the run's id."""
        return str(self.document["id"])

    @property
    def counts(self) -> dict[str, int]:
        """Return how many cases passed, failed and were not measured."""
        found: dict[str, int] = self.document["counts"]["candidate"]
        return found

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        head = self.document["head"]
        return float(head["ended_ms"] - head["started_ms"]) / 1000

    @property
    def cost(self) -> str:
        """Return what asking cost, with its status."""
        head = self.document["head"]
        return "unpriced" if head.get("cost_nusd") is None else f"${usd(head['cost_nusd'])} ({head['cost_status']})"


@dataclass(frozen=True, slots=True)
class Pair:
    """What a run shows beside another."""

    candidate: Arm
    baseline: Arm
    decision: dict[str, Any]

    @property
    def primary(self) -> dict[str, Any]:
        """Return the comparison that decides."""
        found: dict[str, Any] = self.decision["comparisons"][0]
        return found


def measure(settings: Settings) -> list[Figure]:
    """Run all four arms, print what each pair shows, and give the share that passes under each."""
    began = time.perf_counter()
    cases = settings.pick(0, QUICK_CASES)
    arms = [Arm(prompt, temperature) for temperature in TEMPERATURES for prompt in PROMPTS]
    REPORTS.mkdir(parents=True, exist_ok=True)
    with Installation(settings.scratch / "real-suite", config()) as running:
        started_s = time.perf_counter() - began
        suite = suite_in(settings.scratch / "quiz", first=cases)
        ran = run_arms(running, suite, arms, REPORTS)
        pairs = compare_all(running, ran)
    for line in account(ran, pairs):
        sys.stdout.write(f"{line}\n")
    note = f"whole: {time.perf_counter() - began:.0f} s, of which the start took {started_s:.1f} s"
    return [_figure(one, note) for one in ran]


def config() -> str:
    """Write a configuration with the bundled model and the feature."""
    return f"""
providers:
  local: {{base_url: "http://127.0.0.1:{free_port()}/v1", price_list: free}}
features:
  quiz: {{owner: ana@example.com, cost_owner: finance@example.com}}
routes:
  small: {{targets: [local/smollm2-135m]}}
"""


def suite_in(folder: Path, *, first: int = 0) -> Path:
    """Copy the quiz's suite and prompts into a folder and return the suite's file.

    Args:
        folder: Not there yet.
        first: So many cases are kept, drawn evenly from all; 0 for all.
    """
    shutil.copytree(QUIZ, folder)
    suite = folder / "suites" / "quiz" / "basics.yaml"
    if first:
        cases = suite.with_name("basics.cases.jsonl")
        lines = cases.read_text("utf-8").splitlines(keepends=True)
        cases.write_text("".join(lines[at * len(lines) // first] for at in range(first)), "utf-8")
    return suite


def run_arms(running: Installation, suite: Path, arms: Sequence[Arm], reports: Path) -> list[Ran]:
    """Push a release for each arm and run the suite against it; each is gated on the run of the first.

    Raises:
        RuntimeError: a command failed, which a gate that blocks does not count as.
    """
    ran: list[Ran] = []
    for arm in arms:
        release = _push(running, suite.parents[2] / "prompts", arm)
        ran.append(_run(running, suite, arm, release, reports, ran[0].id if ran else ""))
    return ran


def compare_all(running: Installation, ran: Sequence[Ran]) -> list[Pair]:
    """Compare each run with each that came before it."""
    return [
        Pair(later.arm, earlier.arm, running.cli_json("eval", "compare", later.id, earlier.id)["decision"])
        for earlier, later in itertools.combinations(ran, 2)
    ]


def account(ran: Sequence[Ran], pairs: Sequence[Pair]) -> list[str]:
    """Say what came of the runs and of each pair, in lines."""
    lines = []
    for one in ran:
        counts = ", ".join(f"{number} {status}" for status, number in sorted(one.counts.items()))
        lines.append(f"{one.arm.title:10}  {counts}; {one.seconds:.1f} s, {one.cost}; gate ended with {one.exit_code}")
    for pair in pairs:
        found = pair.primary
        lines.append(
            f"{pair.candidate.title:10}  against {pair.baseline.title:10}  {found['verdict']:11}  "
            f"{100 * found['difference']:+.1f} points ({100 * found['lower']:+.1f} to {100 * found['upper']:+.1f}), "
            f"{pair.decision['result']}"
        )
    return lines


def _push(running: Installation, prompts: Path, arm: Arm) -> str:
    """Push one arm's release from the folder that all are pushed from: it remembers which one was the latest."""
    text = (prompts / arm.prompt / "quiz" / "release.yaml").read_text("utf-8")
    place = prompts / "pushed" / "quiz"
    place.mkdir(parents=True, exist_ok=True)
    (place / "release.yaml").write_text(text.replace("temperature: 0,", f"temperature: {arm.temperature:g},"), "utf-8")
    done = running.cli("release", "push", str(place.parent), "-m", arm.title)
    if done.returncode:
        raise RuntimeError(f"the release {arm.title} was not kept: {done.stdout}{done.stderr}")
    return str(running.cli_json("release", "list", "quiz")["releases"][0]["id"])


def _run(running: Installation, suite: Path, arm: Arm, release: str, reports: Path, baseline: str) -> Ran:
    files = [f"--out={reports / arm.title}{ending}" for ending in FORMATS]
    done = running.cli(
        "eval", "run", str(suite), "--release", release, "--gate", "--fresh", "--json", f"--baseline={baseline}",
        f"--concurrency={CONCURRENCY}", *files, within_s=RUN_WITHIN_S,
    )  # fmt: skip
    if done.returncode not in (0, 3, 4, 5):
        raise RuntimeError(f"the run of {arm.title} ended with {done.returncode}: {done.stderr}")
    return Ran(arm, release, json.loads(done.stdout), done.returncode)


def _figure(one: Ran, note: str) -> Figure:
    passed, failed = one.counts.get("passed", 0), one.counts.get("failed", 0)
    return Figure(
        name=f"share that passes, prompt `{one.arm.prompt}` at temperature {one.arm.temperature:g}",
        value=passed / max(1, passed + failed),
        unit="",
        note=f"{passed + failed} cases measured in {one.seconds:.1f} s; {note}",
    )
