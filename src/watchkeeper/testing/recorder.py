"""A recorder that keeps what it is given."""

from watchkeeper.core.call import Call


class MemoryRecorder:
    """A `gateway.recorder.Recorder` for tests: recorded calls are in `calls`, in the order they came."""

    must_commit = False

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def require_room(self) -> None:
        """There is always room."""

    def append(self, call: Call) -> int | None:
        """Keep a call."""
        self.calls.append(call)
        return len(self.calls)

    async def commit(self, call: Call) -> int | None:
        """Keep a call."""
        return self.append(call)
