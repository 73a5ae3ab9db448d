"""The judges that come with Watchkeeper: folders of releases like everybody's, in `recipes`."""

from functools import cache
from pathlib import Path
from typing import Any

from msgspec import structs

from watchkeeper.evals.judging.kinds import KINDS
from watchkeeper.releases.authoring import read_authored
from watchkeeper.releases.folder import read_folder
from watchkeeper.releases.recipe import Recipe

RECIPES = Path(__file__).parent / "recipes"


def recipe(kind: str, model: str) -> Recipe:
    """Return the recipe of the judge of a kind; equal models give equal recipes, until an edition changes one.

    Args:
        kind: One of `KINDS`; KeyError for another.
        model: A route, or `provider/model`.
    """
    return structs.replace(_recipe(kind), model=model)


def lacking(own: Recipe, kind: str) -> list[str]:
    """Say what somebody's own release lacks to be asked for verdicts of a kind; empty where it can be.

    It must take the variables that the judge of this kind takes, ask for none beside them, and have a schema of its
    answer that promises the keys that are read, with no other labels.
    """
    model = _recipe(kind)
    found = [f"it takes no variable `{name}`" for name in model.variables if name not in own.variables]
    found += [
        f"it needs the variable `{name}`, which no judge of this kind is given; give it a `default`"
        for name, schema in own.variables.items()
        if name not in model.variables and "default" not in schema
    ]
    if own.output is None or own.output.schema is None:
        keys = ", ".join(f"`{key}`" for key in _schema(model)["properties"])
        return [*found, f"it has no `output.schema`; its answer must have {keys}"]
    return found + _departures(own.output.schema, _schema(model), "its answer")


@cache
def _recipe(kind: str) -> Recipe:
    if kind not in KINDS:
        raise KeyError(kind)
    return read_authored(read_folder(RECIPES, kind, lambda _: None).authored)


def _schema(model: Recipe) -> dict[str, Any]:
    assert model.output is not None and model.output.schema is not None
    return model.output.schema


def _departures(own: Any, wanted: dict[str, Any], where: str) -> list[str]:
    """Compare what two schemas promise, as far as `type`, `properties`, `required`, `items` and `enum` say it."""
    if not isinstance(own, dict) or own.get("type") != wanted["type"]:
        return [f"{where} must have the type `{wanted['type']}`"]
    if "enum" in wanted:
        labels = own.get("enum", [own["const"]] if "const" in own else None)
        listed = ", ".join(str(one) for one in wanted["enum"])
        if not isinstance(labels, list) or not labels:
            return [f"{where} must have an `enum` of {listed}"]
        return [
            f"{where} may be `{label}`, which is none of {listed}" for label in labels if label not in wanted["enum"]
        ]
    if wanted["type"] == "array":
        return _departures(own.get("items"), wanted["items"], f"each of {where}")
    found: list[str] = []
    for key, schema in wanted.get("properties", {}).items():
        inner = f"`{key}` of {where}" if where != "its answer" else f"`{key}`"
        if key not in own.get("properties", {}):
            found.append(f"its schema has no key {inner}")
        elif key not in own.get("required", []):
            found.append(f"its schema does not require {inner}")
        else:
            found += _departures(own["properties"][key], schema, inner)
    return found
