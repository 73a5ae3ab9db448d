"""Evaluation: when the command is ready, how long small runs take, how much memory large ones; promptfoo beside it.

promptfoo is the version that the tests install from npm. Both read the same file, in turn, in one run.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.contract.promptfoo.installing import DRIVE, NotInstallable, installed, node_and_npm, switches

from bench import machine
from bench.executable import watchkeeper
from bench.figure import Figure, Settings, Target, median
from bench.idle import CONFIG
from bench.spent import Spent, spend
from watchkeeper.testing.harness import Installation

READY_BELOW_MS = 150
SMALL, LARGE = 200, 50_000
SMALL_BELOW_S = 1.0
LARGE_BELOW_MIB = 300
CONCURRENCY = 20
MIB = 2**20
FEATURES = "features:\n  support: {owner: ana@example.com, cost_owner: finance@example.com}\n"


def measure(settings: Settings) -> list[Figure]:
    """Measure all of it, the small things alternating with promptfoo's."""
    theirs = Theirs.found(settings.scratch / "promptfoo")
    folder = settings.scratch / "evals"
    folder.mkdir()
    figures = [*_ready(settings, folder, theirs), *_small(settings, folder, theirs)]
    with Installation(settings.scratch / "keeper", CONFIG + FEATURES) as running:
        figures += _kept(settings, folder, running)
    return [*figures, *_large(settings, folder)]


class Theirs:
    """promptfoo, as it is installed for the tests; nothing where it cannot be."""

    def __init__(self, package: Path | None, home: Path) -> None:
        self._package = package
        self._node, _ = node_and_npm()
        self._environment = switches(home)
        home.mkdir()

    @classmethod
    def found(cls, home: Path) -> "Theirs":
        """Install it, or do without."""
        try:
            return cls(installed(), home)
        except NotInstallable:
            return cls(None, home)

    def version(self, folder: Path) -> Spent | None:
        """Start its command line.

        Without its database's binding, which is compiled when npm may run scripts, it ends with an error after all of
        it has been loaded; what that took is counted.
        """
        if self._package is None:
            return None
        command = [*self._node, str(self._package / "dist/src/main.js"), "--version"]
        return spend(command, folder=folder, environment=self._environment, expected=lambda _: True)

    def evaluate(self, config: Path) -> Spent | None:
        """Run a configuration by its own loader and evaluator, without cache and without its database."""
        if self._package is None:
            return None
        out = config.with_name("theirs.json")
        options = json.dumps({"evaluate": {"maxConcurrency": CONCURRENCY, "cache": False}})
        command = [*self._node, str(DRIVE), str(self._package), str(config), str(out), options]
        spent = spend(command, folder=config.parent, environment=self._environment)
        stats = json.loads(out.read_text("utf-8"))["results"]["stats"]
        if stats["successes"] != SMALL:
            raise RuntimeError(f"promptfoo passed {stats['successes']} of {SMALL} cases")
        return spent


def _ready(settings: Settings, folder: Path, theirs: Theirs) -> list[Figure]:
    """Say when the command line has said what was asked."""
    asked = {"watchkeeper --version": ["--version"], "watchkeeper eval --help": ["eval", "--help"]}
    spent: dict[str, list[Spent]] = {name: [] for name in asked}
    others: list[Spent] = []
    for _ in range(settings.pick(20, 2) + 1):
        for name, arguments in asked.items():
            spent[name].append(spend([*watchkeeper(), *arguments], folder=folder))
        if len(others) < settings.pick(6, 2) and (other := theirs.version(folder)) is not None:
            others.append(other)
    figures = [_ms(name, found[1:], Target("below", READY_BELOW_MS)) for name, found in spent.items()]
    if others[1:]:
        figures.append(_ms("promptfoo --version", others[1:], None))
    return figures


def _small(settings: Settings, folder: Path, theirs: Theirs) -> list[Figure]:
    """Run 200 echo cases at a concurrency of 20, without a keeper."""
    config = echo_config(folder / "small", SMALL)
    ours: list[Spent] = []
    others: list[Spent] = []
    command = [*watchkeeper(), "eval", "run", str(config), "-q", f"--concurrency={CONCURRENCY}"]
    for _ in range(settings.pick(8, 1) + 1):
        ours.append(spend([*command, f"--data={folder / 'nobody'}"], folder=config.parent))
        if len(others) < settings.pick(4, 1) + 1 and (other := theirs.evaluate(config)) is not None:
            others.append(other)
    name = f"{SMALL} echo cases"
    target = Target("below", SMALL_BELOW_S)
    figures = [_seconds(f"{name}: watchkeeper eval run", ours[1:], target)]
    if others[1:]:
        figures.append(_seconds(f"{name}: promptfoo's evaluator", others[1:], None))
        times = _median_wall(others[1:]) / _median_wall(ours[1:])
        figures.append(Figure(name=f"{name}: promptfoo's time by ours", value=times, unit="times"))
    return figures


