"""Watchkeeper's own keys, as the workers know them."""

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.node import NodeSecrets
from watchkeeper.access.own_keys import EVAL_KEY_ID, REPLAY_KEY_ID, own_key
from watchkeeper.gateway.snapshot import KeyEntry


def replay_key(secrets: NodeSecrets) -> str:
    """Return the key with which calls are repeated."""
    return own_key(REPLAY_KEY_ID, secrets.derive("replays"))


def eval_key(secrets: NodeSecrets) -> str:
    """Return the key with which cases and judges are asked."""
    return own_key(EVAL_KEY_ID, secrets.derive("evals"))


def own_entries(secrets: NodeSecrets) -> list[KeyEntry]:
    """Return what the snapshot says of them; they stand in no database and in no list."""
    hasher = KeyHasher(secrets.derive("keys"))
    return [
        _entry(REPLAY_KEY_ID, "replay", hasher.hash(replay_key(secrets))),
        _entry(EVAL_KEY_ID, "eval", hasher.hash(eval_key(secrets))),
    ]


def _entry(public_id: str, name: str, secret_hash: bytes) -> KeyEntry:
    return KeyEntry(
        public_id=public_id,
        secret_hash=secret_hash,
        name=name,
        feature="",
        tenant="",
        environment="production",
        expires_ns=None,
    )
