"""Made-up calls with every kind of cost and hostile names, and what they cost, worked out without the store."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from watchkeeper.core.call import Call
from watchkeeper.core.money import CostStatus
from watchkeeper.store.cost_rows import Dimension, Named, Spend, Step
from watchkeeper.testing.builders import seeded_calls

BERLIN = "Europe/Berlin"
DAY_BEFORE_DST = datetime(2026, 10, 24, tzinfo=UTC)
"""The clocks of Berlin go back an hour at 01:00 UTC of the next day."""
DAYS = 2
HOSTILE = ("a'b", 'x"y', "back\\slash", "tab\there", "line\nbreak", "'; DROP TABLE calls --", "{tag:String}", "%(a)s",
           "=1+1", "\\N", "ünï\u202e", "a,b", " ", "0")  # fmt: skip
STATUSES: tuple[CostStatus, ...] = get_args(CostStatus)


def billed_calls(count: int = 2_500, *, since: datetime = DAY_BEFORE_DST, seed: int = 7) -> list[Call]:
    """Calls over two days, by default those around a change of the clocks."""
    dice = random.Random(seed)
    start_ns = int(since.timestamp()) * 1_000_000_000
    calls = list(seeded_calls(count, seed, start_ns=start_ns, length_s=DAYS * 86_400.0, body_bytes=300))
    for call in calls:
        call.tags = dice.choices([*HOSTILE[:4], "beta"], k=dice.choice((0, 0, 1, 2, 3)))
        call.tenant = dice.choice([call.tenant, *HOSTILE]) if dice.random() < 0.3 else call.tenant
        call.release = dice.choice(("", "r1", "r2"))
        call.environment = dice.choice(("production", "staging"))
        call.subject = f"sub_{dice.randrange(60):016x}"
        call.session = dice.choice(("", "s1", *HOSTILE))
        call.cost_status = dice.choice(STATUSES)
        call.cost_nusd = None if call.cost_status == "unpriced" else dice.randrange(10 ** dice.randrange(12))
    return calls


@dataclass
class Sum:
    """What a group of calls comes to."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    uncounted_calls: int = 0
    nusd: int = 0
    estimated_nusd: int = 0
    disputed_nusd: int = 0
    estimated_calls: int = 0
    unpriced_calls: int = 0
    priced_tokens: int = 0

    def add(self, call: Call, corrected: int | None) -> None:
        usage = call.usage
        self.calls += 1
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_tokens += usage.cache_read
        self.uncounted_calls += call.usage_status == "missing"
        status, nusd = call.cost_status, call.cost_nusd
        if corrected is not None:
            if nusd is None:
                status = "measured" if call.usage_status == "measured" else "estimated"
            nusd = corrected
        if nusd is None:
            self.unpriced_calls += 1
            return
        self.nusd += nusd
        self.estimated_nusd += nusd if status == "estimated" else 0
        self.estimated_calls += status == "estimated"
        self.disputed_nusd += nusd if status == "disputed" else 0
        self.priced_tokens += 0 if usage is None else usage.input_tokens + usage.output_tokens

    def spend(self) -> Spend:
        return Spend(
            calls=self.calls,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens,
            uncounted_calls=self.uncounted_calls,
            cost_nusd=self.nusd if self.calls > self.unpriced_calls or not self.calls else None,
            estimated_nusd=self.estimated_nusd,
            disputed_nusd=self.disputed_nusd,
            estimated_calls=self.estimated_calls,
            unpriced_calls=self.unpriced_calls,
            priced_tokens=self.priced_tokens,
        )


@dataclass
class Bill:
    """Calls, and the corrections to them."""

    calls: list[Call]
    corrections: dict[str, int] = field(default_factory=dict[str, int])

    def by(self, *dimensions: Dimension, tz: str = "UTC") -> dict[tuple[str, ...], Spend]:
        """What each group of calls comes to."""
        sums: dict[tuple[str, ...], Sum] = defaultdict(Sum)
        for call in self.calls:
            for names in _names(call, dimensions, tz):
                sums[names].add(call, self.corrections.get(call.id))
        return {names: found.spend() for names, found in sums.items()}

    def chosen(self, holds: Callable[[Call], bool]) -> "Bill":
        """The calls of which something holds."""
        return Bill([call for call in self.calls if holds(call)], self.corrections)

    def total(self) -> Spend:
        """What all calls come to."""
        return self.by().get((), Sum().spend())


def value_of(call: Call, dimension: Named) -> str:
    """What a call is named by, but for its tags."""
    match dimension:
        case "model" | "provider":
            return getattr(call.attempts[-1], dimension) if call.attempts else ""
        case "key":
            return call.key_id
        case _:
            return str(getattr(call, dimension))


def step_of(call: Call, step: Step, tz: str) -> str:
    """In which stretch of local time a call began."""
    at = datetime.fromtimestamp(call.started_ns // 1000 / 1e6, UTC).astimezone(ZoneInfo(tz))
    match step:
        case "hour":
            return at.replace(minute=0, second=0, microsecond=0).isoformat()
        case "day":
            return at.date().isoformat()
        case "week":
            return (at.date() - timedelta(days=at.weekday())).isoformat()
        case "month":
            return at.date().replace(day=1).isoformat()


def _names(call: Call, dimensions: Iterable[Dimension], tz: str) -> Iterator[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for dimension in dimensions:
        match dimension:
            case "tag":
                values = list(dict.fromkeys(call.tags)) or [""]
            case "hour" | "day" | "week" | "month":
                values = [step_of(call, dimension, tz)]
            case _:
                values = [value_of(call, dimension)]
        found = [(*names, value) for names in found for value in values]
    return iter(found)
