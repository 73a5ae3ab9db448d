"""`watchkeeper NOUN VERB`."""

import sys
from collections.abc import Sequence

from cyclopts import App, Parameter

from watchkeeper import __version__
from watchkeeper.cli.table import COMMANDS, GROUPS, NOUNS, group_of, noun_of

EXIT_CODES = (
    "Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 there is no such thing; "
    "4 something in the set-up must be changed first (a port, a folder, a configuration); 130 interrupted."
)


def build() -> App:
    """Build the table of commands."""
    app = App(
        name="watchkeeper",
        version=__version__,
        help="What an LLM feature needs in production beyond the model.",
        help_epilogue=EXIT_CODES,
        help_format="plaintext",
        result_action="return_value",
        default_parameter=Parameter(show_default=_shown),
    )
    for path, about in COMMANDS.items():
        app.command(path, name=path.rpartition(":")[2], help=about)
    for path, about in GROUPS.items():
        app.command(path, name=noun_of(path), help=about)
    for noun, about in NOUNS.items():
        app.command(group_of(noun, about))
    return app


def _shown(default: object) -> str | None:
    """A default that says nothing is not shown in the help."""
    return None if default in (None, "", ()) or isinstance(default, bool) else str(default)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    from watchkeeper.cli.outcome import run  # the imports behind it are not needed to print help

    sys.exit(run(build(), arguments))
