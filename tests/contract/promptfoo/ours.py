"""Runs a configuration as we run it, with providers that need no gateway."""

import os
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.promptfoo.figures import Figures
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.performing import Performing
from watchkeeper.evals.promptfoo.plan import Filters
from watchkeeper.evals.promptfoo.results import result_of
from watchkeeper.evals.promptfoo.session import kit_for


async def no_gateway(ask: Ask, case: str) -> Answer:
    return Answer(error=f"nothing answers as {ask.model}")


async def results_of(config: Path, **filters: Any) -> list[dict[str, Any]]:
    """The results in promptfoo's words, in the order in which they were made."""
    return (await _run(config, filters))[0]


async def figures_of(config: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the results of each column come to, and all of them."""
    _, figures = await _run(config, {})
    return figures.prompts(), figures.stats()


async def _run(config: Path, filters: dict[str, Any]) -> tuple[list[dict[str, Any]], Figures]:
    loaded = load(config, Options(env=dict(os.environ), filters=Filters(**filters), compat="0.118"))
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=no_gateway, client=client, clock=SystemClock())
        outcomes = [await task.perform() for task in Performing(loaded, kit).tasks()]
    found = [result_of(outcome) for outcome in outcomes]
    records = [record for record in found if record is not None]
    figures = Figures(loaded.plan.columns)
    for record in records:
        figures.add(record)
    assert figures.derive(loaded.config.derived_metrics, loaded.plan.scripts.engine, compat="0.118") == []
    loaded.plan.scripts.close()
    return records, figures
