"""What calls have shown of each model: how many tokens a character of their input and of their output makes.

Some upstreams do not say what a call used, and none does once its stream is cut. Such calls are estimated by what the
same target reported for others. Counting the characters of a call means decoding both its bodies, so of a target that
is known only few calls are looked at, and the rarer the longer that takes.
"""

from typing import NamedTuple

from msgspec.structs import replace

from watchkeeper.core.clock import Clock
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.estimate import ROUGH, PerCharacter, characters_said, estimate, read_asked
from watchkeeper.gateway.relay import Relay

TARGETS_MAX = 1_000
"""Targets that are remembered; the next one starts over with none."""
EAGER_CALLS = 50
"""Of a new target so many are looked at, one after the other."""
CALLS_BETWEEN = 64
"""At least so many pass between two looks at a target that is known."""
LOOKING_S = 0.2e-6
"""How long looking may take for each call that passes: the longer one look takes, the later comes the next."""
CALLS_BETWEEN_MAX = 10_000
"""Also where a look took long because the host was busy."""
BODY_BYTES_MAX = 128 * 1024
"""Longer bodies are not looked at: decoding one would keep all other calls waiting."""
LEAST_CALLS = 5
"""Fewer show nothing yet."""
LEAST_PER_CHARACTER, MOST_PER_CHARACTER = 1 / 20, 2.0
"""A call beyond them is not believed: it counts something that is not in its text, or was not written here."""
KEPT = 0.98
"""Of what has been learned, with each further call: after fifty an old one counts for a third."""
WEIGHT_MAX = 20_000
"""Characters that one call counts as at most."""


class Most(NamedTuple):
    """What an estimate may come to."""

    input_tokens: int
    output_tokens: int | None = None
    """None for no limit."""


class _Ratio:
    """Tokens to characters, over calls of late.

    A quotient of forgotten sums: two numbers that need no list, follow a changed tokenizer, and weigh a call by its
    length, as its cost does. The mean of each call's own ratio would be ruled by short calls, where what the upstream
    adds to each is more than the text. The bounds and the largest weight keep a single call from spoiling it, which is
    what a median would be for.
    """

    __slots__ = ("calls", "characters", "tokens")

    def __init__(self) -> None:
        self.calls = 0
        self.characters = 0.0
        self.tokens = 0.0

    def observe(self, characters: int, tokens: int) -> None:
        if not LEAST_PER_CHARACTER * characters <= tokens <= MOST_PER_CHARACTER * characters or not characters:
            return
        weight = min(1.0, WEIGHT_MAX / characters)
        self.calls += 1
        self.characters = self.characters * KEPT + characters * weight
        self.tokens = self.tokens * KEPT + tokens * weight

    def per_character(self, otherwise: float) -> float:
        return self.tokens / self.characters if self.calls >= LEAST_CALLS else otherwise


class _Learned:
    """Of one target."""

    __slots__ = ("input", "looks", "output", "passing")

    def __init__(self) -> None:
        self.input = _Ratio()
        self.output = _Ratio()
        self.looks = 0
        self.passing = 0
        """Calls that are let pass before the next look."""


class Ratios:
    """What one worker has learned of its targets."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._learned: dict[str, _Learned] = {}

    def learn(self, target: str, sent: bytes, relay: Relay, usage: Usage) -> None:
        """Take in a whole answer whose usage the upstream reported; most of them pass unseen."""
        learned = self._learned.get(target)
        if learned is None:
            learned = self._new(target)
        elif learned.passing:
            learned.passing -= 1
            return
        if len(sent) + relay.body_bytes > BODY_BYTES_MAX:
            return
        began_at = self._now()
        _look(learned, sent, relay, usage)
        learned.looks += 1
        if learned.looks >= EAGER_CALLS:
            pause = int((self._now() - began_at) / LOOKING_S)
            learned.passing = min(max(CALLS_BETWEEN, pause), CALLS_BETWEEN_MAX)

    def estimate(self, target: str, sent: bytes, relay: Relay, most: Most, *, counted: Usage | None = None) -> Usage:
        """Estimate what an attempt used, from what was sent and what came of the reply.

        Args:
            counted: What the upstream counted before the reply broke off; it holds, but for output that came later.
        """
        found = estimate(
            sent, b"".join(relay.body), is_stream=relay.is_stream, per_character=self.per_character(target)
        )
        said = found.output_text if most.output_tokens is None else min(found.output_text, most.output_tokens)
        if counted is None:
            return Usage(input_uncached=min(found.input_uncached, most.input_tokens), output_text=said)
        return replace(counted, output_text=counted.output_text + max(0, said - counted.output_tokens))

    def per_character(self, target: str) -> PerCharacter:
        """Return what has been learned of a target; the rule of thumb where that is nothing."""
        learned = self._learned.get(target)
        if learned is None:
            return ROUGH
        return PerCharacter(learned.input.per_character(ROUGH.input), learned.output.per_character(ROUGH.output))

    def clear(self) -> None:
        """Forget everything."""
        self._learned.clear()

    def _new(self, target: str) -> _Learned:
        if len(self._learned) >= TARGETS_MAX:
            self._learned.clear()
        learned = self._learned[target] = _Learned()
        return learned


def _look(learned: _Learned, sent: bytes, relay: Relay, usage: Usage) -> None:
    """Compare what was counted with the text, where the text is all that was counted.

    Pictures, files, what the upstream keeps and what it found for itself are not in the text that was sent; reasoning
    may or may not be in the text that came.
    """
    if not (usage.image_in or usage.audio_in or usage.server_tools):
        asked = read_asked(sent)
        if not (asked.images or asked.files):
            learned.input.observe(asked.characters, usage.input_tokens)
    if not (usage.output_reasoning or usage.audio_out or usage.image_out):
        said = characters_said(b"".join(relay.body), is_stream=relay.is_stream)
        learned.output.observe(said, usage.output_text)
