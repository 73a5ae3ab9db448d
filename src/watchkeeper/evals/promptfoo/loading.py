"""Reads a promptfoo configuration: what it says, the rows it comes to, and what of it can be run here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.cases import read_test, read_tests
from watchkeeper.evals.promptfoo.documents import as_text, follow_references
from watchkeeper.evals.promptfoo.documents import load as load_document
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.files import Files
from watchkeeper.evals.promptfoo.javascript import Engine
from watchkeeper.evals.promptfoo.keys import Remark, remarks
from watchkeeper.evals.promptfoo.model import Compat, Config, Provider, TestCase
from watchkeeper.evals.promptfoo.plan import Column, Filters, Plan, Row, columns_of
from watchkeeper.evals.promptfoo.prompts import read_prompts
from watchkeeper.evals.promptfoo.providers import Target, read_providers, target_of
from watchkeeper.evals.promptfoo.python import PythonRunner
from watchkeeper.evals.promptfoo.report import Report, Terms, make_report
from watchkeeper.evals.promptfoo.requests import parameters_of
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, Scripts

FORMATS = (".yaml", ".yml", ".json")
REPEATS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; it wins over the file."""

    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The process's: templates see it as `env`, and promptfoo's switches are read from it."""
    compat: Compat = "latest"
    provider_map: Mapping[str, str] = field(default_factory=dict[str, str])
    """Model or route of the gateway by id or label of a provider."""
    models: frozenset[str] | None = None
    """What the gateway has; None: nobody knows, and the first name of each provider is taken."""
    grader: str = ""
    """Model that grades where the file names none."""
    allow_exec: bool = False
    allow_network: bool = False
    """Whether `webhook` assertions are sent."""
    ignore_extensions: bool = False
    filters: Filters = field(default_factory=Filters)
    repeats: int | None = None
    prefix: str = ""
    suffix: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Laid under the variables of every test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the file wants to be run."""

    concurrency: int = 4
    delay_ms: int = 0
    timeout_ms: int = 0
    """Of one case; 0: none."""
    total_timeout_ms: int = 0
    is_cached: bool = True
    outputs: tuple[str, ...] = ()
    """Paths that results are written to, from where the command is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that has been read as a whole."""

    config: Config
    plan: Plan
    report: Report
    settings: Settings
    options: Options

    def target(self, row: Row) -> Target:
        """Say what a row asks: the provider of its test, where that names one, else its column's."""
        return target_of(self.provider(row), self.options.provider_map, allow_commands=self.options.allow_exec)

    def column_target(self, column: Column) -> Target:
        """Say what a column asks."""
        return target_of(column.provider, self.options.provider_map, allow_commands=self.options.allow_exec)

    def provider(self, row: Row) -> Provider:
        """Return the provider that a row asks."""
        if not row.test.provider:
            return row.column.provider
        return read_providers(row.test.provider, self.plan.files, self.options.env, row.test.place)[0]

    def grader(self, provider: Any) -> tuple[str, dict[str, Any]]:
        """Return the gateway's model and the parameters of who grades; empty where there is none.

        Args:
            provider: As an assertion names it: an id, an entry as in `providers`, `{text: ...}`; None for the default.

        Raises:
            ConfigRefused: it is no provider.
        """
        named = provider.get("text", provider) if isinstance(provider, dict) else provider
        if not named:
            return self.options.grader, {}
        found = read_providers(named, self.plan.files, self.options.env, self.config.path.name)[0]
        target = target_of(found, self.options.provider_map)
        return self.model(target) if target.kind == "gateway" else "", parameters_of(found.config)

    def grades(self, provider: Any) -> bool:
        """Tell whether the gateway has somebody who grades."""
        try:
            return bool(self.grader(provider)[0])
        except ConfigRefused:
            return False

    def model(self, target: Target) -> str:
        """Return the gateway's name for a target: the first that it knows."""
        known = self.options.models
        return next((name for name in target.models if known is None or name in known), "")


