"""What a scripted upstream does on a connection, one step after another."""

from dataclasses import dataclass
from http import HTTPStatus

CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes in one piece."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more, until the client goes away or the upstream is closed."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order (FIN)."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Tear the connection down (RST)."""


Step = Send | Wait | Hang | Close | Reset
"""A script that runs out of steps leaves the connection open for the next request."""

End = Hang | Close | Reset


def head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Write a status line and header fields with the empty line behind them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unassigned"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + CRLF + CRLF


def chunk(data: bytes) -> bytes:
    """Frame bytes as one chunk of chunked transfer coding; no bytes make the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
