"""How reasoning passes through a client and back: `encrypted_content` is the only field that it returns unread.

Where a provider seals reasoning that it also shows, the seal alone is marked and put there; the words stand in the
item's summary. Reasoning that only the provider can read goes there as it is.
"""

from watchkeeper.gateway.neutral import Thinking

_SEAL = "wk-seal:"


def sealed(thinking: Thinking) -> str | None:
    """Return the `encrypted_content` of a reasoning item; None where there is nothing to return."""
    return _SEAL + thinking.signature if thinking.signature else thinking.redacted or None


def unsealed(text: str, encrypted: str | None) -> Thinking:
    """Read a reasoning item back: its words, and its `encrypted_content`."""
    if not encrypted:
        return Thinking(text=text)
    if encrypted.startswith(_SEAL):
        return Thinking(text=text, signature=encrypted[len(_SEAL) :])
    return Thinking(redacted=encrypted)
