"""Which keys a configuration may have; what is none of them is named, never passed over."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from watchkeeper.config.problems import Place, did_you_mean, dotted

_TEST = frozenset(
    {
        "description",
        "vars",
        "provider",
        "providerOutput",
        "assert",
        "assertScoringFunction",
        "threshold",
        "metadata",
        "options",
        "providers",
        "prompts",
    }
)
_OPTIONS = frozenset(
    {
        "prefix",
        "suffix",
        "provider",
        "rubricPrompt",
        "factuality",
        "transform",
        "postprocess",
        "transformVars",
        "storeOutputAs",
        "disableVarExpansion",
        "disableConversationVar",
        "disableDefaultAsserts",
        "runSerially",
        "repeat",
    }
)
_ASSERTION = frozenset(
    {
        "type",
        "value",
        "threshold",
        "weight",
        "metric",
        "provider",
        "rubricPrompt",
        "config",
        "transform",
        "contextTransform",
        "assert",
        "normalizeUnicode",
    }
)
_PROVIDER = frozenset({"id", "label", "config", "prompts", "transform", "delay", "env", "inputs"})
_EVALUATE = frozenset(
    {
        "maxConcurrency",
        "repeat",
        "delay",
        "cache",
        "timeoutMs",
        "maxEvalTimeMs",
        "showProgressBar",
        "generateSuggestions",
        "interactiveProviders",
        "eventSource",
        "isRedteam",
    }
)
_TOP = frozenset(
    {
        "$schema",
        "description",
        "tags",
        "prompts",
        "providers",
        "targets",
        "tests",
        "defaultTest",
        "scenarios",
        "outputPath",
        "sharing",
        "nunjucksFilters",
        "env",
        "derivedMetrics",
        "extensions",
        "metadata",
        "redteam",
        "writeLatestResults",
        "tracing",
        "evaluateOptions",
        "commandLineOptions",
        "assertionTemplates",
        "plugins",
        "strategies",
    }
)
WITHOUT_EFFECT = {
    "sharing": "nothing is shared with another service",
    "writeLatestResults": "runs are kept by Watchkeeper",
    "tracing": "spans of calls come from Watchkeeper's own traces",
}
"""Keys that mean nothing here, and why."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in the file that has no effect, or may not mean what it seems to."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.place)}: {self.message}" if self.place else self.message


def remarks(data: Mapping[str, Any]) -> Iterator[Remark]:
    """Name every key that is unknown, and those that have no effect here."""
    anchors = [key for key, value in data.items() if key not in _TOP and _looks_like_anchors(key, value)]
    yield from _unknown({key: value for key, value in data.items() if key not in anchors}, _TOP, ())
    for key, why in WITHOUT_EFFECT.items():
        if data.get(key):
            yield Remark((key,), f"has no effect: {why}")
    if isinstance(options := data.get("evaluateOptions"), dict):
        yield from _unknown(options, _EVALUATE, ("evaluateOptions",))
    if isinstance(test := data.get("defaultTest"), dict):
        yield from _in_test(test, ("defaultTest",))
    for index, test in enumerate(_listed(data.get("tests"))):
        if isinstance(test, dict) and "path" not in test:
            yield from _in_test(test, ("tests", index))
    for name in ("providers", "targets"):
        for index, provider in enumerate(_listed(data.get(name))):
            if isinstance(provider, dict) and "id" in provider:
                yield from _unknown(provider, _PROVIDER, (name, index))
    for index, scenario in enumerate(_listed(data.get("scenarios"))):
        if isinstance(scenario, dict):
            yield from _unknown(scenario, frozenset({"description", "config", "tests"}), ("scenarios", index))


def _in_test(test: Mapping[str, Any], place: Place) -> Iterator[Remark]:
    yield from _unknown(test, _TEST, place)
    if isinstance(variables := test.get("vars"), dict) and "assert" in variables:
        yield Remark((*place, "vars", "assert"), "stands among the variables; it was probably meant one level up")
    if isinstance(options := test.get("options"), dict):
        yield from _unknown(options, _OPTIONS, (*place, "options"))
    for index, assertion in enumerate(_listed(test.get("assert"))):
        if isinstance(assertion, dict):
            yield from _unknown(assertion, _ASSERTION, (*place, "assert", index))


def _unknown(given: Mapping[str, Any], known: frozenset[str], place: Place) -> Iterator[Remark]:
    for key in given:
        if key not in known and key != "$ref":
            yield Remark((*place, key), f"unknown key, without effect{did_you_mean(key, sorted(known))}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _looks_like_anchors(key: str, value: Any) -> bool:
    """Files keep what they repeat under keys of their own, which begin with a dot, an underscore or `x-`."""
    return key.startswith((".", "_", "x-")) and isinstance(value, dict | list)
