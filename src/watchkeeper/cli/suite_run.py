"""Runs a suite as the command line asked for it, reports, and ends with the gate's code."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.cli import client, show
from watchkeeper.cli.eval_show import conclusion, reports, require_formats, summary
from watchkeeper.cli.evaluating import Evaluation, judges_of
from watchkeeper.cli.outcome import FAILED, CommandFailed
from watchkeeper.evals.decision import EXIT_CODES
from watchkeeper.evals.kinds import require_usable
from watchkeeper.evals.scorers.table import RUNS_CODE
from watchkeeper.evals.suite import Suite
from watchkeeper.evals.suite_files import read_suite

CONCURRENCY = 64
GATE_CODES = frozenset(EXIT_CODES.values()) - {0}
"""Of a command with `--gate`; what keeps it from judging ends it with another code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """How a run goes about it, and what is said of it."""

    data: Path
    concurrency: int | None
    reuse_s: float
    timeout_s: float
    out: tuple[Path, ...]
    """Reports that are written."""
    is_quiet: bool
    json: bool


def run_suite(named: str, wish: Mapping[str, Any], going: Going, *, message: str) -> None:
    """Have a suite kept, run it to its end, and say what that shows.

    Args:
        named: A suite's file, or FEATURE/NAME of one that is kept.
        wish: What the control API takes to begin a run, but for suite, commit and judges.
        going: How.
        message: Kept with the suite's version.

    Raises:
        CommandFailed: it could not be run, or the gate does not let it pass.
    """
    require_formats(going.out)
    is_gate = bool(wish["gate"])
    try:
        kept = saved(going.data, named, message)
        suite = msgspec.convert(kept["suite"], Suite)
        require_usable(suite)
        if "author" in kept and not Path(named).is_file():
            _say_whose_code(suite, kept["author"])
        whole = {**wish, "suite": kept["id"], "commit": _commit(), "judges": judges_of(going.data, suite)}
        begun = client.post(going.data, "/api/v1/evals/runs", **whole)
        if not going.json:
            _announce(begun)
        ended = _run(begun, suite, going)
    except CommandFailed as error:
        raise _apart(error, is_gate=is_gate) from None
    if is_gate:
        _gate(ended)


def go_on(run: str, wish: Mapping[str, Any], going: Going) -> None:
    """Go on with a run, and say what it shows; as `run_suite`."""
    begun = client.post(going.data, f"/api/v1/evals/runs/{client.part(run)}/go-on", **wish)
    kept = client.get(going.data, f"/api/v1/evals/suites/{client.part(begun['head']['suite_id'])}")
    suite = msgspec.convert(kept["suite"], Suite)
    _say_whose_code(suite, kept["author"])
    is_gate = begun["head"].get("is_gate", False)
    try:
        ended = _run(begun, suite, going)
    except CommandFailed as error:
        raise _apart(error, is_gate=is_gate) from None
    if is_gate:
        _gate(ended)


def _say_whose_code(suite: Suite, author: str) -> None:
    """Say what a suite that somebody else may have written runs on this machine."""
    for scorer in suite.scorers:
        if scorer.type in RUNS_CODE:
            show.note(f"the scorer `{show.plain(scorer.title)}` runs Python of {show.plain(author)} on this machine")


def saved(data: Path, named: str, message: str) -> dict[str, Any]:
    """Return a suite that the control keeps: by its name, or from a file, which is kept as its latest version."""
    path = Path(named)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        suite = msgspec.to_builtins(read_suite(path))
        kept = client.post(data, "/api/v1/evals/suites", suite=suite, message=message)
        return kept | {"suite": suite}
    steps = "/".join(map(client.part, named.split("/")))
    return client.get(data, f"/api/v1/evals/suites/{steps}")


def _run(begun: Mapping[str, Any], suite: Suite, going: Going) -> dict[str, Any]:
    ended = Evaluation(going.data, begun, suite).run(
        concurrency=going.concurrency or CONCURRENCY,
        reuse_s=going.reuse_s,
        timeout_s=going.timeout_s,
        is_quiet=going.is_quiet or going.json,
    )
    _report(going, ended)
    return ended


def _announce(begun: Mapping[str, Any]) -> None:
    """Say what runs, at once: whoever reads along in a pipe can resume it by its id."""
    head, outlook = begun["head"], begun["outlook"]
    arms = " against ".join(show.plain(arm.get("title") or arm["name"]) for arm in head["arms"])
    baseline = f" against {head['baseline_run']}" if head.get("baseline_run") else ""
    times = f", each {head['repeats']} times" if head.get("repeats", 1) > 1 else ""
    show.line(f"run {head['id']}: {head['feature']}/{head['suite']}, {head['cases']} cases{times}, {arms}{baseline}")
    if outlook.get("sentence") and (len(head["arms"]) > 1 or baseline):
        show.line(outlook["sentence"])
    sys.stdout.flush()


def _report(going: Going, ended: dict[str, Any]) -> None:
    reports(going.data, ended, going.out)
    if going.json:
        show.document(ended)
    else:
        summary(going.data, ended)


def _gate(ended: Mapping[str, Any]) -> None:
    if ended["head"]["status"] != "finished":
        raise CommandFailed(
            f"The run stopped before its end: {show.plain(ended['head'].get('note', ''))}. "
            f"Go on with `watchkeeper eval resume {ended['id']}`.",
            exit_code=EXIT_CODES["unmeasured"],
        )
    if ended["exit_code"]:
        raise CommandFailed(conclusion(ended), exit_code=ended["exit_code"])


def _apart(error: CommandFailed, *, is_gate: bool) -> CommandFailed:
    """Keep the codes of a gate for what it has judged."""
    if is_gate and error.exit_code in GATE_CODES:
        return CommandFailed(str(error), exit_code=FAILED, detail=error.detail)
    return error


def _commit() -> str:
    """Return the commit of the repository that the command is given in; empty where there is none."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
