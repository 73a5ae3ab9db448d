"""SVG elements as escaped text."""

from markupsafe import Markup, escape


def element(name: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """Write one element; attribute values and plain text children are escaped.

    An attribute whose value is None is left out; a trailing underscore is dropped and other
    underscores become hyphens (`class_` -> `class`, `text_anchor` -> `text-anchor`); numbers are
    written with at most two decimals, which is a tenth of a pixel at the sizes used here.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value) if isinstance(value, float | int) else value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>") if inner else Markup(f"<{name}{written}/>")


def number(value: float) -> str:
    """Write a coordinate: two decimals at most, no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def percent(part: float) -> str:
    """Write a share of the width, 0 to 1, as a percentage."""
    return f"{number(100 * part)}%"
