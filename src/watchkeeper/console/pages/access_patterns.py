"""The components of the page about access, with ordinary data, with none, with too much, with hostile data."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.access.roles import ALL, ROLES, Grant
from watchkeeper.console.pages.access import AccessFound, AccessPage, access_page
from watchkeeper.store.grants import GrantRow
from watchkeeper.store.people import TokenRow, UserRow

_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPatterns:
    """What the page of patterns shows of access."""

    full: AccessPage
    empty: AccessPage


def access_patterns(*, hostile: str, long: str) -> AccessPatterns:
    """Build them; they ask nothing of any store and are always the same."""
    names = ["ana@example.com", hostile, long, "nobody"]
    users = [
        UserRow(
            name=name,
            password_hash="",
            created_at=_AT,
            is_disabled=name == long,
            origin="oidc" if name == hostile else "local",
            identity=None,
        )
        for name in names
    ]
    held = [(names[0], Grant("admin")), (hostile, Grant("approver", hostile)), (hostile, Grant("operator"))]
    held += [(f"user{number}", Grant("approver", "support")) for number in range(9)]
    held += [(long, Grant(role, long)) for role in ROLES]
    grants = [
        GrantRow(
            user=user,
            grant=grant,
            origin="oidc" if user == hostile else "local",
            granted_at=_AT,
            granted_by="local",
        )
        for user, grant in held
    ]
    tokens = [
        TokenRow(
            id=f"{number}",
            name=name,
            created_at=_AT,
            created_by=hostile,
            revoked_at=_AT if number == 2 else None,
            scopes=(ALL,) if number == 0 else ("read", "promote"),
            features=(ALL,) if number == 0 else (long, hostile),
            expires_at=None if number == 0 else _AT + timedelta(days=number - 2),
        )
        for number, name in enumerate(("ci", hostile, long, "night shift"))
    ]
    found = AccessFound(users=users, grants=grants, tokens=tokens, features=frozenset({"support"}))
    nothing = AccessFound(users=[], grants=[], tokens=[], features=frozenset())
    return AccessPatterns(
        full=access_page(found, own=[Grant("admin")], readable=None, find="", now=_AT, is_whole=True),
        empty=access_page(nothing, own=[], readable=None, find="", now=_AT, is_whole=True),
    )
