"""Turns a configuration into rows: test by test, repeat by repeat, choice by choice, and across them the columns."""

import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from watchkeeper.evals.promptfoo.errors import CaseFailed, ConfigRefused, NothingSelected
from watchkeeper.evals.promptfoo.expansion import combinations, scenario_tests, under_defaults
from watchkeeper.evals.promptfoo.files import Files
from watchkeeper.evals.promptfoo.model import Config, Prompt, Provider, TestCase
from watchkeeper.evals.promptfoo.providers import is_allowed
from watchkeeper.evals.promptfoo.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which part of a configuration is run; patterns are searched for anywhere in the text."""

    pattern: str = ""
    """In a test's description."""
    metadata: tuple[str, str] | None = None
    """Key and a part of its value."""
    first: int | None = None
    sample: int | None = None
    seed: int = 0
    """Of the sample: the same one gives the same tests."""
    range: tuple[int | None, int | None] | None = None
    """Positions of tests, from (included) and to (excluded)."""
    providers: str = ""
    """In an id or label."""
    prompts: str = ""
    """In a label or id."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A provider with a prompt: what promptfoo shows as one column, and here is one arm."""

    index: int
    """`promptIdx`."""
    provider: Provider
    prompt: Prompt
    title: str
    """Unique among the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell of the table: one test under one column, to be asked once."""

    test_index: int
    """`testIdx`: counts tests, repeats and choices."""
    repeat: int
    case: str
    """The same for every repeat and column of one choice of one test."""
    test: TestCase
    """With the defaults in it, and one choice of variables."""
    column: Column
    prompt: Prompt
    """The column's, with the test's prefix and suffix."""
    error: str = ""
    """Why it cannot be run; its result is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A configuration made ready to be run; rows are made as they are asked for."""

    config: Config
    columns: tuple[Column, ...]
    files: Files
    scripts: Scripts
    tests: Callable[[], Iterator[TestCase]]
    """Reads the tests anew."""
    scenarios: tuple[Any, ...] = ()
    repeats: int = 1
    filters: Filters = field(default_factory=Filters)
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    def rows(self) -> Iterator[Row]:
        """Give every row, in promptfoo's order; one at a time, so that any number of tests fits.

        A test that cannot be made ready gives one row for each column, with the reason.

        Raises:
            NothingSelected: the filters leave no test.
            ConfigRefused: a file of tests cannot be read.
        """
        test_index = 0
        for number, test in enumerate(self.cases()):
            whole = replace(under_defaults(test, self.config.default_test), provider=self._provider(test))
            choices, error = self._choices(whole)
            for repeat in range(self.repeats):
                for choice, variables in enumerate(choices):
                    case = str(number + 1) if len(choices) == 1 else f"{number + 1}.{choice + 1}"
                    one = replace(whole, variables=dict(variables))
                    for column in self.columns:
                        yield Row(
                            test_index=test_index,
                            repeat=repeat,
                            case=case,
                            test=one,
                            column=column,
                            prompt=_around(column.prompt, one, self.config.default_test),
                            error=error,
                        )
                    test_index += 1

    def cases(self) -> Iterator[TestCase]:
        """Give the tests that the filters leave, with scenarios in them, before defaults are laid under them.

        Raises:
            NothingSelected: there are none.
        """
        found = False
        for test in self._everything():
            found = True
            yield test
        if not found:
            raise NothingSelected("The filters leave no test; nothing was asked.")

    def _everything(self) -> Iterator[TestCase]:
        is_empty = True
        for test in self._selected(self.tests()):
            is_empty = False
            yield test
        default = self.config.default_test
        place = self.config.path.name
        for index, scenario in enumerate(self.scenarios):
            yield from scenario_tests(scenario, default, self.files, f"{place}: scenarios[{index}]", self._selected)
        if (
            is_empty
            and not self.scenarios
            and self.filters == Filters(providers=self.filters.providers, prompts=self.filters.prompts)
        ):
            yield TestCase(place=place)

    def _selected(self, tests: Iterator[TestCase]) -> Iterator[TestCase]:
        want = self.filters
        if want.metadata:
            key, part = want.metadata
            tests = (test for test in tests if _has(test.metadata.get(key), part))
        if want.pattern:
            pattern = re.compile(want.pattern)
            tests = (test for test in tests if test.description and pattern.search(test.description))
        if want.range:
            first, last = want.range
            tests = (test for at, test in enumerate(tests) if at >= (first or 0) and (last is None or at < last))
        if want.first is not None:
            first_few = want.first
            tests = (test for at, test in zip(range(first_few), tests, strict=False) if at < first_few)
        if want.sample is not None:
            everything = list(tests)
            chance = random.Random(want.seed)  # noqa: S311 - a sample of tests is no secret
            chosen = chance.sample(everything, min(want.sample, len(everything)))
            tests = iter(chosen)
        return tests

    def _provider(self, test: TestCase) -> Any:
        return test.provider or self.config.default_test.provider

    def _choices(self, test: TestCase) -> tuple[list[dict[str, Any]], str]:
        """The choices of a test's variables, or why there are none."""
        variables = dict(test.variables)
        try:
            if code := test.options.get("transformVars"):
                context = {"prompt": {}, "uuid": str(uuid.uuid4()), "vars": variables}
                made = self.scripts.transformed(str(code), variables, context, named="vars")
                if not isinstance(made, dict):
                    raise CaseFailed("Transform function did not return a valid object")
                variables |= made
            if test.options.get("disableVarExpansion") or is_on(self.env, "PROMPTFOO_DISABLE_VAR_EXPANSION"):
                return [variables], ""
            return list(combinations(variables, self.files)), ""
        except (CaseFailed, ConfigRefused) as error:
            return [variables], str(error)


