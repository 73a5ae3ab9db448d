"""A call on its way through the gateway."""

from msgspec import Struct

from watchkeeper.core.call import AttemptKind, Call
from watchkeeper.gateway.course import Course
from watchkeeper.gateway.neutral import EventWriter, Prompt
from watchkeeper.gateway.plan import PreparedRoute
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.shelf import Serving
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room
from watchkeeper.gateway.surfaces.views import View
from watchkeeper.gateway.tab import Tab
from watchkeeper.gateway.wire.server import Exchange

RECORDED_BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of each body; the full length is recorded beside it."""


class Passage(Struct, eq=False):
    """The client's exchange, the record that is being written, and how far the call has come."""

    exchange: Exchange
    call: Call
    room: Room
    zero: float
    """When the request's first byte arrived; the call's times count from here."""
    body: bytes
    """What is asked: the client's bytes, or what they were changed to so that they fit."""
    view: View | None = None
    route: PreparedRoute | None = None
    course: Course | None = None
    prompt: Prompt | None = None
    """The body, read for translation; None until that is needed."""
    relay: Relay | None = None
    """Of the latest attempt."""
    is_committed: bool = False
    """The client has the beginning of a stream."""
    delivered_before: int = 0
    """Bytes that attempts before the latest one gave to the client."""
    first_sent_at: float = 0.0
    """When the first of them did so; 0 where the latest attempt is the first to."""
    next_kind: AttemptKind = "first"
    waited_s: float = 0.0
    """On purpose, since the last attempt."""
    upstream_s: float = 0.0
    """Seconds spent waiting for upstreams, over all attempts, waits between them included."""
    ends_by: float = float("inf")
    """When the time is up, by the route's limit or the client's own."""
    retry_after_s: float = 0.0
    """When it is worth asking again, where the gateway knows that and no upstream was asked."""
    cache_key: bytes = b""
    """Under which the answer may be kept; empty when it may not."""
    tab: Tab | None = None
    """What it counts against; None where there is nothing, and once that has been settled."""
    shortenings: int = 0
    """How often the body has been shortened so that it fits."""
    writer: EventWriter | None = None
    """Of a stream that a later attempt may continue."""
    person: str = ""
    """Whom the call is for, as the client names them; never written down."""
    is_sdk_retry: bool = False
    """The client's library says that it has tried before."""
    serving: Serving | None = None
    """The release that serves the call, where the client names a feature."""
    asked: Room | None = None
    """The API that the body is written in, where that is not the client's."""
    holds_back: bool = False
    """The client gets nothing of a stream before all of it is there."""
    remade: bytes | None = None
    """The client's answer, where it had to be written anew because the upstream's did not fit."""
    most_nusd: int | None = None
    """What the release allows for the call."""
    repairs: int = 0
    """How often a model may be asked to mend the answer."""

    @property
    def written_in(self) -> Room:
        """The API that the body is written in."""
        return self.asked or self.room

    @property
    def may_continue(self) -> bool:
        """The call's stream is to be continued by another target should it break."""
        return self.call.is_stream and self.route is not None and self.route.commit == "continue"

    @property
    def frame(self) -> ReplyFrame:
        """What a translated reply carries beside what the model said."""
        wants_usage = self.view is not None and self.view.wants_usage
        return ReplyFrame(self.call.id, self.call.started_ns // 1_000_000_000, wants_usage, self.exchange.request.body)
