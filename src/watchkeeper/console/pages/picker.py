"""The choice of a window: five that end now, and one with ends of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console.query import CallQuery
from watchkeeper.console.window import CUSTOM, WINDOWS


@dataclass(frozen=True, slots=True)
class WindowLink:
    """A choice of the window picker."""

    label: str
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """The whole choice."""

    links: tuple[WindowLink, ...]
    path: str
    """Where the form of a custom window leads."""
    kept: tuple[tuple[str, str], ...]
    """Parameters that form must carry along."""
    since: str
    """Of a custom window, in UTC, as it is typed; empty where it has no such end or is none."""
    until: str
    is_custom: bool


def picker(query: CallQuery, path: str, *, more: Sequence[str] = ()) -> Picker:
    """Return the choice for a page.

    Args:
        query: What the page looks at now.
        path: The page's own path.
        more: Names of further windows, such as `all`.
    """
    window = query.window
    is_custom = window.name == CUSTOM
    return Picker(
        links=tuple(WindowLink(name, query.url(path, window=name), window.name == name) for name in [*WINDOWS, *more]),
        path=path,
        kept=tuple((query.chosen | (query.own if path == query.path else {})).items()),
        since=f"{window.since:%Y-%m-%dT%H:%M}" if is_custom and window.since else "",
        until=f"{window.until:%Y-%m-%dT%H:%M}" if is_custom and window.until else "",
        is_custom=is_custom,
    )
