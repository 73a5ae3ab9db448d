"""Shows every value in force with where it came from; secrets are not shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from watchkeeper.config.load import Loaded
from watchkeeper.config.problems import Place, dotted
from watchkeeper.config.schema import SECRET_KEYS

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force."""

    name: str
    """Where it stands, such as `providers.openai.base_url`."""
    value: str
    """As text; `set` or `not set` for a secret."""
    source: str
    """`watchkeeper.yaml:14`, the same with `, environment NAME` or `, file PATH` behind it, or `default`."""


def explain(loaded: Loaded) -> list[Setting]:
    """List every value in force, in the order of the schema."""
    return [
        Setting(dotted(place), _shown(place, value), loaded.sources.get(place, "default"))
        for place, value in _leaves(loaded.config, ())
    ]


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    match value:
        case BaseModel():
            for name, field in type(value).model_fields.items():
                yield from _leaves(getattr(value, name), (*place, field.alias or name))
        case dict() if value:
            for name, item in value.items():
                yield from _leaves(item, (*place, name))
        case list() if value:
            for index, item in enumerate(value):
                yield from _leaves(item, (*place, index))
        case _:
            yield place, value


def _shown(place: Place, value: Any) -> str:
    if place[-1] in SECRET_KEYS:
        return "set" if value else "not set"
    if value is None or value in ("", {}, []):
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return _PASSWORD.sub(r"\1:***@", str(value))
