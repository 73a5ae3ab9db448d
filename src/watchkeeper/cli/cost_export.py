"""`watchkeeper cost export`: costs as a table for other programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.cost import By, Last, Since, Tz, Until, Where, period
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed

FORMATS = {".csv": "csv", ".parquet": "parquet"}


def export(
    file: Path,
    *,
    by: By = "",
    calls: Annotated[bool, Parameter(negative="", help="One row for each call, instead of groups.")] = False,
    from_: Since = "",
    to: Until = "",
    last: Last = "",
    tz: Tz = "UTC",
    where: Where = (),
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Write costs into a file that ends in .csv or .parquet; one that is there is replaced when all is written."""
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise CommandFailed(
            f"{file.name!r} does not say which format is wanted; nothing was written. "
            "Let its name end in .csv or .parquet.",
            exit_code=WRONG_USAGE,
        )
    if calls and by:
        raise CommandFailed("--calls writes calls and --by writes groups. Give either.", exit_code=WRONG_USAGE)
    chosen = {} if calls else {"by": by or "feature"}
    size = client.download(
        data, "/api/v1/cost/export", file, format=form, **chosen, **period(from_, to, last, tz, where)
    )
    if json:
        show.document({"file": str(file), "format": form, "bytes": size})
        return
    show.line(f"wrote {size:,} bytes to {file}")
