"""What one test becomes: the defaults laid under it, its scenario around it, a row for each choice of its variables."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from watchkeeper.evals.promptfoo.cases import read_test
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.files import SCHEME, Files
from watchkeeper.evals.promptfoo.model import TestCase

COMBINATIONS_MAX = 1_000_000
"""Of the variables of one test."""


def under_defaults(test: TestCase, default: TestCase) -> TestCase:
    """Lay a test over the defaults: its own values win, the default assertions come first."""
    return replace(
        test,
        variables={**default.variables, **test.variables},
        assertions=(*default.assertions, *test.assertions),
        scoring=test.scoring or default.scoring,
        threshold=default.threshold if test.threshold is None else test.threshold,
        provider=test.provider or default.provider,
        metadata={**default.metadata, **test.metadata},
        options={**default.options, **test.options},
    )


def scenario_tests(
    scenario: Any,
    default: TestCase,
    files: Files,
    place: str,
    select: Callable[[Iterator[TestCase]], Iterator[TestCase]],
) -> Iterator[TestCase]:
    """Give every test of a scenario with each of its configurations; the defaults' assertions are not in them yet.

    `select` leaves out the tests that filters leave out. As in promptfoo, the options of a configuration do not reach
    its tests, and a scenario without tests gives none.

    Raises:
        ConfigRefused: it is no scenario.
    """
    if not isinstance(scenario, dict) or not isinstance(scenario.get("config"), list | str):
        raise ConfigRefused(f"{place}: a scenario must have a list `config`.")
    configurations = files.loaded(scenario["config"])
    tests = files.loaded(scenario["tests"]) if isinstance(scenario.get("tests"), str) else scenario.get("tests")
    given = list(select(read_test(entry, files, f"{place}.tests[{at}]") for at, entry in enumerate(tests or [])))
    for index, configuration in enumerate(configurations):
        data = read_test(configuration, files, f"{place}.config[{index}]", is_default=True)
        for test in given:
            yield replace(
                test,
                description=test.description or data.description or default.description,
                variables={**default.variables, **data.variables, **test.variables},
                assertions=(*data.assertions, *test.assertions),
                scoring=test.scoring or data.scoring,
                threshold=data.threshold if test.threshold is None else test.threshold,
                provider=test.provider or data.provider,
                provider_output=test.provider_output or data.provider_output,
                metadata={**default.metadata, **data.metadata, **test.metadata},
                options={**default.options, **test.options},
            )


def combinations(variables: Mapping[str, Any], files: Files) -> Iterator[dict[str, Any]]:
    """Give every choice of the variables: of those whose value is a list of texts or a pattern of files, one at a time.

    The last variable changes fastest. A list of anything else is one value.

    Raises:
        ConfigRefused: no file matches a pattern, or there are more than COMBINATIONS_MAX.
    """
    choices = [_choices(name, value, files) for name, value in variables.items()]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > COMBINATIONS_MAX:
        raise ConfigRefused(
            f"The variables of one test have {total:,} combinations; {COMBINATIONS_MAX:,} are the most."
        )
    for chosen in itertools.product(*choices):
        yield dict(zip(variables, chosen, strict=True))


def _choices(name: str, value: Any, files: Files) -> list[Any]:
    if isinstance(value, str) and value.startswith(SCHEME):
        named = value.removeprefix(SCHEME)
        found = [
            f"{SCHEME}{path.relative_to(files.folder)}" for path in files.matching(named) if _is_below(path, files)
        ]
        if not found:
            found = [f"{SCHEME}{path}" for path in files.matching(named)]
        if not found:
            raise ConfigRefused(f"No file matches {value}, the value of the variable {name}.")
        return found
    if isinstance(value, list) and value and isinstance(value[0], str):
        return value
    return [value]


def _is_below(path: Any, files: Files) -> bool:
    return bool(path.is_relative_to(files.folder))
