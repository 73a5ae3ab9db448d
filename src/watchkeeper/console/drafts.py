"""A release that is being written in the form: what was typed, the recipe it comes to, and what is wrong where."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from watchkeeper.releases.authoring import RecipeRefused, authored, read_authored
from watchkeeper.releases.checking import mistakes_in
from watchkeeper.releases.recipe import Recipe

ITEMS_MAX = 100
"""Messages, variables or parameters of one form."""
TYPES = ("string", "number", "integer", "boolean", "array", "object")
KEPT = ""
"""Type of a variable whose schema the form cannot say: it stays as it is."""


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """One message as typed."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedVariable:
    """One variable as typed."""

    was: str = ""
    """Its name in the release that is edited, whose schema it keeps but for what is typed; empty for a new one."""
    name: str = ""
    type: str = "string"
    """One of `TYPES`, or `KEPT`."""
    is_optional: bool = False
    default: str = ""
    """Text for a string, else JSON; means nothing where it is not optional."""


@dataclass(frozen=True, slots=True)
class TypedParameter:
    """One parameter as typed."""

    name: str
    value: str
    """JSON, or text that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What stands in the form."""

    parent: str
    """The release that was the feature's latest when the form was opened."""
    model: str
    messages: tuple[TypedMessage, ...]
    variables: tuple[TypedVariable, ...]
    parameters: tuple[TypedParameter, ...]
    message: str = ""
    """What was changed and why."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables of the preview, by name: text for a string, else JSON."""
    call: str = ""
    """The call from which they were taken."""


Problems = dict[str, str]
"""By field of the form: `messages.0.content`, `variables.1`, `parameters.0`, `model`; empty for the whole."""


def draft_of(recipe: Recipe, *, parent: str) -> Draft:
    """Write a recipe into the form."""
    return Draft(
        parent=parent,
        model=recipe.model,
        messages=tuple(TypedMessage(one.role, one.content) for one in recipe.messages),
        variables=tuple(_typed(name, schema) for name, schema in recipe.variables.items()),
        parameters=tuple(TypedParameter(name, _written(value)) for name, value in recipe.parameters.items()),
    )


def read_draft(form: Mapping[str, str]) -> Draft:
    """Read what was typed; fields that are missing are empty, and what is too much is left out."""
    messages = [TypedMessage(_text(form, f"m.{n}.role"), _text(form, f"m.{n}.content")) for n in _numbers(form, "m")]
    variables = [
        TypedVariable(
            was=_text(form, f"v.{n}.was"),
            name=_text(form, f"v.{n}.name").strip(),
            type=_text(form, f"v.{n}.type"),
            is_optional=f"v.{n}.optional" in form,
            default=_text(form, f"v.{n}.default"),
        )
        for n in _numbers(form, "v")
    ]
    parameters = [
        TypedParameter(_text(form, f"p.{n}.name").strip(), _text(form, f"p.{n}.value").strip())
        for n in _numbers(form, "p")
    ]
    return Draft(
        parent=_text(form, "parent"),
        model=_text(form, "model").strip(),
        messages=tuple(messages),
        variables=tuple(variables),
        parameters=tuple(parameters),
        message=_text(form, "message").strip(),
        values={name.removeprefix("x."): _text(form, name) for name in form if name.startswith("x.")},
        call=_text(form, "call").strip(),
    )


def edited(draft: Draft, deed: str) -> Draft:
    """Add, remove or move a row of the form: `add m`, `remove v 1`, `up m 2`; whatever else changes nothing."""
    verb, _, rest = deed.partition(" ")
    kind, _, number = rest.partition(" ")
    rows: dict[str, tuple[str, Sequence[Any], Any]] = {
        "m": ("messages", draft.messages, TypedMessage("user", "")),
        "v": ("variables", draft.variables, TypedVariable()),
        "p": ("parameters", draft.parameters, TypedParameter("", "")),
    }
    if kind not in rows:
        return draft
    name, present, new = rows[kind]
    found, place = list(present), int(number) if _is_place(number) else -1
    if verb == "add" and len(found) < ITEMS_MAX:
        found.append(new)
    elif verb == "remove" and 0 <= place < len(found):
        del found[place]
    elif verb == "up" and 0 < place < len(found):
        found[place - 1 : place + 1] = found[place], found[place - 1]
    changes: dict[str, Any] = {name: tuple(found)}
    return replace(draft, **changes)


