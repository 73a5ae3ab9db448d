"""`watchkeeper eval calibrate`: how a suite behaves where nothing has changed."""

from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.evals.decision import EXIT_CODES

_NOISE = (
    Column("metric"), Column("cases", is_right=True), Column("difference", is_right=True), Column("p", is_right=True),
    Column("spread of an answer", is_right=True, leaves=1), Column("false alarms", is_right=True),
)  # fmt: skip


def calibrate(
    run: Annotated[
        str, Parameter(help="A run whose cases were asked twice or more: `eval run SUITE --repeats 2 --fresh`.")
    ],
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Hold a run against itself: whatever the gate finds between answers of the same release is a false alarm."""
    found = client.get(data, f"/api/v1/evals/runs/{client.part(run)}/calibration")
    if json:
        show.document(found)
    else:
        rows = [
            (
                one["metric"], str(one["cases"]), f"{one['difference']:+.4f}", f"{one['p']:.2g}",
                f"{one['answer_sd']:.3f}", _rate(one["false_alarms"]),
            )
            for one in found["noise"]
        ]  # fmt: skip
        show.table(_NOISE, rows)
        show.line(f"{found['flaky']:.1%} of the cases pass in one answer and fail in another")
        if found["is_sound"]:
            show.line(f"sound: the gate is wrong about no change in at most {found['alpha']:.0%} of runs")
    if not found["is_sound"]:
        raise CommandFailed(" ".join(found["reasons"]), exit_code=EXIT_CODES["inconclusive"])


def _rate(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return ""
    return f"{figure['value']:.1%} ({figure['lower']:.1%} to {figure['upper']:.1%})"
