"""Makes tasks of a plan: each row rendered, asked, transformed and marked, and written down in promptfoo's words."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Protocol

import httpx

from watchkeeper.core.clock import Clock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer, Mark, Outcome, Status
from watchkeeper.evals.promptfoo import local_providers, records
from watchkeeper.evals.promptfoo.assertions.table import OF_ROWS
from watchkeeper.evals.promptfoo.documents import as_text, read_json
from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.loading import Loaded
from watchkeeper.evals.promptfoo.model import Assertion, Grading, GradingContext, Provider, ProviderOutput
from watchkeeper.evals.promptfoo.plan import Row, is_on
from watchkeeper.evals.promptfoo.records import WHOLE, Record
from watchkeeper.evals.promptfoo.rendering import Rendered, Rendering
from watchkeeper.evals.promptfoo.requests import messages_of, output_of, parameters_of
from watchkeeper.evals.running import Task

TURNS_MAX = 1_000
"""Of one conversation; older turns are forgotten."""
NO_OUTPUT = "No output"


class Marks(Protocol):
    """Says what assertions say of outputs. `unmeasured` in a grading: nobody knows, and the case is an error."""

    async def grade(self, assertions: Sequence[Assertion], output: ProviderOutput, context: GradingContext) -> Grading:
        """Mark one output, the test's threshold and scoring function included."""
        ...

    async def compare(
        self,
        assertion: Assertion,
        outputs: Sequence[ProviderOutput],
        gradings: Sequence[Grading],
        context: GradingContext,
    ) -> Sequence[Grading]:
        """Mark the outputs of one row against each other; one grading for each, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What is needed to run a plan."""

    ask: Callable[[Ask, str], Awaitable[Answer]]
    """Asks the gateway for a case."""
    marks: Marks
    rendering: Rendering
    clock: Clock
    client: httpx.AsyncClient
    """For HTTP providers."""
    feature: str = ""
    """For which calls count."""
    run: str = ""
    """Id of the run."""


@dataclass(slots=True)
class Performing:
    """A loaded configuration while it is run."""

    loaded: Loaded
    kit: Kit
    done: Collection[tuple[str, str, int]] = ()
    """Arm, case and repeat of what is there already. Where one row looks at another's answer, all are done again."""
    registers: dict[str, Any] = field(default_factory=dict[str, Any])
    """`storeOutputAs`."""
    conversations: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    _began: float | None = None

    @property
    def concurrency(self) -> int:
        """Return how many tasks may be under way at once."""
        return 1 if self.loaded.report.is_serial else self.loaded.settings.concurrency

    def tasks(self) -> Iterator[Task]:
        """Give the tasks in the plan's order, made as they are asked for.

        Tests that must run one after another (`runSerially`) are in their places; give them a concurrency of 1.
        """
        done = () if self.loaded.report.is_serial else self.done
        for _, cells in groupby(self.loaded.plan.rows(), key=lambda row: row.test_index):
            rows = list(cells)
            compared = _Compared(self, rows) if any(_across(row) for row in rows) else None
            for row in rows:
                if (row.column.title, row.case, row.repeat) not in done:
                    cell = _Cell(self, row)
                    perform = _Waiting(compared, row.column.index, cell).perform if compared else cell.perform
                    yield Task(
                        arm=row.column.title,
                        case=row.case,
                        repeat=row.repeat,
                        target=row.column.provider.id if row.test.provider_output is None else "",
                        perform=perform,
                    )

    def is_over(self) -> bool:
        """Tell whether the time of the whole run is over; it begins with the first call of this."""
        limit = self.loaded.settings.total_timeout_ms
        self._began = time.monotonic() if self._began is None else self._began
        return limit > 0 and (time.monotonic() - self._began) * 1000 > limit


