"""How a command ends: its exit code, and what is said on standard error when it fails."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from watchkeeper.core.errors import CallerError, OperatorError, WatchkeeperError

DONE, FAILED, WRONG_USAGE, NOT_FOUND, SET_UP, INTERRUPTED = 0, 1, 2, 3, 4, 130


class CommandFailed(WatchkeeperError):
    """The control API refused what a command asked for."""

    def __init__(self, message: str, *, exit_code: int = FAILED) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def run(app: App, arguments: Sequence[str] | None) -> int:
    """Run a command; never a traceback for what the user can mend."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        error.verbose = False
        return _say(str(error).strip() or "The command line is wrong.", WRONG_USAGE, hint="see `watchkeeper --help`")
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
    return DONE


def _say(message: str, exit_code: int, *, hint: str = "") -> int:
    sys.stderr.write(f"watchkeeper: {message}{f' ({hint})' if hint else ''}\n")
    return exit_code
