"""The key with which the keeper repeats calls, as the workers know it."""

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.node import NodeSecrets
from watchkeeper.access.replay_key import REPLAY_KEY_ID, replay_key
from watchkeeper.gateway.snapshot import KeyEntry


def replay_entry(secrets: NodeSecrets) -> KeyEntry:
    """Return what the snapshot says of the key; it stands in no database and in no list."""
    hasher = KeyHasher(secrets.derive("keys"))
    return KeyEntry(
        public_id=REPLAY_KEY_ID,
        secret_hash=hasher.hash(replay_key(secrets.derive("replays"))),
        name="replay",
        feature="",
        tenant="",
        environment="production",
        expires_ns=None,
    )
