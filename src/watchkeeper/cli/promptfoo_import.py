"""A configuration of promptfoo becomes a suite and releases."""

import os
from pathlib import Path

import httpx

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.promptfoo.convert import Converted, convert
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.session import kit_for


def import_config(path: Path, out: Path, *, feature: str, name: str) -> Converted:
    """Turn a configuration into a suite and releases, and return what was written and what was not."""
    loaded = load(path, Options(env=os.environ))
    try:
        kit = kit_for(loaded, ask=_nobody, client=httpx.AsyncClient(), clock=SystemClock())
        return convert(loaded, kit.rendering, out, feature=feature, name=name)
    finally:
        loaded.plan.scripts.close()


async def _nobody(ask: Ask, case: str) -> Answer:
    raise NotImplementedError
