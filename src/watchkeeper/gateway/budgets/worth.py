"""What a call may use before it is made: the most that is possible, and what calls like it mostly need."""

from typing import Literal, NamedTuple

from watchkeeper.gateway.budgets.spread import Spread, share_of
from watchkeeper.gateway.estimate import read_asked
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.tab import UNKNOWN, Tab, Worth
from watchkeeper.money.prices import PER_MILLION, Rate, Rates

IMAGE_TOKENS_MAX = 50_000
"""What one picture may count as: gpt-4o-mini takes 2,833 and 5,667 for each of up to eight tiles."""
ELSEWHERE_TOKENS_MAX = 200_000
"""What an upstream may add that is not in the body, such as a stored conversation or a file: a common context."""
REPAIR_TOKENS = 500
"""What a repair says of what is wrong."""
CHARACTER_BYTES_MAX = 4
_MARKS = (
    b"image", b"file", b"document", b"previous_response_id", b"conversation", b"container", b"item_reference", b"\\u",
)  # fmt: skip
"""Where none of them is, all that a request brings is text in its body."""
SPREADS_MAX = 2_000
"""Routes whose calls are compared with what they could have used."""
EACH_UNTIL, ONE_IN = 5_000, 4
"""Of so many calls each is learned from, then one in four."""
RATES_MAX = 1_000
"""Price rows whose highest rates are remembered; the next one starts over with none."""

Measure = Literal["cost", "tokens", "output"]


class Dearest(NamedTuple):
    """The highest rates of one target, in nano-dollars per million."""

    input: int
    output: int
    request_nusd: int

    def cost(self, sent_tokens: int, output_tokens: int) -> int:
        """Return what so many tokens can cost at most, in nano-dollars."""
        return self.request_nusd - -(sent_tokens * self.input + output_tokens * self.output) // PER_MILLION


class Appraiser:
    """Tells what calls may use, and learns from what they have used."""

    def __init__(self) -> None:
        self._dearest: dict[int, tuple[Rates, Dearest]] = {}
        self._spreads: dict[tuple[str, Measure], Spread] = {}
        self._settled = 0

    def in_tokens(self, passage: Passage, output_tokens: int) -> Worth:
        """Return the most tokens that a call can use.

        A token is at least one byte of the body, so its length bounds the input; where it brings pictures, the length
        of its text does, with `IMAGE_TOKENS_MAX` for each picture.
        """
        if passage.route is None or passage.call.surface == "count_tokens":
            return UNKNOWN
        return Worth(sum(with_repairs(passage, _input_bound(passage), output_tokens)), None)

    def in_money(self, passage: Passage, targets: tuple[PreparedTarget, ...], output_tokens: int) -> Worth:
        """Return the most tokens and money that a call can use, whichever of the targets answers it."""
        if passage.route is None or not targets:
            return Worth(max(1, len(passage.body)), None)
        if passage.call.surface == "count_tokens":
            return Worth(0, 0)
        sent, output_tokens = with_repairs(passage, _input_bound(passage), output_tokens)
        at_ns, further = passage.call.started_ns, passage.repairs
        most = 0
        for target in targets:
            for tier in _tiers(passage, target):
                rates = target.rates(at_ns, passage.call.tenant, tier)
                if rates is None:
                    return Worth(sent + output_tokens, None)
                dearest = self._of(rates)
                nusd = dearest.cost(sent, output_tokens) + further * dearest.request_nusd
                if nusd > most:
                    most = nusd
        return Worth(sent + output_tokens, most)

    def output_tokens(self, passage: Passage) -> int:
        """Return how long the answers to a request may become, all of them together."""
        view, route = passage.view, passage.route
        if view is None or route is None:
            return 0
        answers, limit = view.output_limit
        if limit is None:
            limit = route.max_output_tokens
            if route.missing_max_tokens == "p99":
                limit = share_of(limit, self.spread(route.name, "output").p99)
        return answers * limit

    def dearest(self, passage: Passage, targets: tuple[PreparedTarget, ...]) -> Dearest | None:
        """Return the highest rates among targets; None when one of them cannot be priced."""
        found = [
            target.rates(passage.call.started_ns, passage.call.tenant, tier)
            for target in targets
            for tier in _tiers(passage, target)
        ]
        known = [self._of(rates) for rates in found if rates is not None]
        return Dearest(*map(max, zip(*known, strict=True))) if known and len(known) == len(found) else None

    def spread(self, route: str, measure: Measure) -> Spread:
        """Return how calls of a route compare with the most they could have used."""
        found = self._spreads.get((route, measure))
        if found is None:
            if len(self._spreads) >= SPREADS_MAX:
                self._spreads.clear()
            found = self._spreads[route, measure] = Spread()
        return found

    def learn(self, passage: Passage, tab: Tab) -> None:
        """Compare what a call has used with what it could have."""
        call, route, worth = passage.call, passage.route, tab.worth
        usage = call.usage
        self._settled += 1
        if self._settled > EACH_UNTIL and self._settled % ONE_IN:
            return
        if usage is None or route is None or call.usage_status != "measured":
            return
        if worth.nusd and call.cost_nusd is not None:
            self.spread(route.name, "cost").observe(call.cost_nusd, worth.nusd)
        if tab.learns_tokens:
            self.spread(route.name, "tokens").observe(usage.input_tokens + usage.output_tokens, worth.tokens)
        if route.missing_max_tokens == "p99":
            self.spread(route.name, "output").observe(usage.output_tokens, route.max_output_tokens)

    def _of(self, rates: Rates) -> Dearest:
        known = self._dearest.get(id(rates))
        if known is not None and known[0] is rates:
            return known[1]
        if len(self._dearest) >= RATES_MAX:
            self._dearest.clear()
        found = highest(rates)
        self._dearest[id(rates)] = (rates, found)
        return found


