"""Scripts that choose, by the request or by the time, whether another script is played."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from watchkeeper.testing.asked import Asked
from watchkeeper.testing.faults import ErrorReply
from watchkeeper.testing.scripts import Reply, Script
from watchkeeper.testing.steps import Step

PLAIN = Reply()
NO_PREFILL = ErrorReply(
    400,
    message="This model does not support assistant message prefill. The conversation must end with a user message.",
    error_type="invalid_request_error",
)
DOWN = ErrorReply(503, message="The scripted upstream is down.")


@dataclass(frozen=True, slots=True)
class NoPrefill:
    """Refuses a request that ends with an assistant's message; plays the other script for all else."""

    script: Script = PLAIN

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Refuse or play."""
        return (self.script if asked.prefill is None else NO_PREFILL).steps(asked)


@dataclass(slots=True)
class DownFor:
    """Refuses with 503 until so long after the first request that met it, then plays the script."""

    seconds: float
    script: Script = PLAIN
    monotonic: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None, init=False)

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Refuse or play."""
        now = self.monotonic()
        if self._since is None:
            self._since = now
        return (DOWN if now - self._since < self.seconds else self.script).steps(asked)
