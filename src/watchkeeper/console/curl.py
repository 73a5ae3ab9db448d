"""A recorded call as a `curl` command that can be pasted into any POSIX shell."""

import shlex
from collections.abc import Sequence

KEY_VARIABLE = "WATCHKEEPER_KEY"
INLINE_BYTES_MAX = 20_000
"""A larger body, or one that is not text, is read from a file instead."""
BODY_FILE = "request.bin"
_CARRIED = ("content-type", "accept", "openai-organization", "openai-project", "openai-beta")
_CARRIED_PREFIX = "x-wk-"


def replay_command(gateway_url: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> str:
    """Write the command that sends a recorded request again.

    The key is never recorded; the command takes it from the variable `WATCHKEEPER_KEY`. A body that
    does not fit into a command line is read from `request.bin` in the current folder.

    Args:
        gateway_url: Address of the gateway, without a trailing slash.
        path: As recorded, with its leading slash.
        headers: As recorded; only those that change what is asked are carried over.
        body: As recorded.
    """
    lines = [f"curl {shlex.quote(gateway_url + path)}", f'-H "Authorization: Bearer ${KEY_VARIABLE}"']
    for name, value in headers:
        if (name.lower() in _CARRIED or name.lower().startswith(_CARRIED_PREFIX)) and _is_plain(value):
            lines.append(f"-H {shlex.quote(f'{name}: {value}')}")
    if body:
        text = _inline_text(body)
        lines.append(f"--data-binary {'@' + BODY_FILE if text is None else shlex.quote(text)}")
    return " \\\n  ".join(lines)


def needs_file(body: bytes) -> bool:
    """Tell whether the command reads the body from a file."""
    return _inline_text(body) is None


def _inline_text(body: bytes) -> str | None:
    """Return the body as text that a shell passes on unchanged; None when there is none.

    A leading @ would make curl read a file. NUL cannot stand in an argument.
    """
    if len(body) > INLINE_BYTES_MAX or body.startswith(b"@"):
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_plain(value: str) -> bool:
    return value.isprintable()
