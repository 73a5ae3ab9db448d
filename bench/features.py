"""What a release costs a call: rendering by itself, and the throughput of a feature against that of a plain call."""

import contextlib
import json
import time

from bench import calls, machine
from bench.figure import Figure, Settings, Target, median
from bench.gateway import gateway, swept_spool
from bench.nginx import static_reply
from bench.wrk import Load, run_wrk
from watchkeeper.releases.prepared import Prepared
from watchkeeper.releases.recipe import Message, Recipe

CONNECTIONS = 64
ROUNDS = 3
TEMPLATE_CHARACTERS = 2_048
VARIABLES = 10
RENDERING_BELOW_US = 30.0
SHARE_AT_LEAST = 0.7
RELEASES = 10_000
FEATURES = 500


def measure(settings: Settings) -> list[Figure]:
    """Time rendering; alternate between plain calls and calls of a feature, alone and among many."""
    few, many = [_recipe("bench", 0)], _many(settings.pick(RELEASES, 100), settings.pick(FEATURES, 10))
    return [_rendering(settings), _throughput(settings, few, "one release"), _throughput(settings, many, _said(many))]


def _recipe(feature: str, number: int) -> Recipe:
    """A prompt of 2 KB with ten variables."""
    filler = "All work and no play makes a dull prompt. " * 60
    text = f"Number {number}. " + " ".join(f"{filler[:150]} {{{{ v{place} }}}}" for place in range(VARIABLES))
    text += filler[: TEMPLATE_CHARACTERS - len(text)]
    return Recipe(
        feature=feature,
        model=calls.MODEL,
        messages=(Message("system", text), Message("user", "{{ v0 }}")),
        variables={f"v{place}": {"type": "string"} for place in range(VARIABLES)},
        parameters={"temperature": 0, "max_tokens": 200},
    )


def _many(releases: int, features: int) -> list[Recipe]:
    others = [_recipe(f"feature-{number % features}", number) for number in range(releases - 1)]
    return [*others, _recipe("bench", 0)]


def _said(recipes: list[Recipe]) -> str:
    return f"{len(recipes):,} releases of {len({recipe.feature for recipe in recipes})} features"


def _values() -> dict[str, str]:
    return {f"v{place}": f"the value of variable number {place}" for place in range(VARIABLES)}


def _rendering(settings: Settings) -> Figure:
    prepared, given = Prepared(_recipe("bench", 0)), _values()
    times, best = settings.pick(20_000, 500), float("inf")
    for _ in range(5):
        began_at = time.perf_counter()
        for _ in range(times):
            prepared.render(prepared.variables.complete(given))
        best = min(best, time.perf_counter() - began_at)
    return Figure(
        name="variables checked and a prompt rendered",
        value=best / times * 1e6,
        unit="us",
        target=Target("below", RENDERING_BELOW_US),
        note="2 KB of template, ten variables. The best of five.",
    )


def _throughput(settings: Settings, recipes: list[Recipe], among: str) -> Figure:
    rounds, seconds = settings.pick(ROUNDS, 1), settings.pick(5, 2)
    scratch = settings.scratch / "features"
    rendered = Prepared(recipes[-1]).render(_values())
    messages = [{"role": role, "content": content} for role, content in rendered]
    bodies = {
        "plain": json.dumps({"model": calls.MODEL, "messages": messages, "temperature": 0, "max_tokens": 200}).encode(),
        "feature": json.dumps({"model": "feature/bench", "variables": _values()}).encode(),
    }
    found: dict[str, list[Load]] = {kind: [] for kind in bodies}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(static_reply(scratch / "upstream", calls.reply_body(), core=machine.LOAD_CORE))
        worker = stack.enter_context(
            gateway(scratch / "on", upstream, records=True, core=machine.SERVED_CORE, releases=recipes)
        )
        stack.enter_context(swept_spool(worker))
        for number in range(rounds + 1):
            for kind, body in bodies.items():
                load = run_wrk(
                    scratch,
                    worker.port,
                    worker.key,
                    connections=CONNECTIONS,
                    seconds=seconds if number else 1,
                    body=body,
                )
                if number:
                    found[kind].append(load)
    rates = {kind: [load.calls_per_s for load in loads] for kind, loads in found.items()}
    share = median([one / plain for one, plain in zip(rates["feature"], rates["plain"], strict=True)])
    trouble = next((load.trouble for loads in found.values() for load in loads if load.trouble), "")
    return Figure(
        name=f"calls/s of a feature, {among}",
        value=share,
        unit="x plain",
        target=Target("at least", SHARE_AT_LEAST),
        note=f"{median(rates['feature']):,.0f} against {median(rates['plain']):,.0f} calls/s. {trouble}".strip(),
        samples=rates,
    )
