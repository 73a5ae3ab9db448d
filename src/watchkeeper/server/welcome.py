"""What `watchkeeper up` prints: a way in for the operator, and a first key for the application."""

from pathlib import Path

import msgspec
from msgspec import Struct

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.services import Services
from watchkeeper.api.signin import make_link
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.sealed import SealedFile, SealError
from watchkeeper.store.keys import KeyDraft

FIRST_FEATURE = "playground"
FIRST_KEY_NAME = "first key"


class Welcome(Struct, frozen=True, kw_only=True):
    """Handed from the keeper to the supervisor in a sealed file: it holds a key."""

    key_id: str = ""
    key: str = ""
    """Empty once the first key is valid no more."""
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


async def prepare_welcome(services: Services, file: SealedFile) -> None:
    """Make a fresh sign-in link, and the first key when no key was ever made."""
    last = read_welcome(file)
    keys = await services.control.keys.all()
    now_valid = {key.public_id for key in keys if key.revoked_at is None and key.replaced_by is None}
    key_id, key = (last.key_id, last.key) if last.key_id in now_valid else ("", "")
    if not keys:
        draft = KeyDraft(feature=FIRST_FEATURE, name=FIRST_KEY_NAME)
        made = await services.control.keys.create(services.key_hasher, draft, actor="first start")
        key_id, key = made.row.public_id, made.key
        services.on_control_change()
    link = await make_link(services)
    welcome = Welcome(key_id=key_id, key=key, model=services.first_model(), login_path=link.path)
    file.write(msgspec.json.encode(welcome))
