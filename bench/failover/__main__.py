"""Plays all scenarios at full length and prints the scorecard: `python -m bench.failover [SCENARIO ...]`."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.failover.clients import VARIANTS
from bench.failover.play import PARTS, Score, play
from bench.failover.scenarios import SCENARIOS


def main() -> int:
    """Return 1 when a scenario is not passed."""
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="such as S08; all when none is named")
    parser.add_argument("--second", type=float, default=1.0, help="length of a second, to play faster")
    arguments = parser.parse_args()
    parts = [part for part in PARTS if not arguments.scenarios or part.scenario.id in arguments.scenarios]
    with tempfile.TemporaryDirectory(prefix="watchkeeper-failover-") as folder:
        scores = play(Path(folder), parts, second=arguments.second)
    _print(scores)
    return 1 if any(score.wrong for score in scores) else 0


def _print(scores: list[Score]) -> None:
    table = Table("", "scenario", *VARIANTS)
    passed = 0
    named = [scenario for scenario in SCENARIOS if any(score.part.scenario is scenario for score in scores)]
    for scenario in named:
        mine = {score.part.variant: score for score in scores if score.part.scenario is scenario}
        passed += not any(score.wrong for score in mine.values())
        table.add_row(scenario.id, scenario.title, *[_cell(mine[variant]) for variant in VARIANTS])
    console = Console(width=160 if not sys.stdout.isatty() else None)
    console.print(table)
    for score in scores:
        for fault in score.wrong:
            console.print(f"{score.part.scenario.id} {score.part.variant}: {fault}", markup=False)
    console.print(f"{passed} of {len(named)} scenarios passed, each asked in {len(VARIANTS)} ways")


def _cell(score: Score) -> str:
    seen = score.seen
    asked = f"{len(seen.primary)} + {len(seen.fallback)} asked, {seen.took_s:.1f} s"
    return f"{'FAIL' if score.wrong else 'pass'}  {asked}"


if __name__ == "__main__":
    sys.exit(main())
