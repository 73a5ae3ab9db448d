"""`watchkeeper rollout show` and `watchkeeper rollout differences`."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.rollout import Env, Named, id_of
from watchkeeper.cli.show import Column

_ARMS = (
    Column("release"),
    Column("share", is_right=True),
    Column("calls", is_right=True),
    Column("errors", is_right=True),
    Column("unfit", is_right=True, leaves=3),
    Column("p50", is_right=True, leaves=2),
    Column("p95", is_right=True, leaves=1),
    Column("cost (USD)", is_right=True),
)
_FINDINGS = (
    Column("metric"),
    Column("verdict", is_state=True),
    Column("candidate", is_right=True),
    Column("standing", is_right=True),
    Column("worse by, at most", is_right=True),
    Column("allowed", is_right=True),
    Column("more needed", is_right=True, leaves=1),
)
_DECISIONS = (Column("at (UTC)"), Column("step", is_right=True), Column("decision"), Column("why", shrinks_to=20))
_MARKS = {"both": ("", ""), "first": ("[-", "-]"), "second": ("{+", "+}")}
_STYLES = {"both": "", "first": "red strike", "second": "green"}


def show_(rollout: Named, *, env: Env = "", data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show a rollout: its arms, what is known of each metric, what was decided and why."""
    found = client.get(data, f"/api/v1/rollouts/{client.part(id_of(data, rollout, env))}")
    if json:
        show.document(found)
        return
    show.heading(f"{_kind(found)} of {found['feature']} in {found['environment']}: {found['state'].replace('_', ' ')}")
    show.line(_since(found))
    if found["outcome"]:
        show.line(show.plain(found["outcome"]))
    show.line("")
    show.table(_ARMS, [_arm(found, arm) for arm in found["figures"]])
    if found["pairs"]:
        _print_pairs(found["pairs"])
    latest = found["latest"]
    if latest and latest["findings"]:
        show.line("")
        show.table(_FINDINGS, [_finding(one) for one in latest["findings"]])
    if latest and latest["reason"]:
        show.line("")
        show.line(f"Seen {_second(latest['at'])} UTC: {show.plain(latest['reason'])}")
    if found["decisions"]:
        show.line("")
        show.table(_DECISIONS, [_decision(one) for one in found["decisions"]])


def differences(
    rollout: Named,
    *,
    limit: Annotated[int, Parameter(help="At most so many.")] = 5,
    env: Env = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show where a shadow's answers differ: [-only the client's answer-], {+only the copy's+}."""
    path = f"/api/v1/rollouts/{client.part(id_of(data, rollout, env))}/differences"
    found = client.get(data, path, limit=limit)
    if json:
        show.document(found)
        return
    for one in found["differences"]:
        show.heading(f"{one['call']} and its copy {one['copy_call']}")
        _print_passages(one["passages"])
        show.line("")


def _print_passages(passages: list[dict[str, str]]) -> None:
    if not sys.stdout.isatty():
        show.line("".join(show.plain_lines(text.join(_MARKS[place])) for place, text in map(_of, passages)))
        return
    shown = Text()
    for place, text in map(_of, passages):
        shown.append(show.plain_lines(text), style=_STYLES[place])
    Console(highlight=False).print(shown)


def _of(passage: dict[str, str]) -> tuple[str, str]:
    return passage["place"], passage["text"]


def _print_pairs(pairs: dict[str, Any]) -> None:
    show.line("")
    answered = pairs["both_answered"]
    share = f" ({100 * pairs['same'] / answered:.3g}%)" if answered else ""
    show.line(
        f"{pairs['pairs']:,} calls were copied; {answered:,} were answered by both, {pairs['same']:,} alike{share}"
    )
    only_own, only_copy = pairs["only_own_answered"], pairs["only_copy_answered"]
    show.line(f"answered only for the client: {only_own:,}; answered only for the copy: {only_copy:,}")
    show.line(f"of {pairs['priced']:,} pairs with prices: {pairs['own_usd']} USD, the copies {pairs['copy_usd']} USD")
    if pairs["slower_ms"] is not None:
        show.line(f"copies took {pairs['slower_ms']:+,.0f} ms on average")


def _kind(found: dict[str, Any]) -> str:
    return {"canary": "Canary", "ab": "A/B test", "shadow": "Shadow"}[found["kind"]]


def _since(found: dict[str, Any]) -> str:
    steps = found["plan"]["steps"]
    where = f", step {found['step']} of {len(steps)} since {_second(found['step_since'])} UTC" if len(steps) > 1 else ""
    return f"{found['id']}, started {_second(found['started_at'])} UTC by {show.plain(found['started_by'])}{where}"


def _arm(found: dict[str, Any], arm: dict[str, Any]) -> tuple[str, ...]:
    shares = {one["release"]: one["share"] for one in found["arms"]}
    rest = 1 - (0 if found["kind"] == "shadow" else sum(shares.values()))
    share = shares.get(arm["release"], rest)
    doubt = "".join(
        f", {arm[name]} {word}" for name, word in (("unpriced", "unpriced"),) if arm[name]
    )  # fmt: skip
    return (
        f"{arm['release']}{' (copies)' if arm['is_shadow'] else ''}", f"{100 * share:.3g}%", f"{arm['calls']:,}",
        f"{sum(arm['errors'].values()):,}", f"{arm['parse_failures']:,}", _ms(arm["p50_ms"]), _ms(arm["p95_ms"]),
        f"{arm['cost_usd']}{doubt}",
    )  # fmt: skip


def _finding(found: dict[str, Any]) -> tuple[str, ...]:
    unit, needed = found["unit"], found["needed"]
    more = "" if needed is None else f"{max(needed - found['candidate_count'], 0):,}"
    return (
        found["metric"].replace("_", " "), found["verdict"].replace("_", " "), _amount(found["candidate"], unit),
        _amount(found["baseline"], unit), _amount(found["harm_high"], unit), _amount(found["margin"], unit),
        more if found["verdict"] == "unknown" else "",
    )  # fmt: skip


def _decision(look: dict[str, Any]) -> tuple[str, ...]:
    return _second(look["at"]), str(look["step"]), look["decision"].replace("_", " "), look["reason"]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    return f"{100 * value:.3g}%" if unit == "share" else f"{value / 1e9:.7f} USD"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} ms"


def _second(moment: str) -> str:
    return moment[:19].replace("T", " ")
