"""`watchkeeper config`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column
from watchkeeper.config.explain import explain as explain_values
from watchkeeper.config.load import load
from watchkeeper.config.schema import json_schema

_COLUMNS = (Column("key"), Column("value", may_shrink=True), Column("source", leaves=1))


def schema(*, data: Data = DATA_DEFAULT, json: Json = True) -> None:  # noqa: ARG001  every command takes both
    """Print the JSON schema of the configuration, for editors and checks; it is one JSON document anyhow."""
    show.document(json_schema())


def explain(
    file: Annotated[Path | None, Parameter(help="Without one, the configuration in the data folder.")] = None,
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show every value in force and where it comes from."""
    found = explain_values(load(file or data / "watchkeeper.yaml"))
    if json:
        show.document([{"key": value.name, "value": value.value, "source": value.source} for value in found])
    else:
        show.table(_COLUMNS, [(value.name, value.value, value.source) for value in found])
