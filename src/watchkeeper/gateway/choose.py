"""Chooses which targets may answer a call, and in which order."""

import random
from bisect import bisect_right
from collections.abc import Callable
from hashlib import blake2b

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.course import Course
from watchkeeper.gateway.estimate import input_tokens
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import Plan, PreparedRoute, PreparedTarget
from watchkeeper.gateway.rules import first_that_holds
from watchkeeper.money.prices import cost_nusd

EXPECTED_OUTPUT_TOKENS = 500
"""Of a call whose cost is compared and whose length nobody knows yet."""
NUSD_PER_USD = 1_000_000_000


class Chooser:
    """Makes courses."""

    def __init__(self, clock: Clock, roll: Callable[[], float] = random.random) -> None:
        self._unix_ns = clock.unix_ns
        self._roll = roll

    def course(self, passage: Passage, plan: Plan, route: PreparedRoute) -> Course:
        """Choose for one call. What `models` in its body names comes instead of the route's own targets."""
        view = passage.view
        if view is not None and view.models is not None:
            named = [plan.resolve(name) for name in view.models]
            tier = passage.tab.tier if passage.tab is not None else ""
            targets = [target for one in named for target in (*one.tiers.get(tier, one.targets), *one.fallbacks)]
            return Course(targets=tuple(dict.fromkeys(targets)), strategy="models")
        tier = passage.tab.tier if passage.tab is not None else ""
        if route.is_ordered and tier not in route.tiers:
            targets_of_route = route.targets + route.fallbacks if route.fallbacks else route.targets
            return Course(targets=targets_of_route, tier=route.tier)
        course = Course(targets=route.targets, strategy=route.strategy, tier=route.tier)
        if tier in route.tiers:
            course.tier, course.targets = tier, route.tiers[tier]
        elif route.rules:
            self._pick_tier(course, passage, route)
        match route.strategy:
            case "order":
                pass
            case "weights":
                self._by_weight(course, passage.call, route)
            case "latency":
                self._by_latency(course, route)
            case "price":
                self._by_price(course, passage, route)
        if route.fallbacks:
            course.targets = tuple(dict.fromkeys((*course.targets, *route.fallbacks)))
        return course

    def _pick_tier(self, course: Course, passage: Passage, route: PreparedRoute) -> None:
        number = first_that_holds(route.rules, passage, self._unix_ns())
        if number is not None:
            course.rule = number + 1
            course.tier = route.rules[number].tier
            course.targets = route.tiers[course.tier]

    def _by_weight(self, course: Course, call: Call, route: PreparedRoute) -> None:
        """Draw the first target by its share; the others follow by theirs, those without one last."""
        drawing = route.drawn.get(course.tier)
        if drawing is None:
            return
        course.scores = drawing.shares
        if drawing.orders:
            number = bisect_right(drawing.bounds, self._point(call, route) * drawing.bounds[-1])
            course.targets = drawing.orders[min(number, len(drawing.orders) - 1)]

    def _point(self, call: Call, route: PreparedRoute) -> float:
        """Return a number from 0 to 1: always the same one for whom the route is sticky to."""
        holders = {"subject": call.subject, "session": call.session, "tenant": call.tenant, "key": call.key_id}
        holder = holders.get(route.sticky, "")
        if not holder:
            return self._roll()
        digest = blake2b(f"{route.name}\0{holder}".encode(), digest_size=7).digest()
        return int.from_bytes(digest) / 2**56

    def _by_latency(self, course: Course, route: PreparedRoute) -> None:
        """The quickest first; one that has not been measured comes before all, so that it is."""
        course.scores = {target.name: round(target.health.expected_ms, 3) for target in course.targets}
        course.targets = tuple(sorted(course.targets, key=lambda one: course.scores[one.name]))
        self._require(course, route)

    def _by_price(self, course: Course, passage: Passage, route: PreparedRoute) -> None:
        """The cheapest first; one whose price nobody knows comes last."""
        sent = input_tokens(passage.body)
        usage = Usage(input_uncached=sent, output_text=EXPECTED_OUTPUT_TOKENS)
        prices = {target.name: self._price(target, usage, passage.call.tenant) for target in course.targets}
        course.scores = {name: price / NUSD_PER_USD for name, price in prices.items() if price is not None}
        ceiling = route.price_below_nusd

        def by_price(target: PreparedTarget) -> tuple[bool, int]:
            price = prices[target.name]
            return (price is None, price or 0)

        targets = sorted(course.targets, key=by_price)
        if ceiling is not None:
            for target in targets:
                price = prices[target.name]
                if price is None or price > ceiling:
                    course.exclude(target.name, "unpriced" if price is None else "dearer than the route allows")
            targets = [target for target in targets if target.name not in course.exclusions]
        course.targets = tuple(targets)
        self._require(course, route)

    def _price(self, target: PreparedTarget, usage: Usage, tenant: str) -> int | None:
        rates = target.rates(self._unix_ns(), tenant)
        return None if rates is None else cost_nusd(usage, rates)

    def _require(self, course: Course, route: PreparedRoute) -> None:
        """Leave out targets that have been slower than the route allows, unless that leaves none."""
        if route.first_token_below_s is None:
            return
        limit_ms = route.first_token_below_s * 1000
        slow = [target for target in course.targets if target.health.first_token_ms > limit_ms]
        if len(slow) == len(course.targets):
            return
        for target in slow:
            course.exclude(target.name, f"its first token took {target.health.first_token_ms:.0f} ms lately")
        course.targets = tuple(target for target in course.targets if target not in slow)
