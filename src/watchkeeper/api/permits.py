"""What each route asks of whoever calls it, and how it refuses: `not_allowed`, with who can grant what is missing.

Every route of the API and of the console stands under `needs(...)`; a test walks them all.
"""

import shlex
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from watchkeeper.access.roles import ALL, Permission, Rights, roles_with
from watchkeeper.api.auth import Operator, Parts, require_operator
from watchkeeper.api.services import Services
from watchkeeper.core.errors import CallerError

ADMINS_NAMED = 3
TOKEN = "token:"  # noqa: S105 - how a token's name begins is no secret


class NotAllowed(CallerError):
    """Whoever asks is known, and may not do this."""

    code = "not_allowed"
    http_status = 403


@dataclass(frozen=True, slots=True)
class Need:
    """What a route needs; FastAPI asks it before the route is run."""

    any_of: tuple[Permission, ...]
    """One of these suffices; none for whoever is signed in."""
    somewhere: bool = False
    """For one feature at least: the route itself keeps to the features for which it is permitted."""
    because: str = ""
    """Why it cannot be limited to some features."""

    async def __call__(self, parts: Parts, by: Annotated[Operator, Depends(require_operator)]) -> None:
        """Let whoever has it pass.

        Raises:
            NotAllowed: they have not.
        """
        if not self.is_met_by(by.rights):
            raise NotAllowed(
                await _refusal(parts, by, self.any_of, ALL, because=self.because, somewhere=self.somewhere)
            )

    def is_met_by(self, rights: Rights) -> bool:
        """Tell whether somebody with these rights may pass."""
        held = rights.may_somewhere if self.somewhere else rights.may
        return not self.any_of or any(held(permission) for permission in self.any_of)


def needs(*any_of: Permission, somewhere: bool = False, because: str = "") -> Any:
    """Return the dependency of a route that needs one of some permissions, for every feature.

    Args:
        any_of: One of these suffices. None at all: whoever is signed in.
        somewhere: One feature suffices. The route must then ask `require(...)` for the feature it is about, or limit
            its questions to `by.rights.features(...)`.
        because: Said where somebody has it for some features only: why the question cannot be limited to these.
    """
    return Depends(Need(any_of, somewhere=somewhere, because=because))


SOME = [needs("read", somewhere=True)]
"""Of a route that shows what belongs to features, and keeps to those that may be read."""


async def require(parts: Services, by: Operator, *any_of: Permission, feature: str = ALL) -> None:
    """Go on only where somebody may do one of these for a feature.

    Raises:
        NotAllowed: they may not; the message names what is missing, who holds it and who can grant it.
    """
    if not any(by.rights.may(permission, feature) for permission in any_of):
        raise NotAllowed(await _refusal(parts, by, any_of, feature))


def need_of(route: BaseRoute) -> Need | None:
    """Return what a route needs; None for one that anybody may ask."""
    asked = (depends.dependency for depends in route.dependencies) if isinstance(route, APIRoute) else ()
    return next((one for one in asked if isinstance(one, Need)), None)


async def _refusal(
    parts: Services,
    by: Operator,
    any_of: tuple[Permission, ...],
    feature: str,
    *,
    because: str = "",
    somewhere: bool = False,
) -> str:
    needed = " or ".join(f"`{permission}`" for permission in any_of)
    where = "for a feature" if somewhere else f"for {_named(feature)}"
    has_some = not somewhere and any(by.rights.may_somewhere(permission) for permission in any_of)
    reason = f" {because}" if because and has_some else ""
    of_feature = f" --feature {shlex.quote(feature[:100])}" if feature not in ("", ALL) else ""
    if by.name.startswith(TOKEN):
        command = f"tokens create NAME --scope {any_of[0]}{of_feature}"
        remedy = f"A token keeps its scopes: an admin can make another with `watchkeeper {command}`"
    else:
        command = f"users grant {by.name} {roles_with(*any_of)[0]}{of_feature}"
        remedy = f"An admin can grant it with `watchkeeper {command}`"
    return (
        f"{by.name} may not do this: it needs the permission {needed} {where}, which the roles "
        f"{', '.join(roles_with(*any_of))} have. Nothing was done.{reason} {remedy}; {await _admins(parts, feature)}."
    )


def _named(feature: str) -> str:
    if feature == ALL:
        return "every feature"
    return f"the feature `{feature[:100]}`" if feature else "calls without a feature, which goes with every feature"


async def _admins(parts: Services, feature: str) -> str:
    names = await parts.control.grants.holders("administer", feature=feature, limit=ADMINS_NAMED + 1)
    shown = ", ".join(names[:ADMINS_NAMED]) + (" and others" if len(names) > ADMINS_NAMED else "")
    return f"admins are {shown}, and whoever holds the machine" if names else "only whoever holds the machine is one"
