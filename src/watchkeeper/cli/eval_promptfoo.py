"""`watchkeeper eval run promptfooconfig.yaml`: a configuration of promptfoo, run as it is."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from watchkeeper.cli import client, show
from watchkeeper.cli.eval_keeping import STOP_WORDS, connections, kept_with, shown
from watchkeeper.cli.options import span_s
from watchkeeper.cli.outcome import FAILED, WRONG_USAGE, CommandFailed
from watchkeeper.cli.promptfoo_terms import Promptfoo, Way
from watchkeeper.config.addresses import within_reach
from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask, Gateway
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.promptfoo import envelopes
from watchkeeper.evals.promptfoo.assertions.subject import Said
from watchkeeper.evals.promptfoo.exits import exit_code
from watchkeeper.evals.promptfoo.figures import Figures
from watchkeeper.evals.promptfoo.loading import Loaded, Options, load
from watchkeeper.evals.promptfoo.performing import Performing
from watchkeeper.evals.promptfoo.plan import Filters
from watchkeeper.evals.promptfoo.results import Results
from watchkeeper.evals.promptfoo.session import figures_of, kit_for, run_plan, write_outputs
from watchkeeper.evals.running import Limits, Progress, Stopped
from watchkeeper.evals.suite import Case, Suite
from watchkeeper.evals.tasks import BASELINE, CANDIDATE
from watchkeeper.server.folder import DataFolder

FEATURE = "promptfoo"
"""Under which runs are kept for which no feature is named."""


def run_config(path: Path, wish: Promptfoo, way: Way) -> None:
    """Report what can be run, run it, and write what was asked for."""
    host = _Host.found(way.data)
    if way.reports and host.models is None:
        raise CommandFailed(
            "No keeper runs here, so the run is not kept and no report of it can be made. Nothing was asked. "
            "--output writes promptfoo's own files."
        )
    loaded = load(path, _options(wish, way, host))
    try:
        outputs = _outputs(wish, loaded)
        if way.is_gate:
            _require_one(loaded, way.baseline)
        say = show.note if way.json else show.line
        for line in str(loaded.report).splitlines():
            say(line)
        begun = host.begin(loaded, way)
        if begun is None:
            show.note("no keeper runs here: what comes of it is not kept, and models cannot be asked")
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(_journal(way.data, begun))
            results = stack.enter_context(Results(journal))
            stopped = asyncio.run(_go(loaded, results, host, begun, way))
            figures, problems = figures_of(loaded, results)
            now_ms = SystemClock().unix_ns() // 1_000_000
            began_ms = begun["head"]["started_ms"] if begun else now_ms
            name = begun["id"] if begun else "not-kept"
            write_outputs(outputs, loaded, results, figures, run=name, began_ms=began_ms, now_ms=now_ms)
        ended = None if begun is None else host.end(begun["id"], stopped)
        if ended is not None and way.reports:
            # The writers of reports, which few runs of promptfoo ask for.
            from watchkeeper.cli.eval_show import reports as write_reports

            write_reports(way.data, ended, way.reports)
        for problem in problems:
            show.note(problem)
        _conclude(figures, ended, outputs, wish, way)
    finally:
        loaded.plan.scripts.close()


@dataclass(frozen=True, slots=True)
class _Host:
    """The installation beside it, where there is one that runs."""

    data: Path
    models: frozenset[str] | None

    @classmethod
    def found(cls, data: Path) -> "_Host":
        if not DataFolder(data.resolve()).socket.exists():
            return cls(data, None)
        found = client.get(data, "/api/v1/evals/models")
        return cls(data, frozenset(found["models"]) if found["models"] is not None else None)

    def begin(self, loaded: Loaded, way: Way) -> dict[str, Any] | None:
        if self.models is None:
            return None
        suite = Suite(
            feature=way.feature or FEATURE,
            name=loaded.config.path.stem.removesuffix("config") or "promptfoo",
            description=f"{loaded.config.path.name}, of promptfoo",
            cases=tuple(Case(id=name) for name in _case_ids(loaded)),
        )
        kept = client.post(self.data, "/api/v1/evals/suites", suite=msgspec.to_builtins(suite))
        columns = [{"name": name, "title": title[:200]} for title, name in _arms(loaded, way.baseline).items()]
        return client.post(
            self.data, "/api/v1/evals/runs", suite=kept["id"], columns=columns, cap_nusd=way.cap_nusd, gate=way.is_gate
        )

    def end(self, run: str, stopped: Stopped) -> dict[str, Any]:
        status = "stopped" if stopped else "finished"
        return client.post(self.data, f"/api/v1/evals/runs/{run}/end", status=status, note=STOP_WORDS[stopped])


async def _go(loaded: Loaded, results: Results, host: _Host, begun: Mapping[str, Any] | None, way: Way) -> Stopped:
    arms = _arms(loaded, way.baseline)
    async with connections() as http:
        url, key = (within_reach(begun["gateway_url"]), begun["key"]) if begun else ("http://127.0.0.1:1/v1", "")
        run = begun["id"] if begun else ""
        gateway = Gateway(http, url, key, run=run, within_s=span_s("--timeout", way.timeout))

        async def ask(ask: Ask, case: str) -> Answer:
            return await gateway.ask(ask, case=case)

        grader = _Grader(loaded, gateway, way.feature)
        kit = kit_for(loaded, ask=ask, client=http, clock=SystemClock(), grader=grader, feature=way.feature, run=run)
        performing = Performing(loaded, kit)
        keep = kept_with(host.data, run, begun["head"]["turn"]) if begun else _kept_nowhere

        async def record(outcomes: Sequence[Outcome]) -> None:
            await keep([replace(one, arm=arms.get(one.arm, one.arm), marks=_light(one)) for one in outcomes])

        progress = Progress(total=loaded.report.cases)
        own = Limits(concurrency=way.concurrency or performing.concurrency, cap_nusd=way.cap_nusd)
        with contextlib.ExitStack() as stack:
            if not (way.is_quiet or way.json):
                stack.enter_context(shown(progress))
            return await run_plan(performing, results, record, own, progress)


def _light(outcome: Outcome) -> Any:
    """Leave promptfoo's own record out of what is kept: it stands in the file of results."""
    return tuple(replace(mark, detail={}) if "result" in mark.detail else mark for mark in outcome.marks)


