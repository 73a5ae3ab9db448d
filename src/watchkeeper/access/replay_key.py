"""The key with which the keeper repeats calls: derived from the node's secret, listed nowhere, of no feature."""

from watchkeeper.access.keys import PREFIX, SECRET_LENGTH

REPLAY_KEY_ID = "keeperreplay"
"""Its public part, on every host the same."""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def replay_key(secret: bytes) -> str:
    """Write the key.

    Args:
        secret: 32 bytes that `access.node` derives for this.
    """
    value = int.from_bytes(secret, "big")
    digits = []
    for _ in range(SECRET_LENGTH):
        value, digit = divmod(value, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return f"{PREFIX}{REPLAY_KEY_ID}-{''.join(digits)}"
