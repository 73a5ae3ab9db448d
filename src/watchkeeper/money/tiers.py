"""Reads the service tier that an upstream reports."""

import msgspec
from msgspec import Raw, Struct

NAME_MAX = 32
"""A longer name is not believed."""

_KNOWN = {
    b"": "",
    b"null": "",
    b'"default"': "",
    b'"standard"': "",
    b'"auto"': "",
    b'"on_demand"': "",
    b'"batch"': "batch",
    b'"fast"': "fast",
    b'"flex"': "flex",
    b'"priority"': "priority",
}
"""JSON as it is nearly always, and what it means; empty for the ordinary tier."""


class _Tier(Struct, gc=False):
    service_tier: Raw = Raw(b"")


_decode = msgspec.json.Decoder(_Tier).decode


def tier_of(field: Raw) -> str:
    """Read a `service_tier` as it stands in a reply; empty for the ordinary tier, and for what is no name."""
    known = _KNOWN.get(bytes(field))
    return known if known is not None else _name(field)


def tier_in(usage: bytes) -> str:
    """Read the tier that stands in a usage object, as Anthropic reports it."""
    try:
        return tier_of(_decode(usage).service_tier)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _name(field: Raw) -> str:
    try:
        name = msgspec.json.decode(field, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return name if len(name) <= NAME_MAX and name.isascii() and name.isprintable() else ""
