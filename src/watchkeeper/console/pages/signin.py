"""The way in: by a link that works once, or by name and password; and then a password of one's own."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["link", "dead_link", "password"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """The page before there is a session."""

    way: Way
    """`link`: a click uses up a good link. `dead_link`: the link was used or is too old."""
    token: str
    back: str
    """Where to go afterwards: a path of this console."""
    fault: str
    name: str
    """What was typed before, after a wrong password."""
    has_users: bool
    provider: str
    """Of the button that leads to the provider; empty where there is none."""
    provider_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """The page where a person gets a password, or a new one."""

    user: str
    is_named: bool
    """False for whoever came in by a link: a user is made then."""
    is_from_provider: bool
    """They sign in elsewhere and have no password here."""
    may: tuple[str, ...]
    """Their roles."""
    password_letters_min: int
    back: str
    fault: str
    notice: str
    name: str
