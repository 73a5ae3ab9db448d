"""A call on its way through the gateway."""

from msgspec import Struct

from watchkeeper.core.call import Call
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.surfaces.openai import View
from watchkeeper.gateway.wire.server import Exchange

RECORDED_BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of each body; the full length is recorded beside it."""


class Passage(Struct, eq=False):
    """The client's exchange, the record that is being written, and the latest attempt."""

    exchange: Exchange
    call: Call
    zero: float
    """When the request's first byte arrived; the call's times count from here."""
    view: View | None = None
    keeps_usage: bool = True
    """The client asked for the usage of its stream."""
    relay: Relay | None = None
    """Of the latest attempt."""
    upstream_s: float = 0.0
    """Seconds spent waiting for upstreams, over all attempts."""

    @property
    def is_streaming(self) -> bool:
        """The client has the beginning of a stream."""
        return self.relay is not None and self.relay.is_streaming