def _kept(settings: Settings, folder: Path, running: Installation) -> list[Figure]:
    """Run suites whose outcomes a keeper keeps: small ones for time, a large one for memory."""
    own = suite_of_answers(folder / "own", SMALL)
    small = folder / "small" / "promptfooconfig.yaml"
    rows: dict[str, list[Spent]] = {"a suite with answers": [], "the echo configuration": []}
    for _ in range(settings.pick(8, 1) + 1):
        for name, path, more in zip(rows, (own, small), ([], ["--feature=support"]), strict=True):
            rows[name].append(_run(running, path, *more))
    target = Target("below", SMALL_BELOW_S)
    figures = [_seconds(f"{SMALL} cases, kept: {name}", found[1:], target) for name, found in rows.items()]
    [keeper] = running.pids("keeper")
    before = machine.rss_bytes(keeper) / MIB
    cases = settings.pick(LARGE, 2_000)
    spent = _run(running, suite_of_answers(folder / "large", cases))
    most = most_bytes(keeper) / MIB
    return [
        *figures,
        Figure(
            name=f"{cases:,} cases with answers, kept: the command's memory",
            value=spent.most_mib,
            unit="MiB",
            target=Target("below", LARGE_BELOW_MIB),
            note=f"{spent.wall_s:.1f} s, {spent.cpu_s:.1f} s of a core. The keeper had {before:.0f} MiB before, and "
            f"{most:.0f} MiB at most.",
        ),
    ]


def _large(settings: Settings, folder: Path) -> list[Figure]:
    """Run a large configuration of promptfoo, without a keeper."""
    rows = settings.pick(LARGE, 2_000)
    config = echo_config(folder / "large-echo", rows)
    command = [*watchkeeper(), "eval", "run", str(config), "-q", f"--data={folder / 'nobody'}"]
    spent = spend([*command, f"--concurrency={CONCURRENCY}", "--output=out.jsonl"], folder=config.parent)
    return [
        Figure(
            name=f"{rows:,} echo cases, written as JSONL: memory",
            value=spent.most_mib,
            unit="MiB",
            target=Target("below", LARGE_BELOW_MIB),
            note=f"{spent.wall_s:.1f} s, {spent.cpu_s:.1f} s of a core; the file has "
            f"{(config.parent / 'out.jsonl').stat().st_size / MIB:.0f} MiB.",
        )
    ]


def echo_config(folder: Path, rows: int) -> Path:
    """Write a configuration of promptfoo that asks nobody, and return its file."""
    folder.mkdir()
    path = folder / "promptfooconfig.yaml"
    path.write_text('prompts: ["Say: {{word}}"]\nproviders: [echo]\ntests: file://tests.jsonl\n')
    _write_lines(
        folder / "tests.jsonl",
        (
            {"vars": {"word": f"word {number}"}, "assert": [{"type": "contains", "value": f"word {number}"}]}
            for number in range(rows)
        ),
    )
    return path


def suite_of_answers(folder: Path, cases: int) -> Path:
    """Write a suite whose cases bring their answers, and return its file."""
    place = folder / "suites" / "support"
    place.mkdir(parents=True)
    path = place / f"answers-{cases}.yaml"
    path.write_text("cases: answers.jsonl\nscorers: [contains]\n")
    _write_lines(
        place / "answers.jsonl",
        (
            {"id": f"c{number}", "answer": f"Your order {number} was delivered.", "reference": str(number)}
            for number in range(cases)
        ),
    )
    return path


def most_bytes(pid: int) -> int:
    """Return the most memory that a process has had resident at once."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the kernel does not say what the process {pid} has had")


def _run(running: Installation, path: Path, *more: str) -> Spent:
    command = [*watchkeeper(), "eval", "run", str(path), "-q", f"--data={running.data}", *more]
    return spend([*command, f"--concurrency={CONCURRENCY}"], folder=path.parent, environment=dict(os.environ))


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def _median_wall(spent: list[Spent]) -> float:
    return median([one.wall_s for one in spent])


def _ms(name: str, spent: list[Spent], target: Target | None) -> Figure:
    wall, cpu = [one.wall_s * 1000 for one in spent], [one.cpu_s * 1000 for one in spent]
    note = f"Median of {len(spent)}; the best {min(wall):.0f} ms. Processor {median(cpu):.0f} ms."
    return Figure(name=name, value=median(wall), unit="ms", target=target, note=note, samples={"ms": wall, "cpu": cpu})


def _seconds(name: str, spent: list[Spent], target: Target | None) -> Figure:
    wall, cpu = [one.wall_s for one in spent], [one.cpu_s for one in spent]
    note = (
        f"Concurrency {CONCURRENCY}. Median of {len(spent)}; the best {min(wall):.2f} s. Processor {median(cpu):.2f} s."
    )
    return Figure(name=name, value=median(wall), unit="s", target=target, note=note, samples={"s": wall, "cpu": cpu})
