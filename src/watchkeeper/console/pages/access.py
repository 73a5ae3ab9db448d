"""Access: who may do what, for which feature; who may approve where; tokens of programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.access.roles import ALL, HELD, ROLES, Grant, Permission, Role
from watchkeeper.console import figures
from watchkeeper.console.pages.quality import ShareLine, share_line
from watchkeeper.console.pages.validity import state_of
from watchkeeper.store.grants import GrantRow
from watchkeeper.store.people import TokenRow, UserRow
from watchkeeper.store.share_links import ShareLink

PATH = "/access"
USERS_SHOWN = 36
TOKENS_SHOWN = 40
FEATURES_SHOWN = 60
NAMES_SHOWN = 6
EVERY_FEATURE = "every feature"
DOING: tuple[tuple[Permission, str], ...] = (
    ("write_releases", "Write releases"),
    ("approve", "Approve"),
    ("promote", "Promote"),
    ("operate", "Operate"),
    ("money", "Money"),
)
"""What the table of features tells, in its order, as its columns are headed."""


@dataclass(frozen=True, slots=True)
class RoleMark:
    """A role that somebody has."""

    role: Role
    feature: str
    of: str
    """The feature, or all of them, in words."""
    is_from_provider: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    """One user."""

    name: str
    way: str
    """How they sign in."""
    is_disabled: bool
    roles: tuple[RoleMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One API token."""

    id: str
    name: str
    may: str
    of: str
    made_at: str
    made_by: str
    state: str
    """`valid`, `ending`, `expired` or `revoked`."""
    state_at: str
    """When it ends, expired or was revoked; empty for one that is simply valid."""

    @property
    def can_end(self) -> bool:
        """Whether there is still something to revoke."""
        return self.state in ("valid", "ending")


@dataclass(frozen=True, slots=True)
class WhereLine:
    """Who may do what for one feature; who may for every one is not repeated."""

    of: str
    names: tuple[str, ...]
    """In the order of `DOING`; names between commas, empty for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPage:
    """The page."""

    own: tuple[str, ...]
    """What who looks at it is; empty for whoever holds the machine, who may do everything."""
    is_owner: bool
    doing: tuple[str, ...]
    where: tuple[WhereLine, ...]
    where_left: str
    """How many features are not shown; empty for none."""
    find: str
    users: tuple[UserLine, ...] | None
    """None where who looks at it may not know them."""
    users_left: str
    tokens: tuple[TokenLine, ...] | None
    tokens_left: str
    shares: tuple[ShareLine, ...]
    """Links to quality pages of features that may be read."""
    roles: tuple[Role, ...]
    features: tuple[str, ...]
    """To choose from; others may be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFound:
    """What the stores say."""

    users: Sequence[UserRow]
    grants: Sequence[GrantRow]
    tokens: Sequence[TokenRow]
    features: frozenset[str]
    """Those that are declared."""
    shares: Sequence[ShareLink] = ()
    """Of features that who looks at it may read."""


def access_page(
    found: AccessFound,
    *,
    own: Sequence[Grant] | None,
    readable: frozenset[str] | None,
    find: str,
    now: datetime,
    is_whole: bool,
) -> AccessPage:
    """Build the page.

    Args:
        found: What the stores say.
        own: Roles of who looks at it; None for whoever holds the machine.
        readable: Features that they may know of; None for all.
        find: Only users with this in their name.
        now: The present.
        is_whole: Whether who looks at it may know the users and tokens.
    """
    held: dict[str, list[GrantRow]] = {}
    for row in found.grants:
        held.setdefault(row.user, []).append(row)
    chosen = [user for user in found.users if find.lower() in user.name.lower()]
    features = found.features | {row.grant.feature for row in found.grants} - {ALL}
    shown = features if readable is None else features & readable
    where = _where(found, shown)
    return AccessPage(
        own=tuple(map(str, own or ())),
        is_owner=own is None,
        doing=tuple(label for _, label in DOING),
        where=where[:FEATURES_SHOWN],
        where_left=_left(len(where) - FEATURES_SHOWN),
        find=find,
        users=tuple(_user(user, held.get(user.name, [])) for user in chosen[:USERS_SHOWN]) if is_whole else None,
        users_left=_left(len(chosen) - USERS_SHOWN),
        tokens=tuple(_token(row, now) for row in found.tokens[:TOKENS_SHOWN]) if is_whole else None,
        tokens_left=_left(len(found.tokens) - TOKENS_SHOWN),
        shares=tuple(share_line(link, now) for link in found.shares[:TOKENS_SHOWN]),
        roles=ROLES,
        features=tuple(sorted(shown)),
    )


def _where(found: AccessFound, shown: frozenset[str]) -> tuple[WhereLine, ...]:
    out = {user.name for user in found.users if user.is_disabled}
    by_feature: dict[str, list[GrantRow]] = {ALL: []}
    for row in sorted(found.grants, key=lambda row: (row.grant.feature != ALL, row.grant.feature)):
        if row.user not in out and row.grant.feature in shown | {ALL}:
            by_feature.setdefault(row.grant.feature, []).append(row)
    return tuple(WhereLine(_of(feature), _names(rows)) for feature, rows in by_feature.items())


def _names(rows: Iterable[GrantRow]) -> tuple[str, ...]:
    by_permission: Mapping[Permission, dict[str, None]] = {permission: {} for permission, _ in DOING}
    for row in rows:
        for permission, names in by_permission.items():
            if permission in HELD[row.grant.role]:
                names[row.user] = None
    return tuple(_listed(list(names)) for names in by_permission.values())


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _user(row: UserRow, held: list[GrantRow]) -> UserLine:
    marks = [RoleMark(one.grant.role, one.grant.feature, _of(one.grant.feature), one.origin == "oidc") for one in held]
    way = "with a password" if row.origin == "local" else "with the provider"
    return UserLine(name=row.name, way=way, is_disabled=row.is_disabled, roles=tuple(marks))


def _token(row: TokenRow, now: datetime) -> TokenLine:
    at = row.revoked_at or row.expires_at
    return TokenLine(
        id=row.id,
        name=row.name,
        may="everything" if ALL in row.scopes else ", ".join(row.scopes),
        of=EVERY_FEATURE if ALL in row.features else ", ".join(row.features),
        made_at=figures.iso(row.created_at),
        made_by=row.created_by,
        state=state_of(row, now),
        state_at=figures.iso(at) if at is not None else "",
    )


def _of(feature: str) -> str:
    return EVERY_FEATURE if feature == ALL else feature


def _left(count: int) -> str:
    return figures.count(count) if count > 0 else ""