async def _kept_nowhere(outcomes: Sequence[Outcome]) -> None:
    pass


class _Grader:
    """Asks models that grade, through the gateway; embeds texts on this machine."""

    def __init__(self, loaded: Loaded, gateway: Gateway, feature: str) -> None:
        self._loaded = loaded
        self._gateway = gateway
        self._feature = feature
        self._embedder: Any = None

    async def ask(self, messages: Sequence[Mapping[str, Any]], provider: Any = None) -> Said:
        """Return what a model answers; see `assertions.subject.Grader`."""
        model, parameters = self._loaded.grader(provider)
        if not model:
            return Said(error="no model grades here: name one with --grader, or map its provider with --provider-map")
        ask = Ask(model=model, messages=messages, parameters=parameters, feature=self._feature)
        answer = await self._gateway.ask(ask, case="grader")
        return Said(text=answer.text or answer.refusal, error=answer.error)

    async def embed(self, texts: Sequence[str], provider: Any = None) -> Sequence[Sequence[float]]:
        """Return vectors of the model that comes with Watchkeeper, whichever provider is named."""
        if self._embedder is None:
            # 90 MB of weights, for few configurations.
            from watchkeeper.releases.embedding import Embedder

            self._embedder = await asyncio.to_thread(Embedder)
        found: list[list[float]] = (await asyncio.to_thread(self._embedder.embed, list(texts))).tolist()
        return found


