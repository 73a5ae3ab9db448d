"""Reads a configuration file: all of it is right, or every mistake is named with its line.

This is the one place where the environment is read.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from watchkeeper.config import checks, document, references, wording
from watchkeeper.config.document import Document
from watchkeeper.config.problems import ConfigError, Place, Problem
from watchkeeper.config.schema import SECRET_KEYS, Config

__all__ = ["ConfigError", "Loaded", "default_text", "load"]

VERSION_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    config: Config
    path: Path
    version: str
    """Hash of the effective values; what does not change them (comments, order) does not change it."""
    sources: dict[Place, str]
    """Where each given value came from: `watchkeeper.yaml:14`, with `, environment NAME` behind it or `, file PATH`."""
    files: tuple[Path, ...]
    """Every file that was read; the configuration may change when one of them does."""
    warnings: tuple[Problem, ...]
    """What is allowed but probably not meant."""


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Loaded:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read or used; the error names every mistake.
    """
    try:
        with path.open("rb") as handle:
            text = handle.read(document.BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError([Problem(path, None, (), f"cannot be read: {error.strerror}")]) from error
    found = document.read(text)
    problems = [Problem(path, line, place, message) for line, place, message in found.faults]
    if found.data is None:
        raise ConfigError(problems or [Problem(path, None, (), "must be a mapping")])
    if not found.data and not problems:
        # Many editors empty a file for a moment while they save it; nobody means a gateway without providers.
        problems.append(Problem(path, None, (), "is empty; it must name providers and routes"))
    expanded = references.expand(found.data, environment, path.parent, SECRET_KEYS)
    faults = [*expanded.faults, *checks.contradictions(expanded.data)]
    problems += [Problem(path, found.line(place), place, message) for place, message in faults]
    named = {problem.place for problem in problems}
    try:
        config = Config.model_validate(expanded.data)
    except ValidationError as error:
        # A reference that could not be resolved has been named; what the schema says of the gap it left would be noise.
        for detail in error.errors(include_url=False):
            place = wording.place_of(detail)
            if place not in named:
                problems.append(Problem(path, found.line(place), place, wording.words(detail)))
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return Loaded(
        config=config,
        path=path,
        version=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:VERSION_LENGTH],
        sources=_sources(path, found, expanded.origins),
        files=(path, *expanded.files),
        warnings=tuple(Problem(path, found.line(place), place, message) for place, message in checks.doubts(config)),
    )


def default_text() -> str:
    """Return the configuration that is written at the first start: a small model on this machine, nothing else."""
    return files("watchkeeper.config").joinpath("default.yaml").read_text("utf-8")


def _sources(path: Path, found: Document, origins: dict[Place, str]) -> dict[Place, str]:
    return {
        place: f"{path.name}:{line}" + (f", {origins[place]}" if place in origins else "")
        for place, line in found.lines.items()
    }
