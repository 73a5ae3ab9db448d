"""`watchkeeper eval`: running a suite, and going on with a run that has stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, dollars_nusd, span_s
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.promptfoo_terms import Promptfoo, Way, is_promptfoo

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
    feature: Annotated[str, Parameter(help="Of a configuration of promptfoo: the feature its calls count for.")] = "",
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
    if sum(map(bool, (release, env, model))) > 1:
        raise CommandFailed("Name one: --release, --env or --model. Nothing was asked.", exit_code=WRONG_USAGE)
    if is_promptfoo(Path(suite)):
        idle = {"--release": release, "--env": env, "--model": model, "--parameter": parameters, "--message": message}
        _require_none(idle | {"--reuse": reuse != "1d"})
        # Its templates and sandbox, which suites do not need.
        from watchkeeper.cli.eval_promptfoo import run_config

        way = Way(
            data=data, feature=feature, baseline=baseline, is_gate=gate, concurrency=concurrency, timeout=timeout,
            cap_nusd=dollars_nusd("--cap", cap), repeats=repeats, is_quiet=quiet, json=json, reports=tuple(out),
        )  # fmt: skip
        run_config(Path(suite), promptfoo, way)
        return
    # What a suite needs, configurations of promptfoo do not.
    from watchkeeper.cli.suite_run import Going, run_suite

    wish = {
        "candidate": release or env or model, "baseline": baseline, "gate": gate, "repeats": repeats,
        "cap_nusd": dollars_nusd("--cap", cap), "parameters": _parameters(parameters),
    }  # fmt: skip
    going = Going(
        data=data, concurrency=concurrency, reuse_s=0 if fresh else span_s("--reuse", reuse),
        timeout_s=span_s("--timeout", timeout), out=tuple(out), is_quiet=quiet, json=json,
    )  # fmt: skip
    run_suite(suite, wish, going, message=message)


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
    # As for a run.
    from watchkeeper.cli.suite_run import Going, go_on

    going = Going(
        data=data, concurrency=concurrency, reuse_s=span_s("--reuse", reuse), timeout_s=span_s("--timeout", timeout),
        out=tuple(out), is_quiet=quiet, json=json,
    )  # fmt: skip
    go_on(run, {"again": again, "cap_nusd": dollars_nusd("--cap", cap)}, going)


def _require_none(given: Mapping[str, object]) -> None:
    """See that nothing is asked of a configuration of promptfoo that would have no effect on it."""
    idle = [option for option, value in given.items() if value]
    if idle:
        raise CommandFailed(
            f"{' and '.join(idle)} would have no effect: a configuration of promptfoo says itself who is asked what. "
            "Nothing was asked.",
            exit_code=WRONG_USAGE,
        )


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
