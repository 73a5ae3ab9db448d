"""A share as a small horizontal bar."""

from markupsafe import Markup

from watchkeeper.console.charts.svg import element, percent


def meter(part: float) -> Markup:
    """Return a bar that fills `part` (0 to 1) of its width; decoration beside a figure that is written out."""
    filled = element("rect", class_="filled", width=percent(min(max(part, 0.0), 1.0)), height=4, rx=2)
    return element("svg", filled, class_="meter", width="100%", height=4, aria_hidden="true")
