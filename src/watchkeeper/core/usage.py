"""Token usage in disjoint buckets, whatever dialect reported it."""

from operator import add
from typing import Literal

from msgspec import Struct
from msgspec.structs import astuple

UsageStatus = Literal["measured", "estimated", "missing"]
"""measured: the upstream reported it. estimated: we counted. missing: nobody did, and nothing was counted."""


class Usage(Struct, frozen=True, array_like=True, gc=False):
    """Tokens of one attempt, or of all attempts of a call.

    No token is counted in two buckets; the sum of all is what was processed.
    """

    input_uncached: int = 0
    """Input tokens billed at the full rate; excludes cache reads, cache writes and audio."""
    cache_read: int = 0
    """Input tokens served from the provider's prompt cache."""
    cache_write_5m: int = 0
    """Input tokens written to the provider's cache for the shorter lifetime."""
    cache_write_1h: int = 0
    """Input tokens written to the provider's cache for the longer lifetime."""
    output_text: int = 0
    """Output tokens the client can see; excludes reasoning and audio."""
    output_reasoning: int = 0
    """Output tokens spent on reasoning that the client cannot see."""
    audio_in: int = 0
    audio_out: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Add up two usages, bucket by bucket."""
        return Usage(*map(add, astuple(self), astuple(other)))

    @property
    def input_tokens(self) -> int:
        """All input, cached or not, of every modality."""
        return self.input_uncached + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.audio_in

    @property
    def output_tokens(self) -> int:
        """All output, reasoning and audio included."""
        return self.output_text + self.output_reasoning + self.audio_out
