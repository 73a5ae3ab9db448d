"""Turns a configuration into a suite and releases of our own, and names what could not be turned.

OUT/suites/FEATURE/NAME.yaml            the suite; its cases stand beside it, in NAME.cases.jsonl
OUT/prompts/FEATURE/release.yaml        the first column as a release
OUT/prompts.2/FEATURE/release.yaml      the second one, and so on
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from watchkeeper.evals.promptfoo.documents import as_text, write_json
from watchkeeper.evals.promptfoo.errors import CaseFailed, ConfigRefused
from watchkeeper.evals.promptfoo.files import SCHEME
from watchkeeper.evals.promptfoo.loading import Loaded
from watchkeeper.evals.promptfoo.own_scorers import scorer_of
from watchkeeper.evals.promptfoo.plan import Column, Row
from watchkeeper.evals.promptfoo.rendering import Rendering
from watchkeeper.evals.promptfoo.requests import messages_of, parameters_of

LEFT_MAX = 1_000
"""Things that are named; all are counted."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VARIABLE = re.compile(r"{[{%]-?\s*(?:if|for\s+\w+\s+in)?\s*([A-Za-z_]\w*)")
_WORDS = frozenset({"if", "for", "else", "elif", "endif", "endfor", "set", "raw", "endraw", "env", "loop", "not"})
_OPTIONS = ("transform", "postprocess", "transformVars", "storeOutputAs", "rubricPrompt", "prefix", "suffix")


@dataclass(frozen=True, slots=True)
class Left:
    """Something that has no counterpart."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    files: tuple[Path, ...]
    cases: int
    left: tuple[Left, ...]
    """The first LEFT_MAX, each said once for each place."""
    left_total: int


def convert(loaded: Loaded, rendering: Rendering, out: Path, *, feature: str, name: str) -> Converted:
    """Write the suite and the releases; a file that is there is not touched.

    Raises:
        ConfigRefused: a file is there already, cannot be written, or a name is none. Nothing was written then.
    """
    for word in (feature, name):
        if not _NAME.fullmatch(word):
            raise ConfigRefused(
                f"`{word}` is no name: lower-case letters, digits, dots and hyphens; nothing was written."
            )
    suite = out / "suites" / feature / f"{name}.yaml"
    cases = suite.with_name(f"{name}.cases.jsonl")
    releases = {
        column: out / ("prompts" if not column.index else f"prompts.{column.index + 1}") / feature / "release.yaml"
        for column in loaded.plan.columns
    }
    paths = (suite, cases, *releases.values())
    if there := [path for path in paths if path.exists()]:
        raise ConfigRefused(f"{there[0]} is there already; nothing was written. Move it away, or name another feature.")
    return _Writing(loaded, rendering, feature).write(suite, cases, releases)


class _Writing:
    def __init__(self, loaded: Loaded, rendering: Rendering, feature: str) -> None:
        self._loaded = loaded
        self._rendering = rendering
        self._feature = feature
        self._left: dict[Left, None] = {}
        self._left_total = 0

    def write(self, suite: Path, cases: Path, releases: Mapping[Column, Path]) -> Converted:
        config, plan = self._loaded.config, self._loaded.plan
        count = 0
        try:
            suite.parent.mkdir(parents=True, exist_ok=True)
            with cases.open("w", encoding="utf-8") as file:
                for case in self._cases():
                    file.write(write_json(case) + "\n")
                    count += 1
            whole: dict[str, Any] = {"feature": self._feature, "cases": cases.name}
            whole |= {"description": config.description} if config.description else {}
            whole |= {"repeats": plan.repeats} if plan.repeats > 1 else {}
            _dump(suite, whole)
            for column, path in releases.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                _dump(path, self._release(column))
        except OSError as error:
            raise ConfigRefused(f"{error.filename} cannot be written: {error.strerror}.") from None
        for name, _ in config.derived_metrics:
            self._leave(config.path.name, f"the derived metric {name}")
        for name in config.filters:
            self._leave(config.path.name, f"the template filter {name}")
        for name in config.extensions:
            self._leave(config.path.name, f"the extension {name}")
        return Converted(
            files=(suite, cases, *releases.values()), cases=count, left=tuple(self._left), left_total=self._left_total
        )

    def _cases(self) -> Iterator[dict[str, Any]]:
        """One for each choice of each test: the rows of the first column, asked for the first time."""
        for row in self._loaded.plan.rows():
            if row.column.index == 0 and row.repeat == 0:
                if row.error:
                    self._leave(row.test.place, row.error)
                    continue
                yield self._case(row)

    def _case(self, row: Row) -> dict[str, Any]:
        test = row.test
        scorers = [scorer for assertion in test.assertions if (scorer := self._scorer(assertion, test.place))]
        seen: dict[str, int] = {}
        for scorer in scorers:
            title = str(scorer.get("name") or scorer["type"])
            seen[title] = seen.get(title, 0) + 1
            if seen[title] > 1:
                scorer["name"] = f"{title}-{seen[title]}"
        for key in _OPTIONS:
            if test.options.get(key):
                self._leave(test.place, f"`options.{key}`")
        if test.scoring:
            self._leave(test.place, "`assertScoringFunction`")
        case: dict[str, Any] = {"id": f"t{row.case}", "variables": self._variables(row)}
        tags = [f"{key}:{as_text(value)}" for key, value in test.metadata.items() if isinstance(value, str | int)]
        optional = {
            "tags": tags,
            "answer": None if test.provider_output is None else as_text(test.provider_output),
            "scorers": scorers,
            "threshold": test.threshold,
        }
        return case | {key: value for key, value in optional.items() if value not in (None, [])}

    def _variables(self, row: Row) -> dict[str, Any]:
        variables = dict(row.test.variables)
        for name, value in variables.items():
            if isinstance(value, str) and value.startswith(SCHEME):
                try:
                    variables[name] = self._rendering.read(name, value, row.prompt, variables, row.column.provider)
                except (CaseFailed, ConfigRefused) as error:
                    self._leave(row.test.place, f"the variable {name}: {error}")
        return variables

    def _scorer(self, assertion: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        try:
            return scorer_of(assertion)
        except CaseFailed as error:
            self._leave(place, str(error))
            return None

    def _release(self, column: Column) -> dict[str, Any]:
        provider, prompt, loaded = column.provider, column.prompt, self._loaded
        target = loaded.column_target(column)
        if target.kind != "gateway":
            self._leave(provider.place, f"the provider {provider.title} is no model; `default` stands in its place")
        if prompt.function:
            self._leave(prompt.place, f"the prompt {prompt.label[:80]} is made by a function")
        if provider.transform:
            self._leave(provider.place, f"the transform of {provider.title}")
        parameters = parameters_of({**provider.config, **prompt.config})
        messages = _messages(prompt.raw)
        tools = parameters.pop("tools", None)
        if tools is not None:
            self._leave(provider.place, f"the tools of {provider.title}; write them under `tools`")
        names = sorted(set(_VARIABLE.findall(write_json(messages))) - _WORDS)
        release: dict[str, Any] = {
            "feature": self._feature,
            "model": (loaded.model(target) or target.models[0]) if target.kind == "gateway" else "default",
            "messages": messages,
            "variables": {name: {"type": "string"} for name in names},
        }
        return release | ({"parameters": parameters} if parameters else {})

    def _leave(self, place: str, reason: str) -> None:
        self._left_total += 1
        if len(self._left) < LEFT_MAX:
            self._left[Left(place, reason)] = None


def _messages(raw: str) -> list[dict[str, Any]]:
    """A template that would only be JSON once it is rendered stays one text."""
    try:
        return [dict(message) for message in messages_of(raw)]
    except CaseFailed:
        return [{"role": "user", "content": raw}]


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=120), "utf-8")
