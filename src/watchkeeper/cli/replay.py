"""`watchkeeper replay`: a call again, under another release or by another model, beside what it was."""

import json as stdlib_json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed

TIMES_MAX = 20
ANSWER_S = 330.0
"""How long a repeated call may take, and then be stored."""
_STYLES = {"-": "red", "+": "green"}
_MARKS = {"-": "[-{}-]", "+": "{{+{}+}}"}
"""Around the words that differ, where there are no colours; as `git diff --word-diff` has them."""

Variables = Annotated[
    tuple[str, ...],
    Parameter(name="--variables", help="NAME=VALUE, in the place of what the call gave; may stand several times."),
]
Times = Annotated[int, Parameter(help=f"How often, at most {TIMES_MAX}; each costs what a call costs.")]
DryRun = Annotated[bool, Parameter(name="--dry-run", negative="", help="Only say what it would cost.")]


def replay(
    call_id: str,
    *,
    release: Annotated[
        str, Parameter(help="Id of a release or a beginning of it, FEATURE, or FEATURE@ENVIRONMENT.")
    ] = "",
    model: Annotated[str, Parameter(help="Instead of a release: a route, or provider/model.")] = "",
    variables: Variables = (),
    times: Times = 1,
    dry_run: DryRun = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Repeat a call under another release or by another model, and show both: answer, cost, latency, tokens."""
    if bool(release) == bool(model):
        raise CommandFailed("Say --release or --model, and one of them only.", exit_code=WRONG_USAGE)
    if not 1 <= times <= TIMES_MAX:
        raise CommandFailed(f"--times is {times}; it takes 1 to {TIMES_MAX}.", exit_code=WRONG_USAGE)
    asked = {
        "call": call_id.strip(), "release": release, "model": model, "variables": _read_variables(variables),
        "dry_run": dry_run,
    }  # fmt: skip
    found = [
        client.post_patiently(data, "/api/v1/replays", within_s=ANSWER_S, **asked)
        for _ in range(1 if dry_run else times)
    ]
    if json:
        show.document(found[0] if len(found) == 1 else {"original": found[0]["original"], "replays": found})
    elif dry_run:
        _print_estimate(found[0], times)
    else:
        _print(found)


def _read_variables(given: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE; what is JSON other than text counts as such, so that numbers and lists can be given."""
    read: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise CommandFailed(f"--variables is {text[:60]!r}; write NAME=VALUE.", exit_code=WRONG_USAGE)
        try:
            said = stdlib_json.loads(value)
        except ValueError:
            said = value
        read[name] = said
    return read


def _print_estimate(found: dict[str, Any], times: int) -> None:
    expected = found["estimate"]
    amount = expected["cost"]["amount_usd"]
    if amount is None:
        show.line("What it would cost is not known: the price of the target, or the tokens of the call, are not.")
    else:
        often = f", each of {times} times" if times > 1 else ""
        show.line(f"${amount} (estimated) at {expected['target']}{often}, if it uses as many tokens again")
    show.note("nothing was sent")


def _print(found: list[dict[str, Any]]) -> None:
    calls = [found[0]["original"], *(one["replay"] for one in found)]
    console = Console(highlight=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, show_header=True)
    table.add_column("")
    for place in range(len(calls)):
        table.add_column("original" if place == 0 else "replay" if len(calls) == 2 else f"replay {place}")
    for label, cells in _facts(calls):
        table.add_row(label, *map(show.plain, cells))
    console.print(table)
    for place, one in enumerate(found, start=1):
        show.heading("\nanswer" if len(found) == 1 else f"\nanswer {place}")
        for line in one["diff"]:
            console.print(_line(line, is_coloured=console.color_system is not None), soft_wrap=True)
    for note in dict.fromkeys(note for one in found for note in one["notes"]):
        show.note(show.plain(note))


def _facts(calls: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Iterable[str]]]:
    yield "call", (call["id"] for call in calls)
    yield "status", (f"{call['status']} ({call['http_status']})" for call in calls)
    if any(call["error"] for call in calls):
        yield "error", ((call["error"] or {}).get("message", "") for call in calls)
    if any(call["release"] for call in calls):
        yield "release", (call["release"][:12] for call in calls)
    yield "model", (f"{call['provider']}/{call['model']}" if call["model"] else "none" for call in calls)
    yield "cost", (_cost(call["cost"]) for call in calls)
    yield "latency", (f"{call['timing']['duration_ms']:.0f} ms" for call in calls)
    if any(call["timing"]["first_token_ms"] is not None for call in calls):
        yield "first token", (_ms(call["timing"]["first_token_ms"]) for call in calls)
    yield "tokens in", (_count(call["usage"], "input_tokens") for call in calls)
    yield "tokens out", (_count(call["usage"], "output_tokens") for call in calls)


def _line(line: dict[str, Any], *, is_coloured: bool) -> Text:
    sign = line["sign"]
    style = _STYLES.get(sign, "")
    is_whole = all(part["is_changed"] for part in line["parts"])
    text = Text(f"{sign} ", style=style)
    for part in line["parts"]:
        said = show.plain(part["text"])
        is_marked = part["is_changed"] and not is_whole
        if is_marked and not is_coloured and sign in _MARKS:
            said = _MARKS[sign].format(said)
        text.append(said, style=f"{style} bold underline" if is_marked else style)
    return text


def _cost(cost: dict[str, Any]) -> str:
    return f"{'unknown' if cost['amount_usd'] is None else '$' + cost['amount_usd']} ({cost['status']})"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _count(usage: dict[str, Any], name: str) -> str:
    return "unknown" if usage[name] is None else str(usage[name])
