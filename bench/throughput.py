"""Calls per second of one worker on one core, against nginx as a plain reverse proxy on the same core and upstream."""

import contextlib
from collections.abc import Sequence

from bench import calls, machine
from bench.figure import Figure, Settings, Target, median
from bench.gateway import gateway, swept_spool
from bench.nginx import reverse_proxy, static_reply
from bench.wrk import Load, run_wrk

CONNECTIONS = 64
SATURATED = 0.98
"""Above this the load side may set the pace, not the server."""


def measure(settings: Settings) -> list[Figure]:
    """Alternate between nginx and the worker, recording and not, several rounds; compare the medians."""
    rounds, seconds = settings.pick(5, 1), settings.pick(8, 2)
    scratch = settings.scratch / "throughput"
    found: dict[str, list[Load]] = {"nginx": [], "recording": [], "not recording": []}
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        upstream = enter(static_reply(scratch / "upstream", calls.reply_body(), core=machine.LOAD_CORE))
        proxy = enter(reverse_proxy(scratch / "proxy", upstream, core=machine.SERVED_CORE))
        on = enter(gateway(scratch / "on", upstream, records=True, core=machine.SERVED_CORE))
        off = enter(gateway(scratch / "off", upstream, records=False, core=machine.SERVED_CORE))
        enter(swept_spool(on))
        contenders = {"nginx": (proxy, on.key), "recording": (on.port, on.key), "not recording": (off.port, off.key)}
        for port, key in contenders.values():
            run_wrk(scratch, port, key, connections=CONNECTIONS, seconds=1)
        for _ in range(rounds):
            for name, (port, key) in contenders.items():
                found[name].append(run_wrk(scratch, port, key, connections=CONNECTIONS, seconds=seconds))
    return _figures(found)


def _figures(found: dict[str, list[Load]]) -> list[Figure]:
    rates = {name: [load.calls_per_s for load in loads] for name, loads in found.items()}
    nginx = median(rates["nginx"])
    rows = [Figure(name="nginx as reverse proxy", value=nginx, unit="calls/s", note=_note(found["nginx"]))]
    for name, limit in (("recording", 0.30), ("not recording", 0.40)):
        share = median([ours / theirs for ours, theirs in zip(rates[name], rates["nginx"], strict=True)])
        rows.append(
            Figure(
                name=f"calls/s on one core, {name}",
                value=share,
                unit="x nginx",
                target=Target("at least", limit),
                note=f"{median(rates[name]):,.0f} calls/s. {_note(found[name])}",
                samples=rates,
            )
        )
    return rows


def _note(loads: Sequence[Load]) -> str:
    busy = median([load.load_core_busy for load in loads])
    limit = ", which may be what limits it" if busy > SATURATED else ""
    trouble = next((load.trouble for load in loads if load.trouble), "")
    served = median([load.served_core_busy for load in loads])
    return f"Served core {served:.0%} busy, core of load and upstream {busy:.0%}{limit}. {trouble}".strip()
