"""How an upstream's connection can fail, named by the phase it was in."""

from watchkeeper.core.errors import UpstreamError


class WireFault(UpstreamError):
    """Root of the faults of one attempt; the message says what happened."""


class ConnectFailed(WireFault):
    """No connection could be opened; nothing was sent."""

    code = "connect_failed"


class NameUnresolved(ConnectFailed):
    """The upstream's host name has no address."""

    code = "name_unresolved"


class ConnectRefused(ConnectFailed):
    """Nobody listens at the upstream's address."""

    code = "connect_refused"


class TlsFailed(ConnectFailed):
    """The upstream was reached, and its certificate or TLS version was not acceptable."""

    code = "tls_failed"


class ConnectTimeout(WireFault):
    """No connection could be opened in time; nothing was sent."""

    code = "connect_timeout"
    http_status = 504


class PoolFull(WireFault):
    """As many connections to this upstream as allowed are in use; nothing was sent."""

    code = "pool_full"
    http_status = 503


class ConnectionLost(WireFault):
    """The connection ended before the response's head was complete; the upstream may have worked on the request."""

    code = "connection_lost"


class BodyCut(WireFault):
    """The connection ended in the middle of the response's body."""

    code = "body_cut"


class MalformedResponse(WireFault):
    """What came back is not well-formed HTTP/1.1, or larger than allowed."""

    code = "malformed_response"
