"""What can be wrong with a promptfoo configuration before anything is asked."""

from watchkeeper.core.errors import CallerError


class ConfigRefused(CallerError):
    """A configuration cannot be read, or has nothing in it that could be run; nothing was asked."""

    code = "promptfoo_config_refused"
    http_status = 422


class NothingSelected(ConfigRefused):
    """The filters leave no test; promptfoo would run an empty one in their place, which passes."""

    code = "promptfoo_nothing_selected"


class CaseFailed(Exception):
    """One case cannot be asked or marked, for a reason that is told; its result is an error."""
