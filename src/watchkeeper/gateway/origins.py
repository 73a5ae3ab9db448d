"""Calls that Watchkeeper makes itself: why, and for whom, is believed to its own keys only."""

from watchkeeper.access.own_keys import EVAL_KEY_ID, REPLAY_KEY_ID
from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.core.call import Call
from watchkeeper.core.ids import is_call_id
from watchkeeper.gateway.snapshot import KeyEntry

OF_HEADER = b"x-wk-replay-of"
SUBJECT_HEADER = b"x-wk-replay-subject"


def mark(call: Call, entry: KeyEntry, headers: dict[bytes, bytes]) -> None:
    """Write into a call why it is made, and which one it repeats; any other key's call stays as it is."""
    if entry.public_id == EVAL_KEY_ID:
        call.origin = "eval"
    elif entry.public_id == REPLAY_KEY_ID:
        call.origin = "replay"
        original = headers.get(OF_HEADER, b"").decode("latin-1")
        if is_call_id(original):
            call.origin_call = original
        subject = headers.get(SUBJECT_HEADER, b"").decode("latin-1")
        if is_pseudonym(subject):
            call.subject = subject
