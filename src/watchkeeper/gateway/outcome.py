"""What an attempt amounted to."""

from typing import NamedTuple

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.usage import Usage


class Answer(NamedTuple):
    """A complete reply."""

    body: bytes
    """In the client's dialect; of a stream, what has not been sent."""
    model: str
    usage: Usage | None
    """None when the upstream did not say, or said something that cannot be read."""
    service_tier: str = ""
    """As in `core.call.Attempt`; of a stream, its reader knows it."""


class Failure(NamedTuple):
    """Why an upstream's reply is not an answer."""

    error_class: ErrorClass
    code: str | None
    message: str
    usage: Usage | None = None
    """What the upstream says that it took all the same."""
    is_readable: bool = False
    """The upstream's error is in its dialect's shape, so that a client of the same dialect may be shown it."""


def not_a_reply(status: int, body: bytes) -> Failure:
    """Describe a body that cannot be read."""
    start = " ".join(body[:80].decode(errors="replace").split())
    message = f"The upstream answered {status} with something that is not a reply: {start}"
    return Failure("malformed_reply", "not_json", message)


def class_of_status(status: int) -> ErrorClass:
    """Return the class of a failure of which nothing but the status is known."""
    match status:
        case 401 | 403:
            return "upstream_auth"
        case 404:
            return "not_found"
        case 408 | 504:
            return "timeout"
        case 413:
            return "too_large"
        case 429:
            return "rate_limit"
        case 503 | 529:
            return "capacity"
        case _ if 400 <= status < 500:
            return "bad_request"
        case _:
            return "upstream_error"
