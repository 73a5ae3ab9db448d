"""`watchkeeper eval`: suites, runs, what came of them, and comparing two."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.eval_show import reports, require_formats, summary
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.evals.suite_files import read_suite

_SUITES = (
    Column("suite", shrinks_to=16), Column("version"), Column("cases", is_right=True), Column("saved (UTC)", leaves=2),
    Column("by", leaves=1), Column("message", shrinks_to=16, leaves=3),
)  # fmt: skip
_RUNS = (
    Column("run"), Column("suite", shrinks_to=12), Column("candidate", shrinks_to=14), Column("passed", is_right=True),
    Column("result", is_state=True), Column("began (UTC)", leaves=2), Column("by", leaves=1),
)  # fmt: skip
SHORT = 12

Run = Annotated[str, Parameter(help="Id of a run, or a beginning of it that fits no other.")]
Out = Annotated[
    list[Path],
    Parameter(name=["--out", "-o"], negative="", help="Write a report: .html, .json, .jsonl, .csv, .md, .junit.xml"),
]


def list_(
    suite: Annotated[str, Parameter(help="Only of this one: FEATURE/NAME, or FEATURE for all of its.")] = "",
    *,
    limit: Annotated[int, Parameter(help="So many at most.")] = 50,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List runs, the newest first."""
    feature, _, name = suite.partition("/")
    found = client.get(data, "/api/v1/evals/runs", feature=feature, suite=name, limit=limit)
    if json:
        show.document(found)
        return
    show.table(_RUNS, [_run(run) for run in found["runs"]])


def suites(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the suites that are kept, each in its latest version."""
    found = client.get(data, "/api/v1/evals/suites")
    if json:
        show.document(found)
        return
    rows = [
        (
            f"{one['feature']}/{one['name']}", one["id"][:SHORT], str(one["cases"]), _moment(one["at"]), one["author"],
            one["message"].partition("\n")[0],
        )
        for one in found["suites"]
    ]  # fmt: skip
    show.table(_SUITES, rows)


def push(
    suite: Annotated[Path, Parameter(help="A suite's file.")],
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What was changed, and why.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Keep a suite as its latest version, without running it: for schedules, the console and colleagues."""
    kept = client.post(data, "/api/v1/evals/suites", suite=msgspec.to_builtins(read_suite(suite)), message=message)
    if json:
        show.document(kept)
    elif kept["is_new"]:
        show.line(f"saved {kept['feature']}/{kept['name']} as {kept['id']}, {kept['cases']} cases")
    else:
        show.line(f"{kept['feature']}/{kept['name']} is {kept['id']} already; nothing was changed")


def show_(
    run: Run, *, case: Annotated[str, Parameter(help="Only this case, whole.")] = "", data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:  # fmt: skip
    """Show what a run came to; with --case, the answers to one case and the mark of each scorer."""
    path = f"/api/v1/evals/runs/{client.part(run)}"
    found = client.get(data, path)
    if case:
        outcomes = client.get(data, f"{path}/outcomes", case=case, limit=1_000)["outcomes"]
        if not outcomes:
            raise CommandFailed(f"The run {found['id']} has nothing of a case {case[:100]!r}.")
        if json:
            show.document({"outcomes": outcomes})
        else:
            for outcome in outcomes:
                _outcome(outcome)
    elif json:
        show.document(found)
    else:
        head = found["head"]
        named = f"{head['feature']}/{head['suite']}".lstrip("/")
        show.heading(f"Run {found['id']} of {named} ({head['suite_id'][:SHORT]})")
        for arm in head["arms"]:
            title = show.plain(arm.get("title") or arm.get("model", ""))
            show.line(arm["name"] if title == arm["name"] else f"{arm['name']} is {title}")
        summary(data, found)


def compare(
    candidate: Annotated[str, Parameter(help="Id of a run.")],
    baseline: Annotated[str, Parameter(help="Id of another run of the same suite.")],
    *,
    out: Out = [],  # noqa: B006 - cyclopts copies it
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Compare what two runs of a suite measured, case by case."""
    require_formats(out)
    path = f"/api/v1/evals/runs/{client.part(candidate)}/compare"
    found = client.get(data, path, baseline=baseline)
    reports(data, found, out)
    if json:
        show.document(found)
    else:
        summary(data, found)


def export(
    run: Run,
    out: Annotated[Path, Parameter(help="A file: .html, .json, .jsonl, .csv, .md, .junit.xml")],
    *,
    data: Data = DATA_DEFAULT,
) -> None:
    """Write a report of a run into a file; the end of its name says in which format."""
    require_formats([out])
    reports(data, client.get(data, f"/api/v1/evals/runs/{client.part(run)}"), [out])
    show.line(f"wrote {out}")


def _run(run: dict[str, Any]) -> tuple[str, ...]:
    head = run["head"]
    counts = run["counts"].get(head["arms"][0]["name"], {}) if head["arms"] else {}
    measured = counts.get("passed", 0) + counts.get("failed", 0)
    passed = f"{counts.get('passed', 0)}/{measured}" if measured else ""
    decision = run["decision"]
    status = head.get("status", "running")
    result = status if status != "finished" else decision["result"] if decision else ""
    arm = head["arms"][0] if head["arms"] else {}
    return (
        run["id"], f"{head['feature']}/{head['suite']}".lstrip("/"), arm.get("title", ""), passed, result,
        _moment_ms(head["started_ms"]), head.get("by", ""),
    )  # fmt: skip


def _outcome(outcome: dict[str, Any]) -> None:
    answer = outcome.get("answer", {})
    show.line("")
    show.heading(show.plain(f"{outcome['case']} under {outcome['arm']}, {outcome['status']}"))
    show.line(show.plain_lines(answer.get("text", "") or answer.get("error", "") or "(no text)"))
    if answer.get("call"):
        show.line(f"call {answer['call']}")
    for mark in outcome.get("marks", []):
        score = "" if mark.get("score") is None else f" {mark['score']:.3g}"
        why = f": {mark['reason']}" if mark.get("reason") else ""
        show.line(show.plain(f"  {mark['scorer']} {mark['status']}{score}{why}"))


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _moment_ms(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
