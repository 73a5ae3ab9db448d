"""A difference with what bounds it, against no difference and against the margin."""

from markupsafe import Markup

from watchkeeper.console.charts.svg import element, percent
from watchkeeper.evals.decision import Comparison

HEIGHT = 20
_TONES = {"better": "better", "not worse": "held", "worse": "worse", "cannot tell": "unknown"}


def draw_interval(found: Comparison) -> Markup:
    """Return one line: a bar between the bounds, a dot for the difference, and dashes where the margin is.

    Right is better for every metric: the bounds of latency and cost, of which more is worse, are mirrored.
    Decoration beside figures that are written out.
    """
    sign = -1.0 if found.is_relative else 1.0
    low, value, high = sorted((sign * found.lower, sign * found.difference, sign * found.upper))
    reach = 1.12 * max(abs(low), abs(high), found.margin) or 1.0

    def x(where: float) -> float:
        return (1 + max(-1.0, min(1.0, where / reach))) / 2

    middle = HEIGHT / 2
    parts = [element("line", class_="zero", x1="50%", x2="50%", y1=2, y2=HEIGHT - 2)]
    if found.margin:
        margin = percent(x(-found.margin))
        parts.append(element("line", class_="margin", x1=margin, x2=margin, y1=2, y2=HEIGHT - 2))
    width = percent(max(x(high) - x(low), 0.004))
    parts.append(element("rect", class_="between", x=percent(x(low)), width=width, y=middle - 3, height=6, rx=3))
    parts.append(element("circle", class_="value", cx=percent(x(value)), cy=middle, r=4))
    tone = _TONES[found.verdict]
    return element("svg", *parts, class_=f"interval {tone}", width="100%", height=HEIGHT, aria_hidden="true")