def columns_of(providers: tuple[Provider, ...], prompts: tuple[Prompt, ...], filters: Filters) -> tuple[Column, ...]:
    """Put providers and prompts together: every prompt that a provider takes, provider by provider.

    Raises:
        NothingSelected: the filters leave none.
    """
    chosen = [
        provider
        for provider in providers
        if not filters.providers
        or any(re.search(filters.providers, name) for name in (provider.id, provider.label) if name)
    ]
    asked = [
        prompt
        for prompt in prompts
        if not filters.prompts or any(re.search(filters.prompts, name) for name in (prompt.id, prompt.label) if name)
    ]
    pairs = [(provider, prompt) for provider in chosen for prompt in asked if is_allowed(provider, prompt, providers)]
    if not pairs:
        raise NothingSelected("No provider takes any of the prompts that the filters leave; nothing was asked.")
    titles: dict[str, int] = {}
    columns = []
    for index, (provider, prompt) in enumerate(pairs):
        title = f"[{provider.title}] {prompt.label}"
        titles[title] = titles.get(title, 0) + 1
        unique = title if titles[title] == 1 else f"{title} ({titles[title]})"
        columns.append(Column(index=index, provider=provider, prompt=prompt, title=unique))
    return tuple(columns)


def is_on(env: Mapping[str, str], name: str) -> bool:
    """Tell whether a switch of the environment is on, as promptfoo reads it."""
    return env.get(name, "").strip().lower() in ("1", "true", "yes", "yup", "yeppers")


def _around(prompt: Prompt, test: TestCase, default: TestCase) -> Prompt:
    """An empty prefix of a test gives way to that of the defaults, as in promptfoo."""
    before, after = ((test.options.get(key) or default.options.get(key) or "") for key in ("prefix", "suffix"))
    return replace(prompt, raw=f"{before}{prompt.raw}{after}") if before or after else prompt


def _has(value: Any, part: str) -> bool:
    return (
        any(part in str(item) for item in value)
        if isinstance(value, list)
        else value is not None and part in str(value)
    )
