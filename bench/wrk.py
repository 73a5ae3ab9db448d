"""wrk, the load generator for calls per second."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import calls, machine

_NUMBER = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_WHOLE = re.compile(r"^\s+(\d+) requests in", re.MULTILINE)
_TROUBLE = re.compile(r"^\s*(Non-2xx.*|Socket errors:.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of wrk found."""

    calls_per_s: float
    calls: int
    trouble: str
    """wrk's own line about errors; empty when every call was answered 2xx."""
    load_core_busy: float
    """Share of the run for which the core of wrk and the upstream was busy; near 1 it is the limit, not the server."""
    served_core_busy: float


_VARIED = """
local number = 0
function request()
  number = number + 1
  return wrk.format(nil, nil, nil, (string.gsub(wrk.body, "All work", string.format("%08d", number), 1)))
end
"""


def run_wrk(
    folder: Path,
    port: int,
    key: str,
    *,
    connections: int,
    seconds: int,
    model: str = calls.MODEL,
    varies: bool = False,
    body: bytes = b"",
) -> Load:
    """Send chat calls over so many connections for a time; with `varies`, no two of them the same.

    The body is one for the model, unless another is given.
    """
    script = folder / "call.lua"
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in calls.headers(key).items()]
    text = (body or calls.request_body(model=model)).decode()
    script.write_text(
        "\n".join(['wrk.method = "POST"', *lines, f"wrk.body = [==[{text}]==]", _VARIED if varies else ""])
    )
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    shape = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    with machine.watch_cores() as use:
        done = subprocess.run(
            [*machine.pinned(machine.LOAD_CORE), "wrk", *shape, url], capture_output=True, text=True, check=True
        )
    rate, whole, trouble = (pattern.search(done.stdout) for pattern in (_NUMBER, _WHOLE, _TROUBLE))
    if rate is None or whole is None:
        raise ValueError(f"wrk said something unexpected: {done.stdout}")
    return Load(
        calls_per_s=float(rate[1]),
        calls=int(whole[1]),
        trouble=trouble[1] if trouble else "",
        load_core_busy=use.busy[machine.LOAD_CORE],
        served_core_busy=use.busy[machine.SERVED_CORE],
    )
