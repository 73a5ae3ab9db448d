"""A fallback as people write it. YAML and pydantic come with this module, which is loaded only where there is one."""

from pathlib import Path

from watchkeeper.releases.authoring import read_authored
from watchkeeper.releases.folder import RECIPE_FILE, read_folder
from watchkeeper.releases.recipe import Recipe


def written_recipe(place: Path) -> Recipe:
    """Read a folder with `release.yaml`, or that file; blocks that are named by id alone are not known here.

    Raises:
        CallerError: it is none; every mistake is named.
    """
    folder = (place.parent if place.name == RECIPE_FILE else place).resolve()
    return read_authored(read_folder(folder.parent, folder.name, lambda block: None).authored)
