"""`watchkeeper check`."""

from pathlib import Path

from watchkeeper.cli import show
from watchkeeper.cli.options import Json
from watchkeeper.cli.outcome import SET_UP, CommandFailed
from watchkeeper.config.load import ConfigError, load


def check(file: Path, *, json: Json = False) -> None:
    """Read a configuration file and name every mistake with its line; nothing is started or changed."""
    try:
        loaded = load(file)
    except ConfigError as error:
        if json:
            show.document({"ok": False, "problems": str(error).splitlines()})
        raise CommandFailed(str(error), exit_code=SET_UP) from None
    warnings = [str(warning) for warning in loaded.warnings]
    if json:
        show.document({"ok": True, "version": loaded.version, "warnings": warnings})
        return
    for warning in warnings:
        show.note(warning)
    config = loaded.config
    counts = f"{len(config.providers)} providers, {len(config.features)} features, {len(config.routes)} routes"
    show.line(f"{file} is good: {counts} (version {loaded.version})")
