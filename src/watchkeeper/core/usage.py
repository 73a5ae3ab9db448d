"""Token usage in disjoint buckets, whatever dialect reported it."""

from operator import add
from typing import Literal

from msgspec import Struct
from msgspec.structs import astuple

UsageStatus = Literal["measured", "estimated", "missing"]
"""measured: the upstream reported it. estimated: we counted. missing: nobody did, and nothing was counted."""


class Usage(Struct, frozen=True, array_like=True, gc=False):
    """What one attempt used, or all attempts of a call: tokens, and requests of tools that the provider ran.

    No token is counted in two buckets; the sum of all is what was processed. A wire format: fields are written by
    position, and new ones come at the end.
    """

    input_uncached: int = 0
    """Input tokens billed at the full rate; excludes cache reads, cache writes, audio and pictures."""
    cache_read: int = 0
    """Input tokens served from the provider's prompt cache."""
    cache_write_5m: int = 0
    """Input tokens written to the provider's cache for the shorter lifetime."""
    cache_write_1h: int = 0
    """Input tokens written to the provider's cache for the longer lifetime."""
    output_text: int = 0
    """Output tokens the client can see; excludes reasoning, audio and pictures."""
    output_reasoning: int = 0
    """Output tokens spent on reasoning that the client cannot see."""
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    server_tools: int = 0
    """Requests, not tokens: searches of the web and the like that the provider ran and bills by the piece."""

    def plus(self, other: "Usage") -> "Usage":
        """Add up two usages, bucket by bucket."""
        return Usage(*map(add, astuple(self), astuple(other)))

    @property
    def input_tokens(self) -> int:
        """All input, cached or not, of every modality."""
        cached = self.cache_read + self.cache_write_5m + self.cache_write_1h
        return self.input_uncached + cached + self.audio_in + self.image_in

    @property
    def output_tokens(self) -> int:
        """All output, reasoning, audio and pictures included."""
        return self.output_text + self.output_reasoning + self.audio_out + self.image_out
