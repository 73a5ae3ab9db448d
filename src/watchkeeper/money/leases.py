"""What workers and the keeper's ledger say to each other over the socket in the data folder.

A frame is its length (4 bytes, little-endian) and one message in MessagePack. A worker says `Hello` first. A lease is
an amount that the ledger has set aside for one worker; the worker alone decides which calls it goes to. What a call
used comes back with the call's record on the spool, never here.
"""

from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

FRAME_BYTES_MAX = 1 << 20
PREFIX = 4


class Hello(Struct, tag="hello", array_like=True, gc=False):
    """The first message on a connection."""

    holder: str
    """The worker and its life: `worker-1.1763740800123456789`; another life is another holder."""
    worker: str
    """Name of its spool."""
    leased: dict[str, int] = {}
    """What it holds already, by account: its leases outlive a restart of the keeper."""


class Want(Struct, array_like=True, gc=False):
    """What a worker needs of one account."""

    rule: str
    """Id of the budget or limit."""
    values: tuple[str, ...]
    """Of the rule's scope, in its order."""
    need: int
    """Not granted in part."""
    like: int
    """As much as would spare it the next question; at least `need`."""
    must: bool = True
    """False where the call goes on without it, as in a budget of mode `shadow`."""


class Ask(Struct, tag="ask", array_like=True, gc=False):
    """Wants of one call: all are granted, or none."""

    number: int
    wants: tuple[Want, ...]


class Account(Struct, array_like=True, gc=False):
    """How an account stands after a question, in the rule's unit."""

    key: str
    granted: int
    """Added to the worker's lease; 0 in a refusal, and where `must` was false and there was no room."""
    limit: int
    used: int
    """Settled in the present window."""
    held: int
    """Leased to all workers, this one included."""
    resets_s: int
    """Unix time at which the present window ends."""
    has_room: bool = True


class Answer(Struct, tag="answer", array_like=True, gc=False):
    """To one question."""

    number: int
    accounts: tuple[Account, ...]
    """In the order of the wants; where it is refused, only the one that has no room."""
    is_granted: bool = True


class Give(Struct, tag="give", array_like=True, gc=False):
    """The worker returns what it does not need."""

    amounts: dict[str, int]


class Recall(Struct, tag="recall", array_like=True, gc=False):
    """The keeper asks for what no call under way holds, as a neighbour needs it. The worker answers with `Give`."""

    keys: tuple[str, ...]


FromWorker = Hello | Ask | Give
FromKeeper = Answer | Recall


Message = TypeVar("Message")


class Frames(Generic[Message]):
    """Cuts a stream of bytes into messages of one direction."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take in bytes; return the messages that are whole.

        Raises:
            ValueError: this is no such stream; the connection cannot be used any more.
        """
        self._waiting += data
        found: list[Message] = []
        at = 0
        while len(self._waiting) - at >= PREFIX:
            size = int.from_bytes(self._waiting[at : at + PREFIX], "little")
            if size > FRAME_BYTES_MAX:
                raise ValueError(f"a message of {size} bytes is longer than any that is sent")
            if len(self._waiting) - at - PREFIX < size:
                break
            at += PREFIX
            try:
                found.append(self._decode(bytes(self._waiting[at : at + size])))
            except msgspec.MsgspecError as error:
                raise ValueError(f"a message cannot be read: {error}") from error
            at += size
        del self._waiting[:at]
        return found


_encode = msgspec.msgpack.Encoder().encode


def frame(message: FromWorker | FromKeeper) -> bytes:
    """Write one message."""
    body = _encode(message)
    return len(body).to_bytes(PREFIX, "little") + body


class Held(NamedTuple):
    """A hold that a worker had when it died, as its book of holds says."""

    call_id: str
    at_ns: int
    accounts: tuple[tuple[str, int], ...]
    """Account and amount."""
