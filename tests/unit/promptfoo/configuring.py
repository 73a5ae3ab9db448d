"""Writes configurations and runs them as they are, with a gateway that answers what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.promptfoo.loading import Loaded, Options, load
from watchkeeper.evals.promptfoo.performing import Performing
from watchkeeper.evals.promptfoo.records import Record
from watchkeeper.evals.promptfoo.results import Results, result_of
from watchkeeper.evals.promptfoo.session import figures_of, kit_for, run_plan, write_outputs
from watchkeeper.evals.running import Limits, Progress


def laid_out(folder: Path, config: str, **files: str) -> Path:
    """Write a configuration and, beside it, files whose names have two underscores for a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), "utf-8")
    path = folder / "promptfooconfig.yaml"
    path.write_text(dedent(config), "utf-8")
    return path


@dataclass(slots=True)
class Gateway:
    """Answers every question alike, and remembers what it was asked."""

    answer: Answer = field(default_factory=lambda: Answer(text="an answer", call="call-1", cost_nusd=1_500, model="m"))
    asked: list[Ask] = field(default_factory=list[Ask])

    async def ask(self, ask: Ask, case: str) -> Answer:
        self.asked.append(ask)
        return self.answer


@dataclass(slots=True)
class Run:
    """What came of a configuration."""

    loaded: Loaded
    outcomes: list[Outcome]
    gateway: Gateway

    @property
    def records(self) -> list[Record]:
        found = [result_of(outcome) for outcome in self.outcomes]
        return [record for record in found if record is not None]


async def run(config: Path, gateway: Gateway | None = None, **options: Any) -> Run:
    """Load and perform everything, one after the other."""
    asked = gateway or Gateway()
    loaded = load(config, Options(**options))
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=asked.ask, client=client, clock=SystemClock(), feature="support", run="run-1")
        outcomes = [await task.perform() for task in Performing(loaded, kit).tasks()]
    loaded.plan.scripts.close()
    return Run(loaded, outcomes, asked)


async def written(config: Path, paths: list[Path], scratch: Path, env: Mapping[str, str] | None = None) -> Results:
    """Run a configuration as a whole, and write its output files."""
    gateway = Gateway()
    loaded = load(config, Options(env=env or {}))
    kept: list[Outcome] = []

    async def keep(outcomes: Any) -> None:
        kept.extend(outcomes)

    results = Results(scratch / "results.jsonl")
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=gateway.ask, client=client, clock=SystemClock(), run="run-1")
        total = Progress(total=loaded.report.cases)
        assert await run_plan(Performing(loaded, kit), results, keep, Limits(), total) == ""
    assert len(kept) == loaded.report.cases == len(results)
    figures, problems = figures_of(loaded, results)
    assert problems == []
    write_outputs(paths, loaded, results, figures, run="eval-1", began_ms=0, now_ms=1_000)
    loaded.plan.scripts.close()
    return results
