"""A whole Watchkeeper in a folder of its own, started as its users start it: for tests and drills (Linux)."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from watchkeeper.testing.waiting import wait_until

COMMAND = (sys.executable, "-c", "from watchkeeper.cli.main import main; main()")
"""The `watchkeeper` command, of this interpreter."""
START_WITHIN_S = 90.0
STOP_WITHIN_S = 90.0
COMMAND_WITHIN_S = 60.0
STORED_WITHIN_S = 15.0
"""How long a call may take from its answer to the store."""

Part = Literal["keeper", "worker", "model"]

_KEY = re.compile(r"sk-wk-[0-9A-Za-z]{12}-[0-9A-Za-z]{40}")
_SIGN_IN = re.compile(r"^\s+sign in\s+(\S+)", re.MULTILINE)
_READY = "Ctrl-C stops it."


class NotStarted(Exception):
    """`watchkeeper up` ended, or did not get ready in time; the message holds what it said."""


class Installation:
    """One `watchkeeper up` on free ports, with its own data folder and configuration file."""

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        workers: int = 1,
        command: Sequence[str] = COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = folder / "data"
        self.config = folder / "watchkeeper.yaml"
        self.port = free_port()
        self.console_port = free_port()
        self.key = ""
        """The first key, as printed by the first start."""
        self.sign_in_url = ""
        """The one-time link of the latest start; empty when none was printed."""
        self._workers = workers
        variables = {"WATCHKEEPER_DATA": str(self.data), **(environment or {})}
        self._command = ("env", *(f"{name}={value}" for name, value in variables.items()), *command)
        self._output = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config)

    @property
    def base_url(self) -> str:
        """What to give an OpenAI client."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def console_url(self) -> str:
        """Where the console and the control API are."""
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until it serves.

        Raises:
            NotStarted: it did not.
        """
        place = ["--config", str(self.config), "--data", str(self.data)]
        ports = ["--port", str(self.port), "--console-port", str(self.console_port)]
        command = [*self._command, "up", *place, *ports, "--workers", str(self._workers)]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until(self._is_ready, within_s=START_WITHIN_S, every_s=0.02)
        except TimeoutError:
            self.stop()
            raise NotStarted(f"not ready within {START_WITHIN_S:g} s: {self.output}") from None
        key, sign_in = _KEY.search(self.output), _SIGN_IN.search(self.output)
        self.key = key[0] if key else self.key
        self.sign_in_url = sign_in[1] if sign_in else ""
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to finish and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not finish in time and was killed with all of its processes.
        """
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            for pid in [process.pid, *(pid for part in ("worker", "keeper", "model") for pid in self.pids(part))]:
                os.kill(pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """What `watchkeeper up` has printed."""
        return self._output.read_text(errors="replace")

    def log(self, name: str) -> str:
        """What one of its processes has logged: `keeper`, `worker-0`, `model`."""
        return (self.data / "run" / f"{name}.log").read_text(errors="replace")

    def pids(self, part: Part) -> list[int]:
        """The processes of one kind that run now."""
        assert self._process is not None
        return [pid for pid, command in _children(self._process.pid) if f"watchkeeper.server.{part}" in command]

    def kill(self, pid: int) -> float:
        """Kill one of its processes (SIGKILL) and return when, in seconds of `time.monotonic()`."""
        os.kill(pid, signal.SIGKILL)
        return time.monotonic()

    def cli(self, *arguments: str, within_s: float = COMMAND_WITHIN_S) -> subprocess.CompletedProcess[str]:
        """Run `watchkeeper ARGUMENTS` on this data folder; the exit code is the caller's to judge."""
        command = [*self._command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)

    def cli_json(self, *arguments: str) -> Any:
        """Run `watchkeeper ARGUMENTS --json` and return the document it prints.

        Raises:
            RuntimeError: it failed; the message holds what it said.
        """
        done = self.cli(*arguments, "--json")
        if done.returncode:
            raise RuntimeError(f"watchkeeper {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def call(self, call_id: str, *, within_s: float = STORED_WITHIN_S) -> dict[str, Any]:
        """Return a stored call, waiting until it has reached the store.

        Raises:
            TimeoutError: it is not there in time.
        """
        return wait_until(lambda: self.ask(f"/api/v1/calls/{call_id}"), within_s=within_s, every_s=0.05)

    def ask(self, path: str) -> dict[str, Any] | None:
        """Ask the control API over the data folder's socket; None when nobody answers or it knows no such thing."""
        reply = self._over_socket("GET", path)
        if reply is None or reply.status_code == 404:
            return None
        found: dict[str, Any] = reply.json()
        return found

    def tell(self, path: str, **body: Any) -> dict[str, Any]:
        """Ask the control API for a change.

        Raises:
            RuntimeError: nobody answers, or it was refused; the message holds what was said.
        """
        reply = self._over_socket("POST", path, body)
        if reply is None or reply.status_code >= 400:
            raise RuntimeError(f"{path} was refused: {reply.text if reply is not None else 'nobody answers'}")
        found: dict[str, Any] = reply.json()
        return found

    def _over_socket(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response | None:
        try:
            folder = os.open(self.data / "run", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return None
        # By way of its open folder: the path itself may be longer than a socket's may be.
        transport = httpx.HTTPTransport(uds=f"/proc/self/fd/{folder}/keeper.sock")
        try:
            with httpx.Client(transport=transport, base_url="http://watchkeeper", timeout=COMMAND_WITHIN_S) as client:
                return client.request(method, path, json=body)
        except httpx.TransportError:
            return None
        finally:
            os.close(folder)

    def make_key(self, *arguments: str) -> str:
        """Make a key with `watchkeeper keys create ARGUMENTS` and return it.

        Raises:
            RuntimeError: none was made.
        """
        done = self.cli("keys", "create", *arguments)
        if done.returncode:
            raise RuntimeError(f"no key was made: {done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise NotStarted(f"ended with {self._process.returncode}: {self.output}")
        return _READY in self.output


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(parent: int) -> list[tuple[int, str]]:
    """Return pid and command line of the processes that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent_of = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text().replace("\0", " ")
        except (OSError, IndexError):
            continue
        if parent_of == parent:
            found.append((int(entry.name), command))
    return found
