"""One run of a loaded configuration, from its kit to the files that it writes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.core.clock import Clock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.promptfoo import envelopes
from watchkeeper.evals.promptfoo.assertions.subject import Grader, Instruments
from watchkeeper.evals.promptfoo.documents import read_file
from watchkeeper.evals.promptfoo.envelopes.head import Head, named_in
from watchkeeper.evals.promptfoo.envelopes.stripping import without_secrets
from watchkeeper.evals.promptfoo.figures import Figures
from watchkeeper.evals.promptfoo.loading import Loaded
from watchkeeper.evals.promptfoo.marking import Marking
from watchkeeper.evals.promptfoo.nunjucks import Renderer
from watchkeeper.evals.promptfoo.performing import Kit, Performing
from watchkeeper.evals.promptfoo.rendering import Rendering
from watchkeeper.evals.promptfoo.results import Results, result_of
from watchkeeper.evals.running import Limits, Progress, Run, Stopped

Asks = Callable[[Ask, str], Awaitable[Answer]]
Keeps = Callable[[Sequence[Outcome]], Awaitable[None]]


def kit_for(
    loaded: Loaded,
    *,
    ask: Asks,
    client: httpx.AsyncClient,
    clock: Clock,
    grader: Grader | None = None,
    feature: str = "",
    run: str = "",
) -> Kit:
    """Put together what a run needs.

    Args:
        loaded: What is run.
        ask: Asks the gateway, as `evals.asking.Gateway.ask` does.
        client: For HTTP providers; open, and closed by whoever opened it.
        clock: Tells when outcomes were known.
        grader: Asks models that grade; None: what they must grade is an error.
        feature: For which calls count.
        run: Id of the run.
    """
    plan, config = loaded.plan, loaded.config
    scripts = plan.scripts
    sources = {name: read_file(plan.files.path(path)) for name, path in config.filters.items()}

    def filter_of(source: str) -> Callable[..., Any]:
        return lambda *arguments: scripts.engine.call(source, "", list(arguments))

    renderer = Renderer(config.env, {name: filter_of(source) for name, source in sources.items()})
    instruments = Instruments(
        renderer=renderer,
        engine=scripts.engine,
        python=scripts.python,
        grader=grader,
        allow_network=loaded.options.allow_network,
    )
    return Kit(
        ask=ask,
        marks=Marking(instruments),
        rendering=Rendering(
            files=plan.files, scripts=scripts, renderer=renderer, plain=Renderer(config.env), env=config.env
        ),
        clock=clock,
        client=client,
        feature=feature,
        run=run,
    )


async def run_plan(
    performing: Performing, results: Results, keep: Keeps, limits: Limits, progress: Progress
) -> Stopped:
    """Run everything that is not done, and keep each outcome and each result; return why it ended before the last.

    Args:
        performing: What is run.
        results: Takes the results in promptfoo's words.
        keep: Keeps outcomes; returns once they are safe.
        limits: The concurrency in them is lowered to the configuration's.
        progress: Counts along.
    """

    async def record(outcomes: Sequence[Outcome]) -> None:
        await keep(outcomes)
        for outcome in outcomes:
            if (result := result_of(outcome)) is not None:
                results.add(result)

    most = min(limits.concurrency, performing.concurrency)
    own = Limits(concurrency=most, cap_nusd=limits.cap_nusd, spent_nusd=limits.spent_nusd)
    return await Run(record, own, progress).run(performing.tasks())


def figures_of(loaded: Loaded, results: Results) -> tuple[Figures, list[str]]:
    """Add the results up, derived metrics included; the second says which of those could not be worked out."""
    figures = Figures(loaded.plan.columns)
    for record in results:
        figures.add(record)
    config = loaded.config
    return figures, figures.derive(config.derived_metrics, loaded.plan.scripts.engine, compat=config.compat)


def write_outputs(
    paths: Sequence[Path], loaded: Loaded, results: Results, figures: Figures, *, run: str, began_ms: int, now_ms: int
) -> None:
    """Write the output files, each by the ending of its name. Raises ConfigRefused."""
    head = Head(
        run=run,
        created=_iso(began_ms),
        exported=_iso(now_ms),
        config=without_secrets(loaded.config.data),
        prompts=figures.prompts(),
        stats=figures.stats(),
        variables=named_in(results),
        env=loaded.config.env,
    )
    for path in paths:
        envelopes.write(path, head, results)


def _iso(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
