"""What surrounds every page: who is signed in, where one is, what the operator must know."""

from dataclasses import dataclass
from typing import Literal

from watchkeeper.access.roles import ALL, NOTHING, Permission, Rights

Theme = Literal["auto", "light", "dark"]
Severity = Literal["info", "warning", "critical"]
_NEXT_THEME: dict[Theme, Theme] = {"auto": "light", "light": "dark", "dark": "auto"}


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation."""

    id: str
    """Also names its icon."""
    label: str
    href: str
    letter: str
    """`g` and then this letter goes there."""


PLACES = (
    Place("overview", "Overview", "/", "o"),
    Place("calls", "Calls", "/calls", "c"),
    Place("features", "Features", "/features", "f"),
    Place("evals", "Evals", "/evals", "e"),
    Place("rollouts", "Rollouts", "/rollouts", "u"),
    Place("drift", "Drift", "/drift", "d"),
    Place("cost", "Cost", "/cost", "m"),
    Place("budgets", "Budgets", "/budgets", "b"),
    Place("labels", "Labels", "/labels", "l"),
    Place("review", "Review", "/review", "r"),
    Place("keys", "Keys", "/keys", "k"),
    Place("access", "Access", "/access", "a"),
    Place("health", "Health", "/health", "h"),
    Place("start", "First call", "/start", "s"),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """Something that is wrong now, on top of every page until it is mended."""

    severity: Severity
    text: str
    href: str = ""
    link: str = ""
    """What the link says; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The surroundings of one page."""

    title: str
    here: str
    """Id of the place in the navigation; empty for pages outside it."""
    user: str
    """Name of who is signed in; empty before."""
    theme: Theme
    token: str
    """Goes into every form of a session; see `console.commands.require_form`."""
    url: str
    """Path and query of this page, to come back to."""
    version: str
    places: tuple[Place, ...] = ()
    """The navigation: pages that who is signed in may see."""
    rights: Rights = NOTHING
    banners: tuple[Banner, ...] = ()
    scripts: tuple[str, ...] = ()
    """Scripts of this page beyond the common one, by file name under `static`."""
    styles: tuple[str, ...] = ()
    """Style sheets of this page beyond the common ones, by file name under `static`."""

    def token_for(self, *any_of: Permission, feature: str = ALL) -> str:
        """Return the token for a form that needs one of these; empty where it would be refused: none is shown then."""
        return self.token if any(self.rights.may(one, feature) for one in any_of) else ""

    def token_to_administer(self, feature: str) -> str:
        """As `token_for`, for a form about roles of a feature."""
        return self.token_for("administer", feature=feature)

    @property
    def next_theme(self) -> Theme:
        """What the theme button sets: it goes round auto, light, dark."""
        return _NEXT_THEME[self.theme]
