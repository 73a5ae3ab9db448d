"""Which version of an index a release looks things up in: it is settled when the release is made."""

from msgspec.structs import replace

from watchkeeper.api.services import Services
from watchkeeper.config.problems import did_you_mean
from watchkeeper.releases.authoring import RecipeRefused
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.recipe import Recipe


async def pinned(parts: Services, recipe: Recipe) -> Recipe:
    """Return a recipe that names a version of its index: the newest, where it names none.

    Raises:
        RecipeRefused: there is no such index, or no such version of it.
    """
    wanted = recipe.retrieval
    if wanted is None or wanted.retriever or not wanted.collection:
        return recipe
    found = await parts.analytics.indexes.versions(wanted.collection, wanted.version)
    if not found:
        raise RecipeRefused([await _unknown(parts, wanted.collection, wanted.version)])
    latest = found[0]
    settled = replace(wanted, version=latest.version, embedding=wanted.embedding or latest.embedding)
    return replace(recipe, retrieval=settled)


async def _unknown(parts: Services, collection: str, version: str) -> Mistake:
    known = await parts.analytics.indexes.versions()
    versions = [one.version for one in known if one.collection == collection]
    if versions:
        return Mistake(
            "retrieval.version", f"`{collection}` has no version `{version}`{did_you_mean(version, versions)}"
        )
    hint = did_you_mean(collection, sorted({one.collection for one in known}))
    command = f"watchkeeper index build DIR --collection {collection}"
    return Mistake("retrieval.collection", f"there is no index `{collection}`{hint or f'; `{command}` makes one'}")
