"""`watchkeeper eval`: running a suite, and going on with a run that has stopped."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.eval_promptfoo import Promptfoo, Way, is_promptfoo, run_config
from watchkeeper.cli.eval_show import conclusion, reports, require_formats, summary
from watchkeeper.cli.evaluating import Evaluation, judges_of
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, span_s
from watchkeeper.cli.outcome import FAILED, WRONG_USAGE, CommandFailed
from watchkeeper.core.money import nusd
from watchkeeper.evals.decision import EXIT_CODES
from watchkeeper.evals.kinds import require_usable
from watchkeeper.evals.suite import Suite
from watchkeeper.evals.suite_files import read_suite

CONCURRENCY = 64
GATE_CODES = frozenset(EXIT_CODES.values()) - {0}
"""Of a command with `--gate`; what keeps it from judging ends it with another code."""

Which = Annotated[str, Parameter(help="A suite's file, or FEATURE/NAME of one that is kept.")]
Concurrency = Annotated[int | None, Parameter(help="Calls under way at one model, at most: 64.")]
Timeout = Annotated[str, Parameter(help="How long an answer may take.")]
Out = Annotated[
    list[Path],
    Parameter(name=["--out", "-o"], negative="", help="Write a report: .html, .json, .jsonl, .csv, .md, .junit.xml"),
]


def run(
    suite: Which,
    *,
    release: Annotated[str, Parameter(help="The release to ask, by its id; FEATURE is the latest.")] = "",
    env: Annotated[str, Parameter(help="Ask what is live in this environment.")] = "",
    model: Annotated[str, Parameter(help="Ask a route, or provider/model, with the messages of the cases.")] = "",
    parameters: Annotated[
        list[str], Parameter(name=["--parameter", "-p"], negative="", help="With --model: temperature=0")
    ] = [],  # noqa: B006 - cyclopts copies it
    baseline: Annotated[
        str, Parameter(help="Compare with: an environment, a release, a model, or run-... of an earlier run.")
    ] = "",
    gate: Annotated[
        bool,
        Parameter(
            negative="",
            help="Exit with 3 on a regression, 4 in doubt, 5 with too much unmeasured; keep it as "
            "the result of a check on the release.",
        ),
    ] = False,
    feature: Annotated[str, Parameter(help="For which calls of a configuration of promptfoo count.")] = "",
    repeats: Annotated[int | None, Parameter(name=["--repeats", "--repeat"], help="Ask each case so often.")] = None,
    cap: Annotated[str, Parameter(help="Stop before it costs more: 2.50 (US dollars, judges included).")] = "",
    concurrency: Concurrency = None,
    reuse: Annotated[str, Parameter(help="Take answers to the same asks that are no older.")] = "1d",
    fresh: Annotated[bool, Parameter(negative="", help="Ask everything anew.")] = False,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Kept with the suite's version.")] = "",
    timeout: Timeout = "2m",
    out: Out = [],  # noqa: B006 - cyclopts copies it
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Show no progress.")] = False,
    promptfoo: Promptfoo = Promptfoo(),  # noqa: B008 - it says nothing, and nobody can change it
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Ask every case of a suite through the gateway, mark the answers, and say what that shows."""
    require_formats(out)
    if sum(map(bool, (release, env, model))) > 1:
        raise CommandFailed("Name one: --release, --env or --model. Nothing was asked.", exit_code=WRONG_USAGE)
    if is_promptfoo(Path(suite)):
        way = Way(
            data=data, feature=feature, baseline=baseline, is_gate=gate, concurrency=concurrency, timeout=timeout,
            cap_nusd=nusd(cap) if cap else None, repeats=repeats, is_quiet=quiet, json=json,
        )  # fmt: skip
        run_config(Path(suite), promptfoo, way)
        return
    reuse_s, timeout_s = 0 if fresh else span_s("--reuse", reuse), span_s("--timeout", timeout)
    try:
        kept = saved(data, suite, message)
        wanted = msgspec.convert(kept["suite"], Suite)
        require_usable(wanted)
        wish = {
            "suite": kept["id"], "candidate": release or env or model, "baseline": baseline, "gate": gate,
            "repeats": repeats, "cap_nusd": nusd(cap) if cap else None, "parameters": _parameters(parameters),
            "commit": _commit(), "judges": judges_of(data, wanted),
        }  # fmt: skip
        begun = client.post(data, "/api/v1/evals/runs", **wish)
        if not json:
            _announce(begun)
        evaluation = Evaluation(data, begun, wanted)
        ended = evaluation.run(
            concurrency=concurrency or CONCURRENCY, reuse_s=reuse_s, timeout_s=timeout_s, is_quiet=quiet or json
        )
        _report(data, ended, out, json=json)
    except CommandFailed as error:
        raise _apart(error, is_gate=gate) from None
    if gate:
        _gate(ended)


