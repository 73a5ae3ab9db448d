"""A recorder that keeps what it is given."""

from watchkeeper.core.call import Call
from watchkeeper.core.feedback import FeedbackEvent


class MemoryRecorder:
    """A `gateway.recorder.Recorder` for tests: `calls` and `feedback` hold what was recorded, in the order it came."""

    must_commit = False

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.feedback: list[FeedbackEvent] = []

    def require_room(self) -> None:
        """There is always room."""

    def append(self, call: Call) -> int | None:
        """Keep a call."""
        self.calls.append(call)
        return len(self.calls)

    async def commit(self, call: Call) -> int | None:
        """Keep a call."""
        return self.append(call)

    async def commit_feedback(self, event: FeedbackEvent) -> None:
        """Keep feedback."""
        self.feedback.append(event)
