"""Why the gateway itself does not answer a call. Each one becomes an error in the client's own dialect."""

from typing import ClassVar

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.errors import CallerError, InternalError, UpstreamError, WatchkeeperError


class Refusal(WatchkeeperError):
    """A call that ends without an answer from an upstream."""

    error_class: ClassVar[ErrorClass] = "invalid_request"
    error_type: ClassVar[str] = "invalid_request_error"
    """OpenAI's `error.type`."""
    retry_after_s: int = 0
    """When it is worth asking again; 0 where that is not known."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class BadRequest(Refusal, CallerError):
    """The body is not what this endpoint takes; nothing was sent upstream."""

    code = "invalid_request"
    http_status = 400


class NotCarried(Refusal, CallerError):
    """The request holds something that no target of its route has a place for; nothing was sent upstream."""

    code = "not_supported"
    http_status = 400


class KeyMissing(Refusal, CallerError):
    """No key was presented."""

    code = "missing_api_key"
    http_status = 401
    error_class = "authentication"
    error_type = "authentication_error"


class KeyRefused(Refusal, CallerError):
    """The key is unknown, revoked or expired."""

    code = "invalid_api_key"
    http_status = 401
    error_class = "authentication"
    error_type = "authentication_error"


class TenantMismatch(Refusal, CallerError):
    """The request names another tenant than the one its key is bound to."""

    code = "tenant_mismatch"
    http_status = 403
    error_class = "authentication"
    error_type = "permission_error"


class PassingRefused(Refusal, CallerError):
    """A key of one tenant asks for a provider's own API, whose account knows no tenants."""

    code = "passthrough_refused"
    http_status = 403
    error_class = "authentication"
    error_type = "permission_error"


class PromptRefused(Refusal, CallerError):
    """The key is of another feature than the prompt."""

    code = "prompt_refused"
    http_status = 403
    error_class = "authentication"


class ModelUnknown(Refusal, CallerError):
    """No route and no provider answers to this model name."""

    code = "model_not_found"
    http_status = 404
    error_class = "not_found"


class NothingLive(Refusal, CallerError):
    """The feature serves nothing in this environment."""

    code = "feature_not_live"
    http_status = 404
    error_class = "not_found"


class ReleaseMissing(Refusal, CallerError):
    """There is no such release of the feature."""

    code = "release_not_found"
    http_status = 404
    error_class = "not_found"


class RetrievalFailed(Refusal, UpstreamError):
    """The documents that the prompt needs were not found in time; no model was asked."""

    code = "retrieval_failed"
    http_status = 502
    error_class = "upstream_error"
    error_type = "server_error"
    may_retry = True


class PathUnknown(Refusal, CallerError):
    """The gateway has no such endpoint."""

    code = "not_found"
    http_status = 404
    error_class = "not_found"


class MetricsClosed(Refusal, CallerError):
    """Another host asks for the counts, and the configuration does not open them."""

    code = "metrics_closed"
    http_status = 403
    error_class = "authentication"
    error_type = "permission_error"


class MethodUnknown(Refusal, CallerError):
    """The endpoint exists but not for this method."""

    code = "method_not_allowed"
    http_status = 405


class BudgetExceeded(Refusal, CallerError):
    """A budget has no room for the call; nothing was sent upstream."""

    code = "budget_exceeded"
    http_status = 429
    error_class = "budget_exceeded"
    error_type = "insufficient_quota"

    def __init__(self, message: str, *, budget: str) -> None:
        self.budget = budget
        super().__init__(message)


class PriceUnknown(BudgetExceeded):
    """Money is limited and nobody can tell what the call would cost; nothing was sent upstream."""

    code = "price_unknown"


class LimitReached(Refusal, CallerError):
    """So many calls were made lately, or are under way, that one more is refused; nothing was sent upstream."""

    code = "rate_limit_exceeded"
    http_status = 429
    error_class = "rate_limited"
    error_type = "rate_limit_error"
    may_retry = True

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Runaway(Refusal, CallerError):
    """The session seems to run away; nothing was sent upstream."""

    code = "runaway"
    http_status = 429
    error_class = "runaway"
    error_type = "insufficient_quota"


class BudgetUnsure(Refusal, InternalError):
    """Nobody can tell whether a budget has room, and it says to refuse then; nothing was sent upstream."""

    code = "budget_unsure"
    http_status = 503
    error_class = "overloaded"
    error_type = "server_error"
    retry_after_s: int = 2


class NotReady(Refusal, InternalError):
    """The worker has no configuration yet."""

    code = "not_ready"
    http_status = 503
    error_class = "overloaded"
    error_type = "server_error"


class NotRecorded(Refusal, InternalError):
    """The call could not be written down, and `durability: disk` promises that it is."""

    code = "not_recorded"
    http_status = 503
    error_class = "not_recorded"
    error_type = "server_error"


class Defect(Refusal, InternalError):
    """Watchkeeper failed."""

    code = "internal"
    http_status = 500
    error_class = "internal"
    error_type = "server_error"