def recipe_from(draft: Draft, base: Recipe) -> tuple[Recipe | None, Problems, tuple[str, ...]]:
    """Read the form over the recipe that is edited: what the form does not show stays as it is.

    Returns:
        The recipe, None where it cannot be one; what is wrong by field; and what is worth a word though it can be used.
    """
    problems: Problems = {}
    data = authored(base) | {"model": draft.model, "messages": [_message(one) for one in draft.messages]}
    data["variables"] = _variables(draft, base, problems)
    data["parameters"] = _parameters(draft, problems)
    if not draft.model:
        problems["model"] = "is missing: name a route, or `provider/model`"
    if not draft.messages:
        problems[""] = "There is no message; add one."
    if problems:
        return None, problems, ()
    try:
        recipe = read_authored(data)
    except RecipeRefused as refused:
        for mistake in refused.mistakes:
            problems.setdefault(field_of(mistake.place, draft), mistake.message)
        return None, problems, ()
    found = mistakes_in(recipe)
    for mistake in found:
        if not mistake.is_warning:
            problems.setdefault(field_of(mistake.place, draft), mistake.message)
    notes = tuple(f"{one.place}: {one.message}" for one in found if one.is_warning)
    return (None if problems else recipe), problems, notes


def values_of(draft: Draft, recipe: Recipe) -> tuple[dict[str, Any], Problems]:
    """Read the variables of the preview; an empty one that is optional is not given."""
    given: dict[str, Any] = {}
    problems: Problems = {}
    for name, schema in recipe.variables.items():
        text = draft.values.get(name, "")
        if not text and ("default" in schema or schema.get("type") != "string"):
            continue
        given[name] = text
        if schema.get("type") != "string":
            try:
                given[name] = json_of(text)
            except ValueError:
                if "type" in schema:
                    problems[name] = "must be JSON, such as 3, true, or [1, 2]"
    return given, problems


def written_values(given: Mapping[str, Any]) -> dict[str, str]:
    """Write variables as the preview's fields have them."""
    return {name: _written(value) for name, value in given.items()}


def variables_in(body: bytes) -> Mapping[str, Any] | None:
    """Return the variables that a recorded request brings; None where it brings none, or was cut."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    variables = found.get("variables") if isinstance(found, dict) else None
    return variables if isinstance(variables, dict) else None


def json_of(text: str) -> Any:
    """Read JSON as it is defined: no NaN, no Infinity, nothing nested beyond reason.

    Raises:
        ValueError: it is none.
    """

    def refuse(word: str) -> Any:
        raise ValueError(word)

    try:
        found = json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError("too large")
    return found


def _message(one: TypedMessage) -> dict[str, str]:
    return {"role": one.role} | ({} if one.role == "conversation" and not one.content else {"content": one.content})


def _variables(draft: Draft, base: Recipe, problems: Problems) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, one in enumerate(draft.variables):
        if not one.name:
            problems[f"variables.{place}"] = "has no name; fill it in, or remove the variable"
        elif one.name in found:
            problems[f"variables.{place}"] = f"there is a variable `{one.name}` already"
        schema = dict(base.variables.get(one.was, {}))
        schema.pop("default", None)
        if one.type:
            schema["type"] = one.type
        if one.is_optional:
            try:
                schema["default"] = one.default if _is_text(schema) else json_of(one.default)
            except ValueError:
                problems[f"variables.{place}"] = "its default must be JSON, such as 3, true, or [1, 2]"
        found[one.name] = schema
    return found


def _parameters(draft: Draft, problems: Problems) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, one in enumerate(draft.parameters):
        if not one.name:
            problems[f"parameters.{place}"] = "has no name; fill it in, or remove the parameter"
        elif one.name in found:
            problems[f"parameters.{place}"] = f"there is a parameter `{one.name}` already"
        elif not one.value:
            problems[f"parameters.{place}"] = "has no value; fill it in, or remove the parameter"
        try:
            found[one.name] = json_of(one.value)
        except ValueError:
            found[one.name] = one.value
    return found


def _typed(name: str, schema: Mapping[str, Any]) -> TypedVariable:
    kind = schema.get("type")
    return TypedVariable(
        was=name,
        name=name,
        type=kind if kind in TYPES else KEPT,
        is_optional="default" in schema,
        default=_written(schema["default"]) if "default" in schema else "",
    )


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string"


def _text(form: Mapping[str, str], name: str) -> str:
    """A field without the carriage returns that browsers put at the ends of lines."""
    return form.get(name, "").replace("\r\n", "\n").replace("\r", "\n")


def _numbers(form: Mapping[str, str], kind: str) -> list[int]:
    found = {part[1] for name in form if (part := name.split("."))[0] == kind and len(part) == 3}
    return sorted(int(number) for number in found if _is_place(number))[:ITEMS_MAX]


def _is_place(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 4


def field_of(place: str, draft: Draft) -> str:
    """Return the field of the form that a place of the recipe is typed in; empty for one that it does not show."""
    head, _, rest = place.replace("[", ".").replace("]", "").partition(".")
    item = rest.partition(".")[0]
    if head == "model":
        return "model"
    if head == "messages" and item.isdecimal():
        return f"messages.{item}"
    names = [one.name for one in (draft.variables if head == "variables" else draft.parameters)]
    if head in ("variables", "parameters") and item in names:
        return f"{head}.{names.index(item)}"
    return ""
