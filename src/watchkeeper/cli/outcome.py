"""How a command ends: its exit code, and what is said on standard error when it fails."""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from cyclopts import App, CycloptsError, UnusedCliTokensError

from watchkeeper.cli.table import verbs_of
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError, OperatorError, WatchkeeperError

DONE, FAILED, WRONG_USAGE, NOT_FOUND, SET_UP, INTERRUPTED = 0, 1, 2, 3, 4, 130

_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=[A-Z`])")


class CommandFailed(WatchkeeperError):
    """A command cannot do what was asked; the message says why, and what to do."""

    def __init__(self, message: str, *, exit_code: int = FAILED, detail: Mapping[str, Any] | None = None) -> None:
        self.exit_code = exit_code
        self.detail = detail
        super().__init__(message)


def run(app: App, arguments: Sequence[str] | None) -> int:
    """Run a command; what fails is said in words, never as a traceback."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        error.verbose = False
        command = " ".join(("watchkeeper", *(error.command_chain or ())))
        said = str(error).strip() or "The command line is wrong."
        if isinstance(error, UnusedCliTokensError):  # a noun that lists without a verb was given one it does not know
            word = (error.unused_tokens or [""])[0]
            said = f"`{command}` has no verb {word!r}{meant(word, verbs_of(command))}"
        return _say(f"{said} See `{command} --help`.", WRONG_USAGE)
    except CommandFailed as error:
        return _say(str(error), error.exit_code)
    except OperatorError as error:
        return _say(str(error), SET_UP)
    except CallerError as error:
        return _say(str(error), NOT_FOUND if error.http_status == 404 else FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left, as `head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # a fault of ours is told in words too, and kept for whoever mends it
        return _say(f"Watchkeeper failed ({type(error).__name__}). Please report it with {_kept()}.", FAILED)
    return DONE


def _say(message: str, exit_code: int) -> int:
    """Say what happened on one line, and what to do on the next."""
    happened, *advice = [message] if "\n" in message else _SENTENCE_END.split(message, maxsplit=1)
    sys.stderr.write("\n  ".join((f"watchkeeper: {happened}", *advice)) + "\n")
    return exit_code


def _kept() -> str:
    """Write the traceback into a file and return its name."""
    with tempfile.NamedTemporaryFile("w", prefix="watchkeeper-", suffix=".txt", delete=False) as file:
        file.write(traceback.format_exc())
        return file.name