def resume(
    run: Annotated[str, Parameter(help="Id of a run that has stopped.")],
    *,
    again: Annotated[bool, Parameter(negative="", help="Ask once more what could not be measured.")] = False,
    cap: Annotated[str, Parameter(help="What it may cost now, in US dollars.")] = "",
    concurrency: Concurrency = None,
    reuse: Annotated[str, Parameter(help="Take answers to the same asks that are no older.")] = "1d",
    timeout: Timeout = "2m",
    out: Out = [],  # noqa: B006 - cyclopts copies it
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Show no progress.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Go on with a run where it stopped: after Ctrl-C, a sum that was reached, or a machine that was switched off."""
    wish: dict[str, Any] = {"again": again, "cap_nusd": nusd(cap) if cap else None}
    begun = client.post(data, f"/api/v1/evals/runs/{client.part(run)}/go-on", **wish)
    suite = client.get(data, f"/api/v1/evals/suites/{client.part(begun['head']['suite_id'])}")["suite"]
    is_gate = begun["head"].get("is_gate", False)
    try:
        evaluation = Evaluation(data, begun, msgspec.convert(suite, Suite))
        ended = evaluation.run(
            concurrency=concurrency or CONCURRENCY,
            reuse_s=span_s("--reuse", reuse),
            timeout_s=span_s("--timeout", timeout),
            is_quiet=quiet or json,
        )
        _report(data, ended, out, json=json)
    except CommandFailed as error:
        raise _apart(error, is_gate=is_gate) from None
    if is_gate:
        _gate(ended)


def saved(data: Path, named: str, message: str) -> dict[str, Any]:
    """Return a suite that the control keeps: by its name, or from a file, which is kept as its latest version."""
    path = Path(named)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        suite = msgspec.to_builtins(read_suite(path))
        kept = client.post(data, "/api/v1/evals/suites", suite=suite, message=message)
        return kept | {"suite": suite}
    steps = "/".join(map(client.part, named.split("/")))
    return client.get(data, f"/api/v1/evals/suites/{steps}")


def _announce(begun: Mapping[str, Any]) -> None:
    """Say what runs, at once: whoever reads along in a pipe can resume it by its id."""
    head, outlook = begun["head"], begun["outlook"]
    arms = " against ".join(arm.get("title") or arm["name"] for arm in head["arms"])
    baseline = f" against {head['baseline_run']}" if head.get("baseline_run") else ""
    times = f", each {head['repeats']} times" if head.get("repeats", 1) > 1 else ""
    show.line(f"run {head['id']}: {head['feature']}/{head['suite']}, {head['cases']} cases{times}, {arms}{baseline}")
    if outlook.get("sentence") and (len(head["arms"]) > 1 or baseline):
        show.line(outlook["sentence"])
    sys.stdout.flush()


def _report(data: Path, ended: dict[str, Any], out: list[Path], *, json: bool) -> None:
    reports(data, ended, out)
    if json:
        show.document(ended)
    else:
        summary(data, ended)


def _gate(ended: Mapping[str, Any]) -> None:
    if ended["head"]["status"] != "finished":
        raise CommandFailed(
            f"The run stopped before its end: {ended['head'].get('note', '')}. "
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


def _parameters(given: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise CommandFailed(f"--parameter {one!r}: write NAME=VALUE, such as temperature=0.", exit_code=WRONG_USAGE)
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


def _commit() -> str:
    """Return the commit of the repository that the command is given in; empty where there is none."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