def _options(wish: Promptfoo, way: Way, host: _Host) -> Options:
    mapped: dict[str, str] = {}
    for one in wish.provider_map or ():
        name, sign, model = one.partition("=")
        if not sign or not model:
            raise CommandFailed(f"--provider-map {one!r}: write ID=MODEL.", exit_code=WRONG_USAGE)
        mapped[name] = model
    filters = Filters(pattern=wish.filter_pattern, providers=wish.filter_providers, first=wish.filter_first_n)
    return Options(
        env=os.environ,
        compat=wish.compat,
        provider_map=mapped,
        models=host.models,
        grader=wish.grader,
        allow_exec=wish.allow_exec,
        allow_network=wish.allow_network,
        ignore_extensions=wish.ignore_extensions,
        filters=filters,
        repeats=way.repeats,
    )


def _outputs(wish: Promptfoo, loaded: Loaded) -> list[Path]:
    """Return where results are written, checked before anything is asked."""
    paths = [*(wish.output or ()), *map(Path, loaded.settings.outputs)]
    for path in paths:
        envelopes.check(path)
    return paths


def _case_ids(loaded: Loaded) -> list[str]:
    return list(dict.fromkeys(row.case for row in loaded.plan.rows()))


def _arms(loaded: Loaded, baseline: str) -> dict[str, str]:
    """Return under which name the outcomes of each column are kept, by its title.

    One column is the candidate; of two, one may be named the baseline, by its title or place.
    """
    titles = [column.title for column in loaded.plan.columns]
    if baseline.isdigit() and int(baseline) < len(titles):
        baseline = titles[int(baseline)]
    if baseline and baseline not in titles:
        raise CommandFailed(
            f"--baseline {baseline!r} is no column; they are {', '.join(map(repr, titles))}.", exit_code=WRONG_USAGE
        )
    others = [title for title in titles if title != baseline]
    names = {title: title[:400] for title in titles}
    if len(others) == 1:
        names[others[0]] = CANDIDATE
        if baseline:
            names[baseline] = BASELINE
    return names


def _require_one(loaded: Loaded, baseline: str) -> None:
    """See that a gate has one column to judge: of several nothing would be decided, and nothing would be stopped."""
    arms = _arms(loaded, baseline)
    if CANDIDATE not in arms.values():
        raise CommandFailed(
            f"--gate judges one column, or one against a --baseline; there are {len(arms)}: "
            f"{', '.join(map(repr, arms))}. Nothing was asked. Choose with --filter-providers and --baseline, or leave "
            "--gate out: the command then fails where a case does.",
            exit_code=WRONG_USAGE,
        )


@contextlib.contextmanager
def _journal(data: Path, begun: Mapping[str, Any] | None) -> Iterator[Path]:
    """Give the file that results go to while it runs; beside the data where the run is kept."""
    if begun is None:
        with tempfile.TemporaryDirectory(prefix="watchkeeper-") as folder:
            yield Path(folder) / "results.jsonl"
    else:
        folder_of_runs = data / "promptfoo"
        folder_of_runs.mkdir(mode=0o700, exist_ok=True)
        yield folder_of_runs / f"{begun['id']}.jsonl"


def _conclude(
    figures: Figures, ended: Mapping[str, Any] | None, outputs: Iterable[Path], wish: Promptfoo, way: Way
) -> None:
    stats = figures.stats()
    if way.json:
        show.document({"stats": stats, "run": ended})
    else:
        show.line(f"{stats['successes']} passed, {stats['failures']} failed, {stats['errors']} errors")
        for path in (*outputs, *way.reports):
            show.line(f"wrote {path}")
        if ended is not None:
            show.line(f"`watchkeeper eval show {ended['id']}` shows it again")
    if wish.promptfoo_exit_codes:
        sys.stdout.flush()
        raise SystemExit(exit_code(stats, os.environ))
    if way.is_gate and ended is not None and ended["exit_code"]:
        raise CommandFailed(" ".join(ended["decision"]["reasons"]), exit_code=ended["exit_code"])
    if stats["failures"] or stats["errors"]:
        raise CommandFailed(f"{stats['failures']} failed and {stats['errors']} errors.", exit_code=FAILED)
