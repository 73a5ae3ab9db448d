"""What a release looks up, held against what there is: the newest version of an index becomes part of the recipe."""

from dataclasses import dataclass

from msgspec.structs import replace

from watchkeeper.api.services import ReleaseBasis, Services
from watchkeeper.config.problems import did_you_mean
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.passages import is_index_name
from watchkeeper.releases.recipe import Recipe, Retrieval

TOP_K_MAX = 50
"""As `gateway.retrieving` has it."""


@dataclass(frozen=True, slots=True)
class _Looked:
    retrieval: Retrieval
    mistakes: tuple[Mistake, ...] = ()


async def pinned(parts: Services, recipe: Recipe) -> tuple[Recipe, list[Mistake]]:
    """Return a recipe that names the version of its index, and what is wrong with its retrieval.

    Where it names none, that is the newest: the same recipe is another release once the index has changed.
    """
    retrieval = recipe.retrieval
    if retrieval is None:
        return recipe, []
    found = (
        _Looked(retrieval, _about_retriever(retrieval, parts.release_basis()))
        if retrieval.retriever
        else await _about_index(retrieval, parts)
    )
    mistakes = list(found.mistakes)
    if not 1 <= retrieval.top_k <= TOP_K_MAX:
        mistakes.append(Mistake("retrieval.top_k", f"it is between 1 and {TOP_K_MAX}"))
    return replace(recipe, retrieval=found.retrieval), mistakes


def _about_retriever(retrieval: Retrieval, basis: ReleaseBasis) -> tuple[Mistake, ...]:
    if basis.retrievers is None:
        why = "nobody could check it: the configuration is not known here"
        return (Mistake("retrieval.retriever", why, is_warning=True),)
    if retrieval.retriever in basis.retrievers:
        return ()
    hint = did_you_mean(retrieval.retriever, list(basis.retrievers))
    why = f"there is no retriever `{retrieval.retriever[:100]}` in the configuration{hint}"
    return (Mistake("retrieval.retriever", why),)


async def _about_index(retrieval: Retrieval, parts: Services) -> _Looked:
    collection, version = retrieval.collection, retrieval.version
    if not collection:  # said by `mistakes_in`
        return _Looked(retrieval)
    if not is_index_name(collection) or (version and not is_index_name(version)):
        why = "names of indexes and versions are made of letters, digits, `.`, `_` and `-`, 60 at most"
        return _Looked(retrieval, (Mistake("retrieval", why),))
    found = await parts.analytics.indexes.versions(collection)
    if not found:
        why = f"there is no index `{collection}`; `watchkeeper index build` makes one"
        return _Looked(retrieval, (Mistake("retrieval.collection", why),))
    chosen = next((one for one in found if version in ("", one.version)), None)
    if chosen is None:
        hint = did_you_mean(version, [one.version for one in found])
        return _Looked(retrieval, (Mistake("retrieval.version", f"`{collection}` has no version `{version}`{hint}"),))
    if retrieval.embedding not in ("", chosen.embedding):
        why = f"`{collection}` version `{chosen.version}` was embedded as `{chosen.embedding}`"
        return _Looked(retrieval, (Mistake("retrieval.embedding", why),))
    return _Looked(replace(retrieval, version=chosen.version, embedding=chosen.embedding))
