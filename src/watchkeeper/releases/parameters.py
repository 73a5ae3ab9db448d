"""What is wrong with the parameters of a recipe, as far as it is known what they must be."""

from collections.abc import Callable, Mapping
from typing import Any

from watchkeeper.config.problems import did_you_mean
from watchkeeper.releases.checking import Mistake

_SAID_ELSEWHERE = {
    "model": "the release says it under `model`",
    "messages": "the release says them under `messages`",
    "tools": "the release says them under `tools`",
    "stream": "the caller says it",
    "stream_options": "the caller says them",
    "user": "the caller says it",
}
_UNTYPED = (
    "audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "min_p", "modalities", "parallel_tool_calls",
    "prediction", "presence_penalty", "prompt_cache_key", "reasoning", "reasoning_effort", "repetition_penalty",
    "response_format", "safety_identifier", "service_tier", "store", "thinking", "tool_choice", "top_k",
    "top_logprobs", "verbosity", "web_search_options",
)  # fmt: skip
"""Known by name; upstreams say what they may be."""


def mistakes_in_parameters(parameters: Mapping[str, Any]) -> list[Mistake]:
    """Name what no upstream would take or what is not a parameter's to say; an unknown name is only doubted."""
    found: list[Mistake] = []
    for name, value in parameters.items():
        place = f"parameters.{name}"
        if name in _SAID_ELSEWHERE:
            found.append(Mistake(place, f"it is no parameter: {_SAID_ELSEWHERE[name]}"))
        elif name in _TYPES:
            fits, wanted = _TYPES[name]
            if value is not None and not fits(value):
                found.append(Mistake(place, f"it must be {wanted}"))
        elif name not in _UNTYPED:
            near = did_you_mean(name, [*_TYPES, *_UNTYPED])
            found.append(Mistake(place, f"it is passed on, but nothing is known of it{near}", is_warning=True))
    return found


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: object) -> bool:
    return _is_integer(value) and isinstance(value, int) and value > 0


def _is_stop(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


_COUNT = (_is_positive, "an integer above 0")
_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (lambda value: _is_number(value, 2), "a number from 0 to 2"),
    "top_p": (lambda value: _is_number(value, 1), "a number from 0 to 1"),
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "n": _COUNT,
    "stop": (_is_stop, "text, or a list of texts"),
    "seed": (_is_integer, "an integer"),
}
