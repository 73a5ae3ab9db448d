"""What the command line says of configurations of promptfoo, and which files are some."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Promptfoo:
    """What is said of configurations of promptfoo alone."""

    output: Annotated[
        list[Path] | None,
        Parameter(negative="", help="promptfoo's own files: .json, .jsonl, .csv, .html, .yaml, .txt, .xml, .junit.xml"),
    ] = None
    provider_map: Annotated[
        list[str] | None, Parameter(negative="", help="ID=MODEL: which model of the gateway stands in for a provider.")
    ] = None
    grader: Annotated[str, Parameter(help="Model that grades where the file names none.")] = ""
    compat: Annotated[Literal["latest", "0.118"], Parameter(help="Behave as this version of promptfoo.")] = "latest"
    promptfoo_exit_codes: Annotated[bool, Parameter(negative="", help="0, 100 and 1, as promptfoo has them.")] = False
    allow_exec: Annotated[bool, Parameter(negative="", help="Run providers that are commands (`exec:`).")] = False
    allow_network: Annotated[bool, Parameter(negative="", help="Send what `webhook` assertions send.")] = False
    ignore_extensions: Annotated[bool, Parameter(negative="", help="Run although extensions are not run.")] = False
    filter_pattern: Annotated[str, Parameter(help="Only tests with this in their description.")] = ""
    filter_providers: Annotated[str, Parameter(help="Only providers with this in their id or label.")] = ""
    filter_first_n: Annotated[int | None, Parameter(help="Only so many tests.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How it is run, as for every suite."""

    data: Path
    feature: str
    baseline: str
    is_gate: bool
    concurrency: int | None
    timeout: str
    cap_nusd: int | None
    repeats: int | None
    is_quiet: bool
    json: bool
    reports: tuple[Path, ...] = ()
    """Watchkeeper's own, of the run as it is kept."""


def is_promptfoo(path: Path) -> bool:
    """Tell whether a file is a configuration of promptfoo, by its name or its keys."""
    if not path.is_file() or path.suffix.lower() not in (".yaml", ".yml", ".json"):
        return False
    if "promptfoo" in path.name:
        return True
    with path.open("rb") as file:
        keys = {
            line.partition(b":")[0].strip(b" \"'\t,{").decode("utf-8", "replace")
            for line in file.read(100_000).splitlines()
        }
    return "prompts" in keys and bool(keys & {"providers", "targets"}) and "scorers" not in keys
