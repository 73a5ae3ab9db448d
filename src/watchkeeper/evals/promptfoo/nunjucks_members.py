"""What templates of Nunjucks find in values: members, the common methods of JavaScript, and filters."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.values import number, same, text, trim, truth, words

_TEXT_MAX = 10_000_000


def member(value: Any, name: Any, absent: Any) -> Any:
    """Return a member of an object, an item of a list, a letter of a text, or a method; `absent` where there is none.

    Nothing of Python can be reached: only what is looked up here.
    """
    if isinstance(value, Mapping):
        found = value.get(name, value.get(text(name), absent)) if isinstance(name, str | int | float) else absent
        return found if found is not absent else _bound(_OBJECT, value, name, absent)
    if isinstance(value, str | list | tuple):
        if name == "length":
            return len(value)
        index = number(name) if not isinstance(name, bool) else -1.0
        if index.is_integer() and 0 <= index < len(value):
            return value[int(index)]
        return _bound(_TEXT if isinstance(value, str) else _LIST, value, name, absent)
    if isinstance(name, str) and not name.startswith("_") and type(value).__module__.startswith("jinja2"):
        return getattr(value, name, absent)
    return _bound(_NUMBER, value, name, absent) if isinstance(value, int | float) else absent


def _bound(methods: Mapping[str, Callable[..., Any]], value: Any, name: Any, absent: Any) -> Any:
    if not isinstance(name, str) or name not in methods:
        return absent
    method = methods[name]
    return lambda *arguments: method(value, *arguments)


def _slice(value: Any, start: Any = 0, end: Any = None) -> Any:
    return value[int(number(start)) : None if end is None else int(number(end))]


def _substring(value: str, start: Any = 0, end: Any = None) -> str:
    places = [min(max(int(number(at)), 0), len(value)) for at in (start, len(value) if end is None else end)]
    return value[min(places) : max(places)]


def _padded(value: str, width: Any, filling: str, at_start: bool) -> str:
    missing = min(int(number(width)), _TEXT_MAX) - len(value)
    if missing <= 0 or not filling:
        return value
    padding = (filling * (missing // len(filling) + 1))[:missing]
    return padding + value if at_start else value + padding


def _repeated(value: str, times: Any) -> str:
    count = int(number(times))
    if count < 0 or count * len(value) > _TEXT_MAX:
        raise ValueError("it repeats a text too often")
    return value * count


_TEXT: dict[str, Callable[..., Any]] = {
    "charAt": lambda value, at=0: value[int(at) : int(at) + 1],
    "concat": lambda value, *others: value + "".join(map(text, others)),
    "endsWith": lambda value, part: value.endswith(text(part)),
    "includes": lambda value, part: text(part) in value,
    "indexOf": lambda value, part: value.find(text(part)),
    "lastIndexOf": lambda value, part: value.rfind(text(part)),
    "padEnd": lambda value, width, filling=" ": _padded(value, width, filling, at_start=False),
    "padStart": lambda value, width, filling=" ": _padded(value, width, filling, at_start=True),
    "repeat": _repeated,
    "replace": lambda value, old, new: value.replace(text(old), text(new), 1),
    "replaceAll": lambda value, old, new: value.replace(text(old), text(new)),
    "slice": _slice,
    "split": lambda value, by=None: [value] if by is None else list(value) if by == "" else value.split(text(by)),
    "startsWith": lambda value, part: value.startswith(text(part)),
    "substring": _substring,
    "toLowerCase": lambda value: value.lower(),
    "toString": lambda value: value,
    "toUpperCase": lambda value: value.upper(),
    "trim": trim,
    "trimEnd": lambda value: trim("." + value)[1:],
    "trimStart": lambda value: trim(value + ".")[:-1],
}
_LIST: dict[str, Callable[..., Any]] = {
    "concat": lambda value, *others: [*value, *(item for other in others for item in _as_list(other))],
    "includes": lambda value, item: any(same(item, each) for each in value),
    "indexOf": lambda value, item: next((at for at, each in enumerate(value) if same(item, each)), -1),
    "join": lambda value, by=",": text(by).join("" if item is None else text(item) for item in value),
    "reverse": lambda value: list(reversed(value)),
    "slice": _slice,
    "toString": text,
}
_OBJECT: dict[str, Callable[..., Any]] = {
    "hasOwnProperty": lambda value, name: name in value,
    "toString": text,
}
_NUMBER: dict[str, Callable[..., Any]] = {
    "toFixed": lambda value, digits=0: f"{value:.{min(int(digits), 100)}f}",
    "toString": text,
}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _default(value: Any, instead: Any = "", also_false: Any = False) -> Any:
    missing = not truth(value) if also_false else hasattr(value, "_undefined_name")
    return instead if missing or hasattr(value, "_undefined_name") else value


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | Mapping) else 0


def _join(value: Any, by: Any = "", attribute: str | None = None) -> str:
    items = [each.get(attribute) if attribute and isinstance(each, Mapping) else each for each in _as_list(value)]
    return text(by).join("" if item is None else text(item) for item in items)


def _replace(value: Any, old: Any, new: Any, count: Any = -1) -> str:
    return text(value).replace(text(old), text(new), int(count))


def _indent(value: Any, width: Any = 4, first: Any = False) -> str:
    space = " " * min(int(number(width)), 1000)
    return "\n".join(space + line if at or first else line for at, line in enumerate(text(value).split("\n")))


def _load(value: Any) -> Any:
    return json.loads(text(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "float": lambda value, instead=0.0: found if (found := number(value)) == found else instead,
    "indent": _indent,
    "int": lambda value, instead=0: int(found) if (found := number(value)) == found else instead,
    "join": _join,
    "length": _length,
    "load": _load,
    "nl2br": lambda value: "" if value is None else text(value).replace("\r\n", "\n").replace("\n", "<br />\n"),
    "replace": _replace,
    "tojson": write_json,
    "trim": lambda value: trim(text(value)),
    "wordcount": lambda value: len([word for word in words(text(value)) if word]) or None,
}
