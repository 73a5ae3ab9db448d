"""What the keeper prepares before anybody comes: a way in, and at the first start of all a key."""

from watchkeeper.api.services import Services
from watchkeeper.api.signin import make_link
from watchkeeper.server.sealed import SealedFile
from watchkeeper.server.welcome import Welcome, read_welcome, write_welcome
from watchkeeper.store.keys import KeyDraft
from watchkeeper.store.rows import CallFilter

FIRST_FEATURE = "playground"
FIRST_KEY_NAME = "first key"


async def prepare_welcome(services: Services, file: SealedFile) -> None:
    """Make a fresh sign-in link, and the first key when no key was ever made."""
    last = read_welcome(file)
    keys = await services.control.keys.all()
    now_valid = {key.public_id for key in keys if key.revoked_at is None and key.replaced_by is None}
    key_id, key = (last.key_id, last.key) if last.key_id in now_valid else ("", "")
    if key and await services.analytics.count(CallFilter(key_id=key_id)):
        key = ""
    if not keys:
        draft = KeyDraft(feature=FIRST_FEATURE, name=FIRST_KEY_NAME)
        made = await services.control.keys.create(services.key_hasher, draft, actor="first start")
        key_id, key = made.row.public_id, made.key
        services.on_control_change()
    link = await make_link(services)
    write_welcome(
        file,
        Welcome(
            key_id=key_id,
            key=key,
            is_key_shown=last.is_key_shown and key_id == last.key_id,
            model=services.first_model(),
            login_path=link.path,
        ),
    )
