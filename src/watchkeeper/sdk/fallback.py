"""A recipe in the application's own repository, for when there is nothing else."""

from pathlib import Path

import msgspec

from watchkeeper.releases import recipe as recipes
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.recipe import RECIPE_BYTES_MAX
from watchkeeper.sdk.errors import CannotRender


def read_recipe(path: Path | str, feature: str) -> Prepared:
    """Read a fallback.

    Raises:
        CannotRender: it cannot be read, is of another feature, or cannot be used.
    """
    file = Path(path)
    try:
        with file.open("rb") as handle:
            recipe = recipes.decode(handle.read(RECIPE_BYTES_MAX + 1))
        prepared = Prepared(recipe)
    except OSError as error:
        raise CannotRender(f"The fallback {file} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CannotRender(f"The fallback {file} is no recipe: {error}.") from None
    except Unusable as problem:
        raise CannotRender(f"The fallback {file} cannot be used: {problem}.") from None
    if recipe.feature != feature:
        raise CannotRender(f"The fallback {file} is a recipe of `{recipe.feature}`, not of `{feature}`.")
    return prepared
