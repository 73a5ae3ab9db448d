"""A budget as a bar: what is used, what will be by the end of the window, and where the limit is."""

from markupsafe import Markup

from watchkeeper.console.charts.svg import element, percent

_HEIGHT = 10


def burn(used: float, ahead: float | None) -> Markup:
    """Return a bar whose whole width is the limit, or what is foretold where that is more.

    Decoration beside figures that are written out.

    Args:
        used: Share of the limit; drawn as nothing where it is below 0, after a top-up.
        ahead: Foretold share of the limit at the window's end; None when nothing is.
    """
    used = max(0.0, used)
    whole = max(1.0, used, ahead or 0.0)
    parts = [element("rect", class_="room", width=percent(1 / whole), height=_HEIGHT, rx=2)]
    if ahead is not None and ahead > used:
        parts.append(element("rect", class_="ahead", width=percent(ahead / whole), y=3, height=_HEIGHT - 6, rx=1))
    kind = "used over" if used >= 1 else "used"
    parts.append(element("rect", class_=kind, width=percent(used / whole), height=_HEIGHT, rx=2))
    limit = percent(1 / whole)
    parts.append(element("line", class_="limit", x1=limit, x2=limit, y1=0, y2=_HEIGHT))
    return element("svg", *parts, class_="burn", width="100%", height=_HEIGHT, aria_hidden="true")
