"""Calls as the gateway would record them while a rollout runs."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from watchkeeper.core.call import Attempt, Call, Origin
from watchkeeper.core.ids import CallIds
from watchkeeper.releases.standing import Rollout
from watchkeeper.testing import FakeClock

FEATURE = "support"


@dataclass(frozen=True)
class Quality:
    """What the calls of one release are like."""

    errors: float = 0.02
    failed_parses: float = 0.0
    cost_nusd: int | None = 2_000_000
    """None where nobody knows the price."""
    duration_ms: float = 800.0


class Clients:
    """Makes up calls: each has a subject, whose place decides on the release."""

    def __init__(self, clock: FakeClock, *, environment: str = "production", seed: int = 1) -> None:
        self._dice = random.Random(seed)
        self._clock = clock
        self._ids = CallIds(clock, random_bits=self._dice.getrandbits)
        self._environment = environment

    def call(
        self, rollout: Rollout | None, standing: str, qualities: dict[str, Quality], *, subjects: int = 100_000
    ) -> Iterator[Call]:
        """Go on calling now; every release without a quality of its own has the ordinary one."""
        while True:
            subject = f"sub_{self._dice.randrange(subjects)}"
            release = (rollout.arm_of(subject) if rollout is not None and rollout.kind != "shadow" else "") or standing
            quality = qualities.get(release, Quality())
            yield self.one(release, quality, rollout=rollout.id if rollout is not None else "", subject=subject)

    def one(
        self, release: str, quality: Quality, *, rollout: str, subject: str, origin: Origin = "client", of: str = ""
    ) -> Call:
        """Make one call of now."""
        is_error = self._dice.random() < quality.errors
        is_failed = self._dice.random() < quality.failed_parses
        duration_ms = quality.duration_ms * self._dice.lognormvariate(0, 0.4)
        cost = None if quality.cost_nusd is None else round(quality.cost_nusd * self._dice.lognormvariate(0, 0.5))
        call = Call(
            id=self._ids.next(),
            started_ns=self._clock.unix_ns(),
            worker="worker-0",
            feature=FEATURE,
            environment=self._environment,
            subject=subject,
            release=release,
            rollout=rollout,
            origin=origin,
            origin_call=of,
            status="error" if is_error else "ok",
            error_class="upstream_error" if is_error else "",
            http_status=502 if is_error else 200,
            duration_ms=duration_ms,
            served_from="" if is_error else "upstream",
            output_status="failed" if is_failed else "ok",
            cost_nusd=0 if is_error else cost,
            cost_status="measured" if cost is not None else "unpriced",
            response_body=b'{"choices":[{"message":{"role":"assistant","content":"It is on its way."}}]}',
        )
        call.attempts = [
            Attempt(
                number=1, provider="openai", model="gpt-4o-mini", dialect="openai", started_ms=0.1,
                ended_ms=duration_ms, http_status=call.http_status, error_class=call.error_class,
                cost_nusd=call.cost_nusd, cost_status=call.cost_status,
            )
        ]  # fmt: skip
        return call
