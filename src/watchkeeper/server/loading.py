"""Reads a configuration with what only later parts understand: the scorers in it."""

from pathlib import Path

from watchkeeper.config.load import ConfigError, Loaded, load
from watchkeeper.config.problems import Place, Problem
from watchkeeper.evals.online import faults


def load_whole(path: Path) -> Loaded:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read or used, or a scorer in it cannot; the error names every mistake.
    """
    loaded = load(path)
    if found := faults(loaded.config.evals):
        raise ConfigError([Problem(path, _line(loaded, place), place, message) for place, message in found])
    return loaded


def _line(loaded: Loaded, place: Place) -> int | None:
    source = loaded.sources.get(place, "").partition(",")[0].rpartition(":")[2]
    return int(source) if source.isdigit() else None