def with_repairs(passage: Passage, sent: int, output: int) -> tuple[int, int]:
    """Return what a call sends and gets at its most, in tokens, when its answer has to be mended each time.

    A repair is asked with the request, the answer before it and a few words about what is wrong.
    """
    repairs = passage.repairs
    return sent + repairs * (sent + output + REPAIR_TOKENS), output * (1 + repairs)


def highest(rates: Rates) -> Dearest:
    """Return the highest rates that a token of input or output can be billed at."""
    by_bucket = rates.by_bucket
    inputs, outputs = (0, 1, 2, 3, 6, 8), (4, 5, 7, 9)
    return Dearest(
        _per_million(max(_most(by_bucket[place]) for place in inputs), rates.per),
        _per_million(max(_most(by_bucket[place]) for place in outputs), rates.per),
        rates.request_nusd,
    )


def _per_million(nusd: int, per: int) -> int:
    """Rounded up: what a contract leaves of a rate may have a fraction."""
    return nusd if per == PER_MILLION else -(-nusd * PER_MILLION // per)


def _tiers(passage: Passage, target: PreparedTarget) -> tuple[str, ...]:
    """Return the service tiers that a call may be billed at: all of them where its request names one."""
    return target.service_tiers if passage.view is not None and passage.view.names_tier else ("",)


def _input_bound(passage: Passage) -> int:
    body = passage.body
    if _is_text(body, may_refer=passage.call.surface in ("responses", "messages")):
        return len(body)
    asked = read_asked(body)
    if not (asked.images or asked.files):
        return len(body)
    text = min(asked.characters * CHARACTER_BYTES_MAX, len(body))
    return text + IMAGE_TOKENS_MAX * asked.images + (ELSEWHERE_TOKENS_MAX if asked.files else 0)


def _is_text(body: bytes, *, may_refer: bool) -> bool:
    """Tell quickly whether all that a request brings is text in its body; when in doubt, it is not.

    Each look through a body of 1 KB takes half a microsecond. What is no text is a part with a type, or kept elsewhere;
    any of these words can be written with escapes.
    """
    if b'type"' in body or (may_refer and (b'_id"' in body or b'conversation"' in body or b'container"' in body)):
        return not any(mark in body for mark in _MARKS)
    return b"\\" not in body or b"\\u" not in body


def _most(rate: Rate | None) -> int:
    if rate is None:
        return 0
    return max([rate.nusd_per_million, *(tier.nusd_per_million for tier in rate.tiers)])
