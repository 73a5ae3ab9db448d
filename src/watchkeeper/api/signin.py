"""Signing in with a browser: by password, or by a link that works once; and sessions."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.access import passwords
from watchkeeper.access.throttle import GuessLimit
from watchkeeper.access.tokens import make_token
from watchkeeper.api.auth import LOCAL_OPERATOR
from watchkeeper.api.services import Services
from watchkeeper.core.errors import CallerError

CHECKED_AT_ONCE = 2
"""Checking one password takes 64 MiB and a core for 50 ms."""
LINK_PATH = "/login?token="
"""A link is this and its token. Opening it shows a button, and only that uses it up: mail programs open links, too."""


class SignInFailed(CallerError):
    """The name and the password do not belong together, or the link cannot be used."""

    code = "sign_in_failed"
    http_status = 401


class TooManyGuesses(CallerError):
    """Too many wrong passwords for one name."""

    code = "too_many_guesses"
    http_status = 429


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun."""

    token: str
    """The cookie's value."""
    user: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A link that signs its holder in, once."""

    path: str
    """Behind the console's address."""
    ends_at: datetime


async def make_link(services: Services) -> Link:
    """Make a sign-in link, good for 15 minutes."""
    token = make_token()
    return Link(LINK_PATH + token, await services.control.people.add_link(services.token_hasher.hash(token)))


class SignIn:
    """Begins and ends sessions."""

    def __init__(self, services: Services) -> None:
        self._people = services.control.people
        self._hasher = services.token_hasher
        self._guesses = GuessLimit(services.clock)
        self._turns = asyncio.Semaphore(CHECKED_AT_ONCE)
        self._nobody = passwords.hash_password(make_token())

    async def by_password(self, name: str, password: str) -> Session:
        """Begin a session for a user.

        An unknown name takes as long as a wrong password, so that names cannot be found out.

        Raises:
            SignInFailed: name and password do not belong together, or the user is disabled.
            TooManyGuesses: there were too many failures for this name.
        """
        if wait_s := self._guesses.wait_s(name):
            raise TooManyGuesses(
                f"Too many wrong passwords for this name. Try again in {wait_s / 60:.0f} minutes, "
                "or sign in with a link from `watchkeeper users link`."
            )
        user = await self._people.user(name)
        stored = (user.password_hash if user is not None else "") or self._nobody
        async with self._turns:
            is_right = await asyncio.to_thread(passwords.password_matches, password[: passwords.LENGTH_MAX + 1], stored)
        if user is None or user.is_disabled or not user.password_hash or not is_right:
            self._guesses.failed(name)
            raise SignInFailed("The name or the password is wrong, or the user is disabled. Nobody was signed in.")
        self._guesses.succeeded(name)
        return await self.begin(user.name)

    async def is_link_good(self, token: str) -> bool:
        """Tell whether a link could be used now, without using it."""
        return await self._people.is_link_good(self._hasher.hash(token))

    async def by_link(self, token: str) -> Session:
        """Begin a session for whoever holds a link; it cannot be used again.

        Raises:
            SignInFailed: the link has been used, is too old, or never was.
        """
        if not await self._people.use_link(self._hasher.hash(token)):
            raise SignInFailed(
                "This link has been used or is too old. `watchkeeper users link` on the host prints another."
            )
        return await self.begin(LOCAL_OPERATOR)

    async def end(self, session_token: str) -> None:
        """End a session."""
        await self._people.end_session(self._hasher.hash(session_token))

    def csrf(self, session_token: str) -> str:
        """Return the token that a session's forms carry."""
        return self._hasher.csrf(session_token)

    def csrf_matches(self, session_token: str, presented: str) -> bool:
        """Tell whether a form came from the session's own pages."""
        return self._hasher.csrf_matches(session_token, presented)

    async def begin(self, user: str) -> Session:
        """Begin a session for somebody who has shown who they are."""
        token = make_token()
        ends_at = await self._people.begin_session(self._hasher.hash(token), user)
        return Session(token, user, ends_at)
