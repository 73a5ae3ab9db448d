"""Finds the first rule of a route that holds for a request."""

from collections.abc import Callable, Sequence

from watchkeeper.gateway.estimate import asked_of, input_tokens
from watchkeeper.gateway.language import language_of
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.snapshot import Rule, When

_MINUTES = 24 * 60


class _Seen:
    """A request as rules see it; what takes time is found out once, and only if a rule asks."""

    def __init__(self, passage: Passage, at_ns: int) -> None:
        self.passage = passage
        self.minute = at_ns // 60_000_000_000 % _MINUTES
        self._tokens: int | None = None
        self._asked: dict[str, bool] | None = None
        self._language: str | None = None

    @property
    def tokens(self) -> int:
        if self._tokens is None:
            self._tokens = input_tokens(self.passage.body)
        return self._tokens

    @property
    def asked(self) -> dict[str, bool]:
        if self._asked is None:
            self._asked = asked_of(self.passage.body)
        return self._asked

    @property
    def language(self) -> str:
        if self._language is None:
            self._language = language_of(self.passage.body)
        return self._language


_Check = Callable[[When, _Seen], bool]

_CHECKS: tuple[_Check, ...] = (
    # in order of what they cost; each holds where its condition is not given
    lambda when, seen: when.stream is None or when.stream == seen.passage.call.is_stream,
    lambda when, seen: not when.feature or seen.passage.call.feature in when.feature,
    lambda when, seen: not when.tenant or seen.passage.call.tenant in when.tenant,
    lambda when, seen: not when.tags or not set(when.tags).isdisjoint(seen.passage.call.tags),
    lambda when, seen: when.metadata.items() <= seen.passage.call.metadata.items(),
    lambda when, seen: when.budget_used_over is None or _budget_share(seen.passage) > when.budget_used_over,
    lambda when, seen: when.minutes is None or _is_within(when.minutes, seen.minute),
    lambda when, seen: when.tools is None or when.tools == seen.asked["tools"],
    lambda when, seen: when.images is None or when.images == seen.asked["images"],
    lambda when, seen: when.tokens_over is None or seen.tokens > when.tokens_over,
    lambda when, seen: when.tokens_under is None or seen.tokens < when.tokens_under,
    lambda when, seen: not when.language or seen.language in when.language,
)


def first_that_holds(rules: Sequence[Rule], passage: Passage, at_ns: int) -> int | None:
    """Return the index of the first rule whose conditions all hold; None when there is none."""
    seen = _Seen(passage, at_ns)
    for index, rule in enumerate(rules):
        if all(check(rule.when, seen) for check in _CHECKS):
            return index
    return None


def _budget_share(passage: Passage) -> float:
    return passage.tab.used_share(passage.call.started_ns / 1e9) if passage.tab is not None else 0.0


def _is_within(minutes: tuple[int, int], minute: int) -> bool:
    start, end = minutes
    return start <= minute < end if start <= end else minute >= start or minute < end