def load(path: Path, options: Options | None = None) -> Loaded:
    """Read a configuration and all that it names.

    Raises:
        ConfigRefused: it cannot be read, or has nothing that could be asked; the message says where.
        NothingSelected: the filters leave nothing.
    """
    given = options or Options()
    data, notes = _read(path)
    env = {**given.env, **{key: as_text(value) for key, value in (data.get("env") or {}).items()}}
    files = Files(path.parent, env)
    where = path.name
    filters_js = data.get("nunjucksFilters") or {}
    config = Config(
        path=path,
        data=data,
        prompts=read_prompts(data.get("prompts") or ["{{prompt}}"], files, env, where),
        providers=read_providers(data.get("providers"), files, env, where),
        default_test=_default_test(data, files, given, where),
        description=as_text(data.get("description") or ""),
        env=env,
        filters={name: str(files.path(as_text(file))) for name, file in filters_js.items()},
        derived_metrics=tuple(
            (as_text(metric.get("name")), as_text(metric.get("value")))
            for metric in data.get("derivedMetrics") or []
            if isinstance(metric, dict)
        ),
        extensions=() if given.ignore_extensions else tuple(map(as_text, data.get("extensions") or [])),
        compat=given.compat,
    )
    scripts = Scripts(folder=path.parent, engine=Engine(), python=PythonRunner(env))
    scenarios = files.loaded(data.get("scenarios")) or []
    tests = data.get("tests")
    wanted = _number(data.get("evaluateOptions"), "repeat") or _number(data.get("commandLineOptions"), "repeat") or 1
    repeats = given.repeats or wanted
    if not 1 <= repeats <= REPEATS_MAX:
        raise ConfigRefused(f"{where}: every test would be asked {repeats} times; {REPEATS_MAX:,} are the most.")

    def read_again() -> Iterator[TestCase]:
        return read_tests(tests, files, scripts, env, where)

    plan = Plan(
        config=config,
        columns=columns_of(config.providers, config.prompts, given.filters),
        files=files,
        scripts=scripts,
        tests=read_again,
        scenarios=tuple(item for each in scenarios for item in (each if isinstance(each, list) else [each])),
        repeats=repeats,
        filters=given.filters,
        env=env,
    )
    loaded = Loaded(config=config, plan=plan, report=Report(), settings=_settings(data), options=given)
    terms = Terms(
        target=loaded.target,
        is_known=lambda target: bool(loaded.model(target)),
        grades=loaded.grades,
        allow_network=given.allow_network,
    )
    report = make_report(plan, notes, terms)
    return Loaded(config=config, plan=plan, report=report, settings=loaded.settings, options=given)


def _read(path: Path) -> tuple[dict[str, Any], list[Remark]]:
    """The file with its references followed and old names replaced, and what is strange about it."""
    if path.suffix in JAVASCRIPT_FILES:
        raise ConfigRefused(
            f"{path} is a program, and programs are not run here; have promptfoo print it as YAML, or write it as YAML."
        )
    if path.suffix not in FORMATS:
        raise ConfigRefused(f"{path}: a configuration ends with {', '.join(FORMATS)}.")
    document = load_document(path)
    if not isinstance(document.data, dict):
        raise ConfigRefused(f"{path}: a configuration must be a mapping.")
    notes = [
        Remark(
            remark.place, f"{remark.message} (line {line})" if (line := document.line(remark.place)) else remark.message
        )
        for remark in remarks(document.data)
    ]
    data = follow_references(document.data, path.parent)
    if "targets" in data:
        data = {**{key: value for key, value in data.items() if key != "targets"}, "providers": data["targets"]}
    return data, notes


def _default_test(data: Mapping[str, Any], files: Files, options: Options, place: str) -> TestCase:
    written = data.get("defaultTest") or {}
    content = files.loaded(written) if isinstance(written, str) else written
    if not isinstance(content, dict):
        raise ConfigRefused(f"{place}: `defaultTest` must be a mapping, or name a file that holds one.")
    added = {"prefix": options.prefix, "suffix": options.suffix}
    whole = {
        **content,
        "vars": {**options.variables, **content["vars"]}
        if isinstance(content.get("vars"), dict)
        else content.get("vars") or dict(options.variables),
        "options": {**{key: value for key, value in added.items() if value}, **(content.get("options") or {})},
        "metadata": content.get("metadata") or data.get("metadata") or {},
    }
    return read_test(whole, files, f"{place}: defaultTest", is_default=True)


def _settings(data: Mapping[str, Any]) -> Settings:
    evaluate, command = data.get("evaluateOptions"), data.get("commandLineOptions")
    outputs = data.get("outputPath") or []
    cache = (evaluate or {}).get("cache", (command or {}).get("cache", True))
    return Settings(
        concurrency=_number(evaluate, "maxConcurrency") or _number(command, "maxConcurrency") or 4,
        delay_ms=_number(evaluate, "delay") or _number(command, "delay") or 0,
        timeout_ms=_number(evaluate, "timeoutMs") or 0,
        total_timeout_ms=_number(evaluate, "maxEvalTimeMs") or 0,
        is_cached=cache is not False,
        outputs=tuple(
            as_text(path).removeprefix("file://") for path in ([outputs] if isinstance(outputs, str) else outputs)
        ),
    )


def _number(options: Any, key: str) -> int | None:
    value = options.get(key) if isinstance(options, dict) else None
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
