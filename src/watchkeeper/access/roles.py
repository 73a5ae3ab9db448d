"""Permissions, the roles that hold them, and grants of a role to a user for one feature or for all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from watchkeeper.core.roles import Role

__all__ = [
    "ALL",
    "EVERYTHING",
    "HELD",
    "MEANING",
    "NOTHING",
    "PERMISSIONS",
    "ROLES",
    "Grant",
    "Permission",
    "Rights",
    "Role",
    "rights_of",
    "rights_within",
    "roles_with",
]

Permission = Literal[
    "read", "read_bodies", "write_releases", "approve", "promote", "operate", "money", "audit", "administer"
]

PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
ROLES: tuple[Role, ...] = get_args(Role)

ALL: Final = "*"
"""In the place of a feature: every feature, and what belongs to none. In the place of a scope: every permission."""

MEANING: Mapping[Permission, str] = {
    "read": "see calls without their text, figures, costs, budgets, keys, releases and the health of all parts",
    "read_bodies": "read what was asked and answered; each reading of a call is itself noted",
    "write_releases": "write releases and ask for their review",
    "approve": "approve a release that somebody else has written",
    "promote": "point an environment at a release, roll it back, freeze it",
    "operate": "keys, faults, purges, alerts, rollouts, top-ups and holds of budgets",
    "money": "budgets, prices, units of value, signing the cost review",
    "audit": "read the whole list of changes, who read which call, and who holds which role",
    "administer": "users, roles, API tokens, sign-in links",
}
"""What holds who has it."""

HELD: Mapping[Role, frozenset[Permission]] = {
    "viewer": frozenset({"read"}),
    "author": frozenset({"read", "read_bodies", "write_releases"}),
    "approver": frozenset({"read", "read_bodies", "approve", "promote"}),
    "operator": frozenset({"read", "read_bodies", "promote", "operate"}),
    "cost_owner": frozenset({"read", "money"}),
    "auditor": frozenset({"read", "read_bodies", "audit"}),
    "admin": frozenset(PERMISSIONS),
}
"""What each role permits."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role that somebody has for a feature; `ALL` for every feature."""

    role: Role
    feature: str = ALL

    def __str__(self) -> str:
        return f"{self.role} of {'every feature' if self.feature == ALL else self.feature}"


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do, by feature; what stands under `ALL` holds for each feature, and for what has none."""

    by_feature: Mapping[str, frozenset[Permission]] = field(default_factory=dict[str, frozenset[Permission]])

    def may(self, permission: Permission, feature: str = ALL) -> bool:
        """Tell whether something is permitted for a feature; by default for everything there is.

        A call that names no feature has the empty one, which only who may for everything may touch.
        """
        return permission in self._of(ALL) or permission in self._of(feature)

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether something is permitted for one feature at least."""
        return any(permission in held for held in self.by_feature.values())

    def features(self, permission: Permission) -> frozenset[str] | None:
        """Return the features for which something is permitted; None for everything."""
        if self.may(permission):
            return None
        return frozenset(name for name, held in self.by_feature.items() if permission in held)

    def _of(self, feature: str) -> frozenset[Permission]:
        return self.by_feature.get(feature, frozenset())


NOTHING = Rights()
EVERYTHING = Rights({ALL: frozenset(PERMISSIONS)})


def rights_of(grants: Iterable[Grant]) -> Rights:
    """Return what grants come to together."""
    found: dict[str, frozenset[Permission]] = {}
    for grant in grants:
        found[grant.feature] = found.get(grant.feature, frozenset()) | HELD[grant.role]
    return Rights(found)


def rights_within(scopes: Iterable[str], features: Iterable[str]) -> Rights:
    """Return what the scopes of a token come to for its features; a scope that nobody knows permits nothing."""
    wanted = set(scopes)
    held = frozenset(one for one in PERMISSIONS if one in wanted or ALL in wanted)
    return Rights(dict.fromkeys(features, held))


def roles_with(*any_of: Permission) -> tuple[Role, ...]:
    """Return the roles that permit one of these, the smallest first."""
    return tuple(sorted((role for role in ROLES if HELD[role].intersection(any_of)), key=lambda role: len(HELD[role])))
