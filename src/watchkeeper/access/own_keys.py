"""Keys that are Watchkeeper's own: derived from the node's secret, listed nowhere, of no feature."""

from watchkeeper.access.keys import PREFIX, SECRET_LENGTH

REPLAY_KEY_ID = "keeperreplay"
"""Public part of the key with which calls are repeated, on every host the same."""
EVAL_KEY_ID = "keeperevals0"
"""Public part of the key with which the cases of suites are asked, and judges."""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def own_key(public_id: str, secret: bytes) -> str:
    """Write a key.

    Args:
        public_id: One of those above.
        secret: 32 bytes that `access.node` derives for it.
    """
    value = int.from_bytes(secret, "big")
    digits = []
    for _ in range(SECRET_LENGTH):
        value, digit = divmod(value, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return f"{PREFIX}{public_id}-{''.join(digits)}"
