"""A recipe in the application's own repository, for when there is nothing else."""

from importlib import import_module
from pathlib import Path

import msgspec

from watchkeeper.core.errors import CallerError
from watchkeeper.releases import recipe as recipes
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.recipe import RECIPE_BYTES_MAX, Recipe
from watchkeeper.sdk.errors import CannotRender

CANONICAL = ".json"
"""How the name of a recipe ends that is written as releases are kept; any other is one that people write."""


def read_fallback(path: Path | str, feature: str) -> Prepared:
    """Read a fallback: a folder with `release.yaml` as people push it, that file, or a recipe as JSON.

    Raises:
        CannotRender: it cannot be read, is of another feature, or cannot be used.
    """
    place = Path(path)
    try:
        recipe = _canonical(place) if place.suffix == CANONICAL else _written(place)
        prepared = Prepared(recipe)
    except OSError as error:
        raise CannotRender(f"The fallback {place} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, CallerError) as problem:
        raise CannotRender(f"The fallback {place} is no recipe: {problem}") from None
    except Unusable as problem:
        raise CannotRender(f"The fallback {place} cannot be used: {problem}.") from None
    if recipe.feature != feature:
        raise CannotRender(f"The fallback {place} is a recipe of `{recipe.feature}`, not of `{feature}`.")
    return prepared


def _canonical(file: Path) -> Recipe:
    with file.open("rb") as handle:
        return recipes.decode(handle.read(RECIPE_BYTES_MAX + 1))


def _written(place: Path) -> Recipe:
    found: Recipe = import_module("watchkeeper.sdk.written").written_recipe(place)
    return found
