"""`watchkeeper up`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from watchkeeper.cli.options import DATA_DEFAULT, Data
from watchkeeper.server.up import UpOptions, run

_Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]


def up(
    *,
    config: Annotated[Path | None, Parameter(help="Configuration file; without one, DATA/watchkeeper.yaml.")] = None,
    data: Data = DATA_DEFAULT,
    host: str = "127.0.0.1",
    port: _Port = 4000,
    console_port: _Port = 4080,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))] = 1,
) -> None:
    """Start gateway, console and, where the configuration asks for it, the bundled model; Ctrl-C stops them."""
    run(UpOptions(config=config, data=data, host=host, port=port, console_port=console_port, workers=workers))
