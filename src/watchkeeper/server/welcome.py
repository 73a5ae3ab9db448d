"""What `watchkeeper up` prints: a way in for the operator and a first key for the application."""

from msgspec import Struct

FIRST_FEATURE = "playground"


class Welcome(Struct, frozen=True, kw_only=True):
    """Handed from the keeper to the supervisor, sealed: it holds a key."""

    key: str = ""
    """Empty when the first key has been revoked or the installation has keys of its own."""
    model: str = ""
    """The route to try first."""
    login_path: str = ""
    """One-time sign-in link, without the address."""
