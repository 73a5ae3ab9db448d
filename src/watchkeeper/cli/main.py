"""`watchkeeper NOUN VERB`: the table of commands. A command's module is imported when it is called."""

import sys
from collections.abc import Sequence

from cyclopts import App

from watchkeeper import __version__

EXIT_CODES = (
    "Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 there is no such thing; "
    "4 something in the set-up must be changed first (a port, a folder, a configuration); 130 interrupted."
)


_COMMANDS = {
    "up": "Start gateway, console and the bundled model; Ctrl-C stops them.",
    "check": "Read a configuration file and name every mistake with its line.",
    "calls": "List calls, the newest first; --follow goes on with those that arrive.",
    "call": "Show one call by its id: conversation, attempts, timing, tokens and cost.",
    "health": "Ask every part whether it works.",
}
_NOUNS = {
    "keys": (
        "Virtual keys.",
        {
            "create": "Make a key; it is printed once, as the last line.",
            "list": "List the keys without their secrets.",
            "revoke": "End a key at once.",
            "rotate": "Make a key like another, which ends after an overlap.",
        },
    ),
    "users": (
        "Who may sign in to the console.",
        {"add": "Add a user.", "list": "List the users.", "link": "Make a link that signs in once."},
    ),
    "tokens": (
        "API tokens for programs.",
        {"create": "Make a token; it is printed once.", "list": "List the tokens.", "revoke": "End a token at once."},
    ),
    "config": (
        "The configuration.",
        {"schema": "Print its JSON schema.", "explain": "Show every value in force and where it comes from."},
    ),
}


def build() -> App:
    """Build the table of commands."""
    app = App(
        name="watchkeeper",
        version=__version__,
        help="What an LLM feature needs in production beyond the model.",
        help_epilogue=EXIT_CODES,
        help_format="plaintext",
        result_action="return_value",
    )
    for name, about in _COMMANDS.items():
        app.command(f"watchkeeper.cli.{name}:{name}", name=name, help=about)
    for noun, (about, verbs) in _NOUNS.items():
        group = App(name=noun, help=about, help_format="plaintext", result_action="return_value")
        for verb, meaning in verbs.items():
            function = "list_" if verb == "list" else verb
            group.command(f"watchkeeper.cli.{noun}:{function}", name=verb, help=meaning)
        app.command(group)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    from watchkeeper.cli.outcome import run  # the imports behind it are not needed to print help

    sys.exit(run(build(), arguments))