@dataclass(slots=True)
class _Cell:
    """One row while it is performed."""

    run: Performing
    row: Row
    record: Record = field(default_factory=dict[str, Any])
    answer: Answer = field(default_factory=Answer)
    output: ProviderOutput | None = None
    grading: Grading | None = None
    rendered: Rendered = field(default_factory=lambda: Rendered(text="", variables={}))

    async def perform(self) -> Outcome:
        """Do all of it; what goes wrong is the outcome."""
        row, settings = self.row, self.run.loaded.settings
        self.record = records.begun(row, "", row.test.variables, self.run.kit.run)
        if self.run.is_over():
            return self.failed(f"Evaluation exceeded max duration of {settings.total_timeout_ms}ms")
        limit = settings.timeout_ms / 1000 if settings.timeout_ms else None
        try:
            await asyncio.wait_for(self._perform(), limit)
        except TimeoutError:
            return self.failed(f"Evaluation timed out after {settings.timeout_ms}ms")
        except Exception as error:  # promptfoo's own rule: whatever goes wrong with a case is its result
            return self.failed(str(error) or type(error).__name__)
        return self.outcome()

    def failed(self, why: str) -> Outcome:
        """Give the case up."""
        self.record = records.failed(self.record, why)
        return self.outcome(why)

    async def _perform(self) -> None:
        row, run = self.row, self.run
        if row.error:
            raise CaseFailed(row.error)
        if extensions := run.loaded.config.extensions:
            raise CaseFailed(f"Extensions are not run here ({', '.join(extensions)}), and may change what a test is.")
        self.rendered = await self._rendered()
        self.record = records.begun(row, self.rendered.text, self.rendered.variables, run.kit.run)
        provider = run.loaded.provider(row)
        said = await self._said(provider)
        self._remember(provider, said)
        if not said.is_cached and (pause := provider.delay_ms or self._delay()):
            await asyncio.sleep(pause / 1000)
        self.record = records.answered(self.record, row, said)
        self.output = said
        if said.error:
            raise CaseFailed(said.error)
        if said.output is None:
            raise CaseFailed(NO_OUTPUT)
        self.output = await self._transformed(provider, said)
        self.record = records.answered(self.record, row, self.output)
        grading = await run.kit.marks.grade(row.test.assertions, self.output, self.context(provider))
        if grading.unmeasured:
            raise CaseFailed(grading.unmeasured)
        self.grading = grading
        self.record = records.graded(self.record, grading)
        if (name := row.test.options.get("storeOutputAs")) and self.output.output:
            run.registers[str(name)] = self.output.output

    async def _rendered(self) -> Rendered:
        row, run = self.row, self.run
        variables = dict(row.test.variables)
        is_off = is_on(run.kit.rendering.env, "PROMPTFOO_DISABLE_CONVERSATION_VAR")
        if "_conversation" in row.prompt.raw and not is_off and not row.test.options.get("disableConversationVar"):
            variables["_conversation"] = run.conversations.get(self._conversation(), [])
        variables |= run.registers
        rendering, provider = run.kit.rendering, row.column.provider
        if rendering.waits(row.prompt, variables):
            return await asyncio.to_thread(rendering.render, row.prompt, variables, provider)
        return rendering.render(row.prompt, variables, provider)

    async def _said(self, provider: Provider) -> ProviderOutput:
        row, run, kit = self.row, self.run, self.run.kit
        given = row.test.provider_output
        if given is not None:
            return given_output(given)
        target = run.loaded.target(row)
        prompt, variables = self.rendered.text, self.rendered.variables
        scripts = run.loaded.plan.scripts
        match target.kind:
            case "echo":
                return local_providers.echo(prompt)
            case "python":
                return await local_providers.ask_python(target.path, provider, prompt, self._call_context(), scripts)
            case "command":
                return await local_providers.run_command(target.path, provider, prompt, self._call_context(), scripts)
            case "http":
                return await local_providers.ask_http(
                    target.path, provider, prompt, variables, kit.rendering, kit.client
                )
            case "gateway":
                return await self._asked(provider, run.loaded.model(target), target.models)
            case "unsupported":
                raise CaseFailed(f"The provider {provider.title} was not asked: {target.note}.")

    async def _asked(self, provider: Provider, model: str, names: tuple[str, ...]) -> ProviderOutput:
        if not model:
            raise CaseFailed(
                f"The provider {provider.title} was not asked: the gateway has none of {', '.join(names)};"
                f" name one with --provider-map '{provider.id}=MODEL'."
            )
        kit, variables = self.run.kit, self.rendered.variables
        config = parameters_of({**provider.config, **self.rendered.config})
        parameters = kit.rendering.files.loaded(kit.rendering.inside(config, variables))
        must = is_on(kit.rendering.env, "PROMPTFOO_REQUIRE_JSON_PROMPTS")
        ask = Ask(
            model=model,
            messages=messages_of(self.rendered.text, must_be_json=must),
            parameters=parameters,
            feature=kit.feature,
            repeat=self.row.repeat,
        )
        self.answer = await kit.ask(ask, self.row.case)
        return output_of(self.answer, parameters)

    def _call_context(self) -> Mapping[str, Any]:
        return {"vars": self.rendered.variables, "prompt": self._prompt(), "test": self.row.test.as_json()}

    def _prompt(self) -> dict[str, Any]:
        prompt = self.row.prompt
        return {"raw": prompt.raw, "label": prompt.label, "config": dict(self.rendered.config)}

    async def _transformed(self, provider: Provider, said: ProviderOutput) -> ProviderOutput:
        options, scripts = self.row.test.options, self.run.loaded.plan.scripts
        context = {"vars": self.rendered.variables, "prompt": self._prompt()}
        output = said.output
        if provider.transform:
            output = await asyncio.to_thread(scripts.transformed, provider.transform, output, context)
        of_provider = output
        if code := options.get("transform") or options.get("postprocess"):
            whole = {**context, "metadata": dict(said.metadata)}
            output = await asyncio.to_thread(scripts.transformed, str(code), output, whole)
        return replace(said, output=output, provider_output=of_provider)

    def context(self, provider: Provider) -> GradingContext:
        """Return what assertions may look at."""
        config = self.run.loaded.config
        return GradingContext(
            prompt=self.rendered.text,
            variables=self.rendered.variables,
            test=self.row.test,
            provider=provider,
            folder=config.folder,
            env=config.env,
            filters=config.filters,
            compat=config.compat,
        )

    def _conversation(self) -> str:
        thread = self.row.test.metadata.get("conversationId")
        name = f"{self.row.column.provider.title}:{records.prompt_id(self.row.column.prompt)}"
        return f"{name}:{thread}" if thread else name

    def _remember(self, provider: Provider, said: ProviderOutput) -> None:
        """Keep a turn of the conversation, where any prompt looks at it."""
        if not any("_conversation" in column.prompt.raw for column in self.run.loaded.plan.columns):
            return
        text = self.rendered.text
        try:
            parsed = read_json(text)
        except ValueError:
            parsed = None
        last = parsed[-1] if isinstance(parsed, list) and parsed else None
        turn = {
            "prompt": parsed or text,
            "input": (last.get("content") if isinstance(last, dict) else None) or last or parsed or text,
            "output": said.output or "",
            "metadata": dict(said.metadata),
        }
        turns = self.run.conversations.setdefault(self._conversation(), [])
        turns.append(turn)
        del turns[:-TURNS_MAX]

    def _delay(self) -> int:
        written = self.run.kit.rendering.env.get("PROMPTFOO_DELAY_MS", "")
        return self.run.loaded.settings.delay_ms or (int(written) if written.isdecimal() else 0)

    def outcome(self, error: str = "") -> Outcome:
        """Put together what came of it."""
        row, record, grading = self.row, self.record, self.grading
        unknown = error
        status: Status = "unmeasured" if unknown else "passed" if record["success"] else "failed"
        reason = unknown or ("" if record["success"] else str(record.get("error") or ""))
        score = None if unknown else float(record["score"])
        whole = Mark(scorer=WHOLE, status=status, score=score, reason=reason, detail={"result": record})
        parts = tuple(_part(component) for component in (grading.components if grading else ()))
        said = self.output
        answer = self.answer if self.answer.call or self.answer.error else _answer(said, error)
        return Outcome(
            arm=row.column.title,
            case=row.case,
            repeat=row.repeat,
            status=status,
            score=score,
            marks=(whole, *parts),
            answer=answer,
            reason=reason,
            at_ms=self.run.kit.clock.unix_ns() // 1_000_000,
        )


