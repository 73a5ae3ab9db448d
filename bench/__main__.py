"""Runs the measurements, prints one table and writes one file with the raw samples."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.figure import Figure, Measure, Settings

PARTS = {
    "throughput": "bench.throughput",
    "money": "bench.money",
    "trace": "bench.trace",
    "routing": "bench.routing",
    "features": "bench.features",
    "rollback": "bench.rollback",
    "latency": "bench.latency",
    "outage": "bench.outage",
    "streams": "bench.streams",
    "memory": "bench.memory",
    "ingest": "bench.ingest",
    "pages": "bench.pages",
    "scorings": "bench.scorings",
    "evals": "bench.evals",
    "real_suite": "bench.real_suite",
    "idle": "bench.idle",
    "help": "bench.commands",
    "start": "bench.start",
}
SYSTEM_COMMANDS = {"nginx": "nginx", "wrk": "wrk", "taskset": "util-linux"}
"""What the measurements need from the system, and the Debian package it is in."""
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure what the command line names; return 1 when a target is missed."""
    arguments = _arguments()
    missing = [package for command, package in SYSTEM_COMMANDS.items() if shutil.which(command) is None]
    if missing:
        sys.stderr.write(f"Missing here: {', '.join(missing)}. Install with: apt-get install {' '.join(missing)}\n")
        return 2
    if (machine.describe()["cores"] or 0) == 1:
        sys.stderr.write("The measurements need two cores: one for what is measured, one for the load.\n")
        return 2
    found: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir=arguments.scratch) as scratch:
        settings = Settings(is_quick=arguments.quick, scratch=Path(scratch))
        for name in arguments.parts or PARTS:
            sys.stderr.write(f"measuring {name} ...\n")
            measure: Measure = importlib.import_module(PARTS[name]).measure
            found[name] = measure(settings)
    figures = [figure for rows in found.values() for figure in rows]
    _print(figures)
    if not arguments.quick:
        sys.stdout.write(f"raw samples: {_write(found)}\n")
    return 1 if any(figure.verdict == "miss" for figure in figures) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="NAME", help=f"a part to measure: {', '.join(PARTS)}; all when none"
    )
    parser.add_argument("--quick", action="store_true", help="run through in a minute; the figures mean little")
    parser.add_argument("--scratch", type=Path, help="a folder with room for some gigabytes; the system's when absent")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return arguments


def _print(figures: list[Figure]) -> None:
    table = Table(box=None, pad_edge=False)
    for title, align in (
        ("figure", "left"),
        ("target", "left"),
        ("measured", "right"),
        ("ratio", "right"),
        ("", "left"),
    ):
        table.add_column(title, justify="right" if align == "right" else "left", no_wrap=True)
    for figure in figures:
        table.add_row(*figure.as_row())
    console = Console(width=max(Console().width, 110), highlight=False)
    console.print(table)
    for figure in figures:
        if figure.note:
            console.print(f"[dim]{figure.name}: {figure.note}[/dim]")


def _write(found: dict[str, list[Figure]]) -> Path:
    measured_at = datetime.now(UTC)
    name = "all" if len(found) == len(PARTS) else "-".join(found)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{measured_at:%Y-%m-%d}-{name}.json"
    document = {
        "measured_at": measured_at.isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "figures": {part: [figure.as_document() for figure in figures] for part, figures in found.items()},
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
