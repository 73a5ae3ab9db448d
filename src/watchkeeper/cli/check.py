"""`watchkeeper check`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import SET_UP, CommandFailed
from watchkeeper.config.load import ConfigError
from watchkeeper.server.loading import load_whole


def check(
    file: Annotated[Path | None, Parameter(help="Without one, the configuration in the data folder.")] = None,
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Read a configuration file and name every mistake with its line; nothing is started or changed."""
    path = file or data / "watchkeeper.yaml"
    try:
        loaded = load_whole(path)
    except ConfigError as error:
        if json:
            show.document({"ok": False, "problems": [str(problem) for problem in error.problems]})
        raise CommandFailed(str(error), exit_code=SET_UP) from None
    warnings = [str(warning) for warning in loaded.warnings]
    if json:
        show.document({"ok": True, "version": loaded.version, "warnings": warnings})
        return
    for warning in warnings:
        show.note(warning)
    config = loaded.config
    counts = f"{len(config.providers)} providers, {len(config.features)} features, {len(config.routes)} routes"
    show.line(f"{path} is good: {counts} (version {loaded.version})")
