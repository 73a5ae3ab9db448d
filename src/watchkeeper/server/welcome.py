"""What `watchkeeper up` prints: a way in for the operator, and a first key for the application."""

import json
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec import Struct

from watchkeeper.access.keys import PREFIX
from watchkeeper.access.node import NodeSecrets
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.sealed import SealedFile, SealError


class Welcome(Struct, frozen=True, kw_only=True):
    """Handed from the keeper to the supervisor in a sealed file: it holds a key."""

    key_id: str = ""
    key: str = ""
    """Empty once the first key is valid no more, or a call has been made with it: whoever made it has the key."""
    is_key_shown: bool = False
    """Whether the key has been printed before."""
    model: str = ""
    """The route to try first."""
    login_path: str = ""
    """One-time sign-in link, without the address."""


def welcome_file(folder: DataFolder, secrets: NodeSecrets) -> SealedFile:
    """The file that keeps the welcome between two starts."""
    return SealedFile(Path(folder.root / "welcome"), secrets.derive("welcome"))


def read_welcome(file: SealedFile) -> Welcome:
    """Read the last welcome; an empty one when there is none that can be read."""
    try:
        return msgspec.json.decode(file.read(), type=Welcome)
    except (FileNotFoundError, SealError, msgspec.MsgspecError):
        return Welcome()


def show_welcome(file: SealedFile, out: TextIO, *, gateway: str, console: str) -> None:
    """Print how to use what has come up.

    The key is printed once wherever that goes, because a first start has no other way to hand it over. Afterwards only
    a terminal gets it: what a service prints is kept in a log.
    """
    welcome = read_welcome(file)
    shows_key = bool(welcome.key) and (out.isatty() or not welcome.is_key_shown)
    out.write(greeting(welcome, gateway=gateway, console=console, shows_key=shows_key))
    out.flush()
    if shows_key and not welcome.is_key_shown:
        write_welcome(file, msgspec.structs.replace(welcome, is_key_shown=True))


def greeting(welcome: Welcome, *, gateway: str, console: str, shows_key: bool) -> str:
    """Say where everything is and how to begin.

    Args:
        welcome: As the keeper has prepared it.
        gateway: Its address, without a path.
        console: Its address, without a path.
        shows_key: Whether the key itself may be told.
    """
    lines = ["", "Watchkeeper is up.", "", f"  gateway  {gateway}/v1", f"  console  {console}"]
    if welcome.login_path:
        lines.append(f"  sign in  {console}{welcome.login_path}  (once, within 15 minutes)")
    if shows_key:
        body = json.dumps({"model": welcome.model, "messages": [{"role": "user", "content": "Say hello."}]})
        lines += [
            f"  key      {welcome.key}",
            "",
            "Try it:",
            "",
            f"  curl {gateway}/v1/chat/completions \\",
            f"    -H 'Authorization: Bearer {welcome.key}' \\",
            "    -H 'Content-Type: application/json' \\",
            f"    -d '{body}'",
        ]
    elif welcome.key_id:
        lines.append(f"  key      {PREFIX}{welcome.key_id}-...  (shown at the first start)")
        lines += ["", "Make another key:  watchkeeper keys create --feature NAME"]
    else:
        lines += ["", "Make a key:  watchkeeper keys create --feature NAME"]
    return "\n".join([*lines, "", "Ctrl-C stops it.", ""])


def write_welcome(file: SealedFile, welcome: Welcome) -> None:
    """Keep a welcome in place of the last."""
    file.write(msgspec.json.encode(welcome))
