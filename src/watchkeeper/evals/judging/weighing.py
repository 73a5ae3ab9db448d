"""How likely a model was to write another number in its answer, from the log probabilities that come with it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

TOKENS_MAX = 20_000


class _Alternative(Struct):
    token: str
    logprob: float


class _Token(Struct):
    token: str
    top_logprobs: list[_Alternative] = []


def odds_of(content: Mapping[str, Any], logprobs: Any) -> dict[str, dict[str, float]]:
    """Return, for each key of an answer whose value is a whole number, the probability of each text in its place.

    Args:
        content: The answer, an object.
        logprobs: `choices[0].logprobs.content` of a chat completion; anything else gives nothing.
    """
    if not isinstance(logprobs, list) or len(logprobs) > TOKENS_MAX:
        return {}
    try:
        tokens = msgspec.convert(logprobs, list[_Token])
    except msgspec.ValidationError:
        return {}
    found = {}
    for key, value in content.items():
        if type(value) is int and (odds := _odds(key, tokens)):
            found[key] = odds
    return found


def _odds(key: str, tokens: Sequence[_Token]) -> dict[str, float]:
    text = "".join(token.token for token in tokens)
    # What comes before a verdict may have a key of this name within; a quote in a text is written `\"`, and is none.
    start = text.rfind(f'"{key}"')
    if start < 0:
        return {}
    start += len(key) + 2
    while start < len(text) and text[start] in ": \t\r\n":
        start += 1
    place = 0
    for token in tokens:
        if place <= start < place + len(token.token):
            return _alternatives(token, start - place)
        place += len(token.token)
    return {}


def _alternatives(token: _Token, skipped: int) -> dict[str, float]:
    """Probabilities by what follows the blanks or the colon that the token itself begins with."""
    before = token.token[:skipped]
    odds: dict[str, float] = {}
    for other in token.top_logprobs:
        if other.token.startswith(before) and math.isfinite(other.logprob):
            written = other.token[skipped:].strip()
            odds[written] = odds.get(written, 0.0) + math.exp(min(0.0, other.logprob))
    return odds
