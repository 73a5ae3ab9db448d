"""What an application can be told instead of a prompt."""

from watchkeeper.core.errors import CallerError, UpstreamError


class NotServed(CallerError):
    """The gateway serves no such feature in this environment, or no such release."""

    code = "not_served"
    http_status = 404


class AccessRefused(CallerError):
    """The gateway does not give this out under this key."""

    code = "access_refused"
    http_status = 403


class Unavailable(UpstreamError):
    """The gateway was not reached, or could not answer, and nothing is kept from before."""

    code = "prompt_unavailable"
    http_status = 503


class CannotRender(CallerError, ValueError):
    """The prompt cannot be rendered with what was given, or not be said in the API that was asked for."""

    code = "cannot_render"

    def __init__(self, message: str, *, variable: str = "") -> None:
        super().__init__(message)
        self.variable = variable
        """The variable it is about; empty where it is about none."""
