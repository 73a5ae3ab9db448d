"""`watchkeeper labels`: what people say of answers, from the terminal, too."""

import json as jsons
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, share
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

API = "/api/v1/labels"
GOLD_BYTES_MAX = 1024 * 1024

_QUEUES = (
    Column("queue", is_right=True), Column("feature", shrinks_to=12), Column("title", shrinks_to=20),
    Column("settled", is_right=True), Column("disputed", is_right=True, leaves=2), Column("state"),
    Column("run", leaves=3), Column("by", leaves=1),
)  # fmt: skip
_JUDGES = (
    Column("feature", shrinks_to=12), Column("scorer"), Column("judge", shrinks_to=16), Column("fitness"),
    Column("labels", is_right=True), Column("kappa"), Column("passes good", leaves=1), Column("fails bad", leaves=2),
)  # fmt: skip
_LABELLERS = (Column("who"), Column("labels", is_right=True), Column("gold items right", is_right=True))

Queue = Annotated[int, Parameter(help="From `labels list`.")]


def create(
    *,
    run: Annotated[str, Parameter(help="Id of a run whose answers are drawn.")] = "",
    scorer: Annotated[str, Parameter(help="Whose marks people check; needed where several are by a judge.")] = "",
    query: Annotated[str, Parameter(help="Instead of a run, calls of a feature: 'feature=support&since=7d'.")] = "",
    sample: Annotated[int, Parameter(help="How many answers.")] = 100,
    scale: Annotated[Literal["pass_fail", "five"], Parameter(help="What can be said of one.")] = "pass_fail",
    second: Annotated[str, Parameter(help="Share that two people are asked about.")] = "20%",
    reason: Annotated[tuple[str, ...], Parameter(help="A reason to choose from; may be repeated.")] = (),
    gold: Annotated[Path | None, Parameter(help="JSONL of answers of which it is known what is right.")] = None,
    title: str = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Draw answers of a run or of calls for people to label, each with a known probability."""
    if bool(run) == bool(query):
        raise CommandFailed("Name a --run, or calls with --query; no queue was made.", exit_code=WRONG_USAGE)
    made = client.post(
        data,
        f"{API}/queues",
        run=run,
        scorer=scorer,
        calls=dict(parse_qsl(query)) if query else None,
        sample=sample,
        scale=scale,
        second_share=share("--second", second) if second != "0%" else 0.0,
        reasons=list(reason),
        gold=_gold(gold) if gold is not None else [],
        title=title,
    )
    if json:
        show.document(made)
        return
    of = f"{made['items']} of {made['population']} answers"
    show.line(show.plain(f"queue {made['id']}: {of}, {made['title']}"))
    show.line(f"  label them on the console under /labels/{made['id']}, or with `watchkeeper labels next {made['id']}`")


def list_(*, feature: str = "", run: str = "", data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the queues, the latest first."""
    found = client.get(data, f"{API}/queues", feature=feature, run=run)
    if json:
        show.document(found)
    else:
        show.table(_QUEUES, [_queue(one) for one in found["queues"]])


def next_(queue: Queue, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show what is to be labelled next; nobody else is shown it for ten minutes."""
    _say_item(client.post(data, f"{API}/queues/{queue}/next"), json=json)


def give(
    queue: Queue,
    label: Annotated[str, Parameter(help="Key of a label (p, f, or 1 to 5), `s` to skip, `n` if nobody can say.")],
    *,
    reason: str = "",
    comment: str = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Label what `labels next` has shown, and show the one after it."""
    held = client.post(data, f"{API}/queues/{queue}/next")
    if held["item"] is None:
        raise CommandFailed(f"Nothing is left for you in queue {queue}; nothing was kept.")
    known = {one["key"]: one["title"] for one in held["queue"]["choices"]} | {"s": "skip", "n": "nobody can say"}
    if label not in known:
        offered = ", ".join(f"{key} ({title})" for key, title in known.items())
        raise CommandFailed(f"{label!r} is no label of queue {queue}, {offered}; nothing was kept.")
    said = {"s": "skip", "n": "cannot_say"}.get(label, "label")
    wish = {"item": held["item"]["id"], "said": said, "key": label if said == "label" else ""}
    client.post(data, f"{API}/queues/{queue}/labels", **wish, reason=reason, comment=comment)
    _say_item(client.post(data, f"{API}/queues/{queue}/next"), json=json)


def undo(queue: Queue, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Take back what you said last in a queue, and show it again."""
    _say_item(client.post(data, f"{API}/queues/{queue}/undo"), json=json)


def close(queue: Queue, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Let nothing more be said in a queue; what was said stands."""
    done = client.post(data, f"{API}/queues/{queue}/close")
    if json:
        show.document(done)
    else:
        show.line(f"queue {done['id']} is closed; {done['settled']} of {done['items']} are settled")


def agreement(
    queue: Annotated[
        int | None, Parameter(help="People of one queue with each other; else judges with people.")
    ] = None,
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say how far judges agree with people; or, of one queue, people with each other."""
    if queue is None:
        found = client.get(data, f"{API}/judges")
        if json:
            show.document(found)
            return
        show.table(_JUDGES, [_judge(one) for one in found["judges"]])
        for one in found["judges"]:
            for why in one["reasons"]:
                show.note(show.plain(f"{one['judge']}: {why}"))
        return
    found = client.get(data, f"{API}/queues/{queue}/agreement")
    if json:
        show.document(found)
        return
    alpha = "cannot be told" if found["alpha"] is None else f"{found['alpha']:.2f}"
    show.line(f"Krippendorff's alpha: {alpha} ({found['shared']} answers by several people)")
    rows = [(one["name"], str(one["labels"]), f"{one['gold_right']}/{one['gold']}") for one in found["labellers"]]
    show.table(_LABELLERS, rows)


def export(
    queue: Queue,
    *,
    to: Annotated[Path | None, Parameter(help="JSONL file; else standard output.")] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Write what is settled, a line of JSON each: with arm, mark, probability and every word."""
    found = client.get(data, f"{API}/queues/{queue}/items")
    if json:
        show.document(found)
        return
    lines = [jsons.dumps(item, ensure_ascii=False) for item in found["items"]]
    if to is None:
        for line in lines:
            show.line(line)
        return
    try:
        to.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    except OSError as error:
        raise CommandFailed(f"{to} cannot be written: {error.strerror}; nothing was.") from None
    show.line(f"wrote {len(lines)} labelled answers to {to}")


def _gold(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > GOLD_BYTES_MAX:
            raise CommandFailed(f"{path} is larger than {GOLD_BYTES_MAX // 2**20} MiB; no queue was made.")
        return [jsons.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{path} cannot be read as JSONL: {error}. No queue was made.") from None


def _say_item(found: dict[str, Any], *, json: bool) -> None:
    if json:
        show.document(found)
        return
    item, queue = found["item"], found["queue"]
    if item is None:
        show.line(f"nothing is left for you in queue {queue['id']}; {queue['settled']} of {queue['items']} are settled")
        return
    if item["is_gone"]:
        show.note("the call is no longer kept: say `n`, nobody can say")
    if queue["rubric"]:
        show.heading("What is asked")
        show.line(show.plain_lines(queue["rubric"]))
    for title in ("question", "reference", "answer"):
        if item[title]:
            show.heading(title.capitalize())
            show.line(show.plain_lines(item[title]))
    keys = ", ".join(f"{one['key']} {one['title']}" for one in queue["choices"])
    show.line(f"\n`watchkeeper labels give {queue['id']} KEY` with {keys}, s skip, n nobody can say")


def _queue(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(one["id"]), one["feature"], one["title"], f"{one['settled']}/{one['items']}", str(one["disputed"]),
        "open" if one["is_open"] else "closed", one["run"], one["created_by"],
    )  # fmt: skip


def _judge(one: dict[str, Any]) -> tuple[str, ...]:
    figures = [_figure(one[name]) for name in ("kappa", "sensitivity", "specificity")]
    return (one["feature"], one["scorer"], one["judge"], one["fitness"], str(one["labels"]), *figures)


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "unknown"
    return f"{figure['value']:.2f} ({figure['lower']:.2f} to {figure['upper']:.2f})"
