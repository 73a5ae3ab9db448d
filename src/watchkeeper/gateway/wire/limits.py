"""What each side of the wire allows, and what happens at the limit. Sizes are bytes, times seconds."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits towards clients. A request past one is answered with the status named, and its connection is closed."""

    connections_max: int = 16_384
    """Open at once in one worker; the next one is answered 503."""
    target_bytes_max: int = 8 * KIB
    """Path and query; 414."""
    head_bytes_max: int = 64 * KIB
    """Request line and all header fields, as received; 431."""
    headers_max: int = 128
    """Header fields, trailers included; 431."""
    body_bytes_max: int = 64 * MIB
    """Of one request, after chunked coding is taken off; 413."""
    buffered_bytes_max: int = 256 * MIB
    """Request bodies held at once over all connections of one worker; 503."""
    framing_bytes_max: int = 16 * KIB
    """Chunk extensions and trailers of one request, beyond 16 bytes for each chunk; 400."""
    head_s: float = 15.0
    """From a request's first byte to the end of its head; 408."""
    body_window_s: float = 30.0
    body_window_bytes_min: int = 16 * KIB
    """A body that is not complete must bring at least this much in every window; 408."""
    idle_s: float = 75.0
    """Without a request under way; the connection is closed without an answer."""
    write_stall_s: float = 60.0
    """A client that takes nothing of what is waiting for it for this long is cut off."""
    linger_s: float = 2.0
    """How long a connection that is being closed may take to hear the last answer."""
    drain_grace_s: float = 0.25
    """While draining, idle connections may bring one more request for this long, answered with `connection: close`:
    it may have been on its way."""
    cut_grace_s: float = 2.0
    """When a drain's patience has ended and clients were cut off, handlers have this long to write it down."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits towards upstreams."""

    connections_per_origin_max: int = 4_096
    """Open or being opened; further calls wait for one to come free."""
    waiting_per_origin_max: int = 1_024
    """Calls that wait; the next one gets PoolFull at once, and one that waits past its connect timeout gets it then."""
    idle_per_origin_max: int = 512
    """Connections kept for reuse; one more is closed instead."""
    idle_s: float = 30.0
    """An unused connection is closed after this long."""
    head_bytes_max: int = 64 * KIB
    """Status line and header fields of a response, and later what comes without body bytes; MalformedResponse."""
    headers_max: int = 256
    """Header and trailer fields of a response; MalformedResponse."""
    resend_within_s: float = 1.0
    """A reused connection lost without an answer within this long after the request was written had been closed by the
    upstream before: the request is sent once more. Lost later, the upstream may have worked on it: ConnectionLost."""
