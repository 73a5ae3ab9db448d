"""Plays scenarios against an installation, all of them at once: each has targets and a route of its own."""

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench.failover.clients import VARIANTS, Ask, Variant, ask_with
from bench.failover.scenarios import SCENARIOS, SEQUENCE, SEQUENCE_EVERY_S, Scenario, Seen
from watchkeeper.testing import Upstream
from watchkeeper.testing.harness import Installation

_SECONDS = re.compile(r"\{s:(\d+)\}")


class Part(NamedTuple):
    """A scenario, asked in one way."""

    scenario: Scenario
    variant: Variant

    @property
    def model(self) -> str:
        """Of the primary; the fallback's has `-spare` behind it."""
        return f"{self.scenario.id.lower()}-{self.variant.replace(' ', '-')}"

    @property
    def spare(self) -> str:
        """The fallback's model."""
        return f"{self.model}-spare"


class Score(NamedTuple):
    """How one part went."""

    part: Part
    wrong: list[str]
    seen: Seen


PARTS: tuple[Part, ...] = tuple(Part(scenario, variant) for scenario in SCENARIOS for variant in VARIANTS)


def play(folder: Path, parts: Iterable[Part], *, second: float) -> list[Score]:
    """Play parts, with seconds of the given length, and judge them."""
    chosen = list(parts)
    with Upstream() as upstream:
        for part in chosen:
            upstream.plays(*[script(second) for script in part.scenario.once], model=part.model)
            upstream.always(part.scenario.always(second), model=part.model)
            upstream.always(part.scenario.fallback, model=part.spare)
        with (
            Installation(folder, config(upstream, chosen, second)) as installation,
            ThreadPoolExecutor(len(chosen)) as pool,
        ):
            return list(pool.map(lambda part: _score(part, installation, upstream, second), chosen))


def config(upstream: Upstream, parts: Iterable[Part], second: float) -> str:
    """Write the configuration: the fallback always speaks the other dialect."""
    address = upstream.base_url.removesuffix("/v1")
    lines = [
        "providers:",
        f"  openai-like: {{dialect: openai, base_url: {address}/v1, price_list: free, speaks: [chat]}}",
        f"  anthropic-like: {{dialect: anthropic, base_url: {address}, price_list: free}}",
        "routes:",
    ]
    for part in parts:
        mine, other = "openai-like", "anthropic-like"
        if part.variant == "messages stream":
            mine, other = other, mine
        further = _SECONDS.sub(lambda found: f"{float(found[1]) * second * 1000:g}ms", part.scenario.route)
        further = further.replace("spare/{spare}", f"{other}/{part.spare}")
        lines += [
            f"  {part.model}:",
            f"    targets: [{mine}/{part.model}]",
            f"    fallbacks: [{other}/{part.spare}]",
            f"    retries: {{backoff: {250 * second:g}ms, backoff_max: {8000 * second:g}ms}}",
            *([f"    {further}"] if further else []),
        ]
    return "\n".join(lines) + "\n"


def _score(part: Part, installation: Installation, upstream: Upstream, second: float) -> Score:
    ask = ask_with(part.variant, installation.base_url, installation.key)
    began_at = time.monotonic()
    if part.scenario.is_sequence:
        sequence = []
        for number in range(SEQUENCE):
            time.sleep(max(0.0, began_at + number * SEQUENCE_EVERY_S * second - time.monotonic()))
            sequence.append(_ask(part, ask, installation))
        seen = replace(sequence[-1], sequence=sequence)
    else:
        seen = _ask(part, ask, installation)
    seen = replace(seen, primary=_asked(upstream, part.model), fallback=_asked(upstream, part.spare))
    wrong = [fault for check in part.scenario.checks if (fault := check(seen, second))]
    return Score(part, wrong, seen)


def _ask(part: Part, ask: Ask, installation: Installation) -> Seen:
    began_at = time.monotonic()
    text = error = model = call_id = ""
    has_usage = False
    try:
        text, model, has_usage, call_id = ask(part.model)
    except Exception as problem:  # whatever a client raises is what its user sees
        error = f"{type(problem).__name__}: {problem}"
    took_s = time.monotonic() - began_at
    record = installation.call(call_id) if call_id else {}
    return Seen(
        text=text, error=error, model=model, has_usage=has_usage, took_s=took_s, primary=[], fallback=[], record=record
    )


def _asked(upstream: Upstream, model: str) -> list[float]:
    """When a model was asked, in seconds from the first time that its primary was."""
    received = [one for one in upstream.received if one.asked.model in (model, model.removesuffix("-spare"))]
    first = min((one.came_at for one in received), default=0.0)
    return [one.came_at - first for one in received if one.asked.model == model]