@dataclass(slots=True)
class _Compared:
    """The cells of one row whose outputs are marked against each other: whichever is asked for first does them all."""

    run: Performing
    rows: list[Row]
    _all: "asyncio.Task[dict[int, Outcome]] | None" = None

    async def outcome(self, column: int) -> Outcome:
        if self._all is None:
            self._all = asyncio.create_task(self._perform())
        return (await asyncio.shield(self._all))[column]

    async def _perform(self) -> dict[int, Outcome]:
        cells = [_Cell(self.run, row) for row in self.rows]
        first = list(await asyncio.gather(*(cell.perform() for cell in cells)))
        outcomes = {cell.row.column.index: outcome for cell, outcome in zip(cells, first, strict=True)}
        marked = [cell for cell in cells if cell.grading is not None and cell.output is not None]
        for kind in sorted(OF_ROWS, reverse=True):
            assertion = next((each for each in self.rows[0].test.assertions if each.get("type") == kind), None)
            if assertion is not None and marked:
                outcomes |= await self._compare(assertion, marked)
        return outcomes

    async def _compare(self, assertion: Assertion, cells: list["_Cell"]) -> dict[int, Outcome]:
        outputs = [cell.output for cell in cells if cell.output is not None]
        gradings = [cell.grading for cell in cells if cell.grading is not None]
        context = cells[0].context(self.run.loaded.provider(cells[0].row))
        made = await self.run.kit.marks.compare(assertion, outputs, gradings, context)
        found = {}
        for cell, grading in zip(cells, made, strict=True):
            cell.grading = grading
            cell.record = records.graded(cell.record, grading)
            found[cell.row.column.index] = cell.failed(grading.unmeasured) if grading.unmeasured else cell.outcome()
        return found


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One cell of a row that is performed as a whole; asked for a second time, it is done by itself."""

    compared: _Compared
    column: int
    cell: _Cell

    async def perform(self) -> Outcome:
        return await self.compared.outcome(self.column)


def _across(row: Row) -> bool:
    return any(assertion.get("type") in OF_ROWS for assertion in row.test.assertions)


def given_output(value: Any) -> ProviderOutput:
    """Return an answer that was there already: text or data, or an object in the words of providers."""
    return ProviderOutput(output=value, latency_ms=0.0, cost_nusd=0)


def _answer(said: ProviderOutput | None, error: str) -> Answer:
    if said is None:
        return Answer(error=error)
    return Answer(
        text="" if said.output is None else as_text(said.output),
        error=error,
        finish=said.finish_reason,
        latency_ms=said.latency_ms,
        cost_nusd=said.cost_nusd,
        cost_status="estimated" if said.cost_nusd is not None else "unpriced",
        logprobs=said.logprobs or (),
        input_tokens=said.tokens.prompt or None,
        output_tokens=said.tokens.completion or None,
    )


def _part(component: Mapping[str, Any]) -> Mark:
    """One assertion: it is counted, and decides nothing; the whole does."""
    assertion = component.get("assertion") or {}
    score = component.get("score")
    return Mark(
        scorer=str(assertion.get("metric") or assertion.get("type") or "assertion"),
        status="passed" if component.get("pass") else "failed",
        score=float(score) if isinstance(score, int | float) else None,
        reason="" if component.get("pass") else str(component.get("reason") or ""),
        weight=0.0,
    )
