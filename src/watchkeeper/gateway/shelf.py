"""Releases at hand: read from the data folder when a call first asks for one, and kept made ready."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.errors import OperatorError
from watchkeeper.releases import recipe as recipes
from watchkeeper.releases.chat_fields import decided_fields
from watchkeeper.releases.recipe import Recipe, is_release_id, release_id

if TYPE_CHECKING:
    from watchkeeper.releases.prepared import Prepared

KEPT_MAX = 2_000
"""Releases in one worker; the one that was not asked for the longest goes first."""

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Stocked(Struct, frozen=True, eq=False):
    """A release at hand."""

    prepared: "Prepared"
    fixed: dict[str, Raw]
    """The fields of a chat request that it decides, as JSON."""


class Serving(Struct, eq=False):
    """What a call of a feature is served by."""

    stocked: Stocked
    given: dict[str, Raw]
    """The client's request."""
    variables: dict[str, Any]
    """Complete."""
    conversation: list[Any]
    """What was said before, as messages of the chat API."""
    shadow: str = ""
    """The release that a copy of the call is to be made under."""

    @property
    def timeout_s(self) -> float:
        """How long the release lets the call take."""
        limits = self.stocked.prepared.recipe.limits
        return inf if limits is None or limits.timeout_s is None else limits.timeout_s


class Shelf:
    """The releases of one worker."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        """Fill from a folder.

        Args:
            read: Returns a release's canonical recipe by its id; raises FileNotFoundError, or OperatorError for a file
                that somebody has changed.
        """
        self._read = read
        self._kept: OrderedDict[str, Stocked] = OrderedDict()

    def warm(self) -> None:
        """Load what releases need, a tenth of a second and 20 MB, before the first call needs it."""
        import watchkeeper.releases.prepared  # noqa: F401 - a worker without features does without it

    def get(self, release: str) -> Stocked | None:
        """Return a release by its whole id; None when it is not there, or cannot be used."""
        found = self._kept.get(release)
        if found is not None:
            self._kept.move_to_end(release)
            return found
        recipe = self._load(release) if is_release_id(release) else None
        if recipe is None:
            return None
        # As in `warm`.
        from watchkeeper.releases.prepared import Prepared, Unusable

        try:
            found = Stocked(Prepared(recipe), fixed_by(recipe))
        except Unusable as problem:  # it was checked when it was pushed, by another version of this program
            _log.error("release %s cannot be used: %s", release, problem)
            return None
        self._kept[release] = found
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found

    def _load(self, release: str) -> Recipe | None:
        try:
            recipe = recipes.decode(self._read(release))
        except FileNotFoundError:
            return None
        except (OSError, OperatorError, msgspec.MsgspecError) as error:
            _log.error("release %s cannot be read: %s", release, error)
            return None
        if release_id(recipe) != release:
            _log.error("the file of release %s holds another one; it is not served", release)
            return None
        return recipe


def fixed_by(recipe: Recipe) -> dict[str, Raw]:
    """Return the fields of a chat request that a recipe decides."""
    return {name: Raw(_encode(value)) for name, value in decided_fields(recipe).items()}
