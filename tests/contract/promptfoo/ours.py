"""Runs a configuration as we run it, with providers that need no gateway."""

import os
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.performing import Performing
from watchkeeper.evals.promptfoo.plan import Filters
from watchkeeper.evals.promptfoo.results import result_of
from watchkeeper.evals.promptfoo.session import kit_for


async def no_gateway(ask: Ask, case: str) -> Answer:
    return Answer(error=f"nothing answers as {ask.model}")


async def results_of(config: Path, **filters: Any) -> list[dict[str, Any]]:
    """The results in promptfoo's words, in the order in which they were made."""
    loaded = load(config, Options(env=dict(os.environ), filters=Filters(**filters), compat="0.118"))
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=no_gateway, client=client, clock=SystemClock())
        outcomes = [await task.perform() for task in Performing(loaded, kit).tasks()]
    loaded.plan.scripts.close()
    found = [result_of(outcome) for outcome in outcomes]
    return [record for record in found if record is not None]
