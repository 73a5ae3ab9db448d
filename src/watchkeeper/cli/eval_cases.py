"""`watchkeeper eval add-cases`: cases from recorded calls."""

import json as jsons
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed

API = "/api/v1/cases"
LIMIT_DEFAULT = 50
SHOWN_LETTERS = 100


def add_cases(
    suite: Annotated[str, Parameter(help="A JSONL file of cases, which is made if need be, or FEATURE/NAME.")],
    *,
    call: Annotated[tuple[str, ...], Parameter(help="Id of a call; may be repeated.")] = (),
    query: Annotated[str, Parameter(help="Instead: the newest calls that match, 'feature=support&status=error'.")] = "",
    limit: Annotated[int, Parameter(help="With --query, at most so many.")] = LIMIT_DEFAULT,
    reference: Annotated[
        Literal["none", "answer", "labelled"], Parameter(help="`labelled`: the answer, where people found it good.")
    ] = "none",
    tag: Annotated[tuple[str, ...], Parameter(help="Of the cases; may be repeated.")] = (),
    keep_personal_data: Annotated[bool, Parameter(negative="", help="Take nothing out.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Show the cases and keep none.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make cases of recorded calls, without what has the form of personal data, and add them to a suite."""
    if bool(call) == bool(query):
        raise CommandFailed("Name a --call, or several with --query; no case was made.", exit_code=WRONG_USAGE)
    path = _file(suite)
    made = client.post(
        data,
        f"{API}/preview",
        calls=list(call),
        query=dict(parse_qsl(query)) if query else None,
        limit=limit,
        reference=reference,
        tags=list(tag),
        redact=not keep_personal_data,
    )
    cases = [one["case"] for one in made["cases"]]
    if dry_run or not cases:
        added = 0
    elif path is not None:
        added = _append(path, cases)
    else:
        feature, _, name = suite.partition("/")
        added = client.post(data, f"{API}/add", feature=feature, suite=name, cases=cases)["added"]
    if json:
        show.document(made | {"added": added})
        return
    _say(made, redacted=not keep_personal_data)
    known = len(cases) - added
    show.line(
        f"{len(cases)} cases would be added to {suite}"
        if dry_run
        else f"added {added} cases to {suite}" + (f"; {known} were in it already" if known else "")
    )


def _file(suite: str) -> Path | None:
    """Return the file that is meant; None for the name of a suite that the control database has."""
    if suite.endswith(".jsonl"):
        return Path(suite)
    feature, slash, name = suite.partition("/")
    if slash and feature and name and "/" not in name and not suite.endswith((".yaml", ".yml")):
        return None
    raise CommandFailed(
        f"{suite[:200]!r} is neither a JSONL file of cases nor FEATURE/NAME of a suite; no case was made. "
        "Of a suite in a YAML file, name the file of cases that it has under `cases`.",
        exit_code=WRONG_USAGE,
    )


def _append(path: Path, cases: list[dict[str, Any]]) -> int:
    """Append the cases whose ids the file does not have, all or none; return how many."""
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        known = {jsons.loads(line).get("id") for line in before.splitlines() if line.strip()}
        fresh = [case for case in cases if case["id"] not in known]
        text = before if before.endswith("\n") or not before else f"{before}\n"
        text += "".join(f"{jsons.dumps(case, ensure_ascii=False)}\n" for case in fresh)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except (OSError, ValueError, AttributeError) as error:
        raise CommandFailed(f"{path} cannot take cases: {error}. Nothing was added.") from None
    return len(fresh)


def _say(made: dict[str, Any], *, redacted: bool) -> None:
    for one in made["cases"]:
        taken = ", ".join(found["place"] for found in one["redactions"])
        show.line(show.plain(f"{one['case']['id']}  {_asked(one['case'])}{f'  taken out: {taken}' if taken else ''}"))
        for note in one["notes"]:
            show.note(show.plain(f"{one['case']['id']}: {note}"))
    for one in made["left_out"]:
        show.note(show.plain(f"no case of call {one['call']}: {one['why']}"))
    if redacted and made["cases"]:
        show.note(f"look through them: the redaction does not find {made['unseen']}")


def _asked(case: dict[str, Any]) -> str:
    messages = case.get("messages") or []
    text = messages[-1].get("content") if messages else jsons.dumps(case.get("variables", {}), ensure_ascii=False)
    return show.plain(str(text))[:SHOWN_LETTERS]
