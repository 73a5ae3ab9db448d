"""`watchkeeper eval scores`: what scorers and people said of real answers."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("environment", leaves=4), Column("release", shrinks_to=12), Column("day"), Column("score of"),
    Column("mean", is_right=True), Column("+-", is_right=True), Column("answers", is_right=True),
    Column("passed", is_right=True, leaves=1), Column("failed", is_right=True, leaves=1),
    Column("unmeasured", is_right=True), Column("judges cost", is_right=True, leaves=2),
)  # fmt: skip


def scores(
    feature: Annotated[str, Parameter(help="Whose calls.")] = "",
    *,
    env: Annotated[str, Parameter(help="Only in this environment.")] = "",
    release: Annotated[str, Parameter(help="Only of this release, by its whole id.")] = "",
    name: Annotated[str, Parameter(help="Only of this scorer; feedback:NAME is what people said.")] = "",
    last: Annotated[str, Parameter(help="How far back: 24h, 7d, 4w.")] = "30d",
    by: Annotated[Literal["release", "day"], Parameter(help="day: each day by itself.")] = "release",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show what scorers said of the answers that were drawn, and what people said, by release or day."""
    asked = {"feature": feature, "environment": env, "release": release, "name": name, "since": last, "by": by}
    found = client.get(data, "/api/v1/scores", **asked)
    if json:
        show.document(found)
        return
    show.table(_COLUMNS, [_row(one) for one in found["scores"]])


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    is_marked = one["origin"] != "feedback"
    mean, error = one["mean"], one["error"]
    return (
        one["environment"], one["release"] or "(none)", one["day"] or "", one["name"],
        "" if mean is None else f"{mean:.3f}", "" if error is None else f"{1.96 * error:.3f}",
        str(one["count"]), str(one["passed"]) if is_marked else "", str(one["failed"]) if is_marked else "",
        str(one["unmeasured"]) if is_marked else "", f"${one['judge_cost_usd']}" if is_marked else "",
    )  # fmt: skip
