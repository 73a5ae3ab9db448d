"""Says in plain words what the schema found wrong, with the nearest known key or value."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from watchkeeper import __version__
from watchkeeper.config.problems import Place, did_you_mean
from watchkeeper.config.schema import PLANNED, SECRET_KEYS, Config

_WORDS = {
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "missing": "is missing and required",
}
_SHOWN_MAX = 60


def place_of(error: ErrorDetails) -> Place:
    """Return where the mistake is; pydantic marks a mapping's key by a last step `[key]`."""
    return error["loc"][:-1] if _is_about_key(error) else error["loc"]


def words(error: ErrorDetails, model: type[BaseModel] = Config) -> str:
    """Say what is wrong at one place of what a model describes."""
    place, kind, given, context = place_of(error), error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(place, model)
    if _is_about_key(error):
        return "is not a name; use letters, digits, `.`, `_` and `-`, at most 64, and no blanks"
    if place[-1:] and place[-1] in SECRET_KEYS and kind != "value_error":
        return "must be text, `${NAME}` or `{file: PATH}`"
    if kind == "literal_error":
        allowed = [part.strip("'") for part in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        return f"must be {_choice(allowed)}, not `{_shown(given)}`"
    if kind == "value_error":
        return f"{context['error']}"
    if kind == "too_short":
        return f"must have at least {context.get('min_length')} entry"
    if kind in ("too_long", "string_too_long"):
        return f"must not be longer than {context.get('max_length')}"
    if kind == "string_pattern_mismatch":
        return "must be one line without control characters"
    said = _WORDS.get(kind, error["msg"])
    if kind == "missing":
        return said
    hint = " (quote it to make it text)" if kind == "string_type" and not isinstance(given, list | dict | None) else ""
    return f"{said}, not {_kind_of(given)}{hint}"


def _is_about_key(error: ErrorDetails) -> bool:
    return bool(error["loc"]) and error["loc"][-1] == "[key]"


def _unknown_key(place: Place, model: type[BaseModel]) -> str:
    *around, key = place
    pattern = tuple("*" if index == 1 else str(step) for index, step in enumerate(around))
    if model is Config and key in PLANNED.get(pattern, ()):
        return f"this key is not supported by version {__version__} yet; remove it"
    return f"unknown key{did_you_mean(str(key), known_keys(tuple(around), model))}"


def known_keys(place: Place, model: type[BaseModel] = Config) -> list[str]:
    """Return the keys that a model knows in the mapping at a place."""
    steps = iter(place)
    for step in steps:
        field = next((field for name, field in model.model_fields.items() if (field.alias or name) == step), None)
        annotation = field.annotation if field else None
        if get_origin(annotation) in (Union, UnionType):
            annotation = get_args(annotation)[0]
        elif get_args(annotation):
            annotation = get_args(annotation)[-1]
            next(steps, None)
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def _choice(allowed: list[str]) -> str:
    quoted = [f"`{word}`" for word in allowed]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _kind_of(given: Any) -> str:
    match given:
        case None:
            return "empty"
        case bool():
            return f"`{str(given).lower()}`"
        case int() | float():
            return f"the number {_shown(given)}"
        case str():
            return f"the text `{_shown(given)}`"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"`{_shown(given)}`"


def _shown(given: Any) -> str:
    text = str(given)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."
