"""Takes feedback from applications: under their key, onto the spool. Whether they may give it, ingest finds out."""

import re
import secrets
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from watchkeeper.core.clock import Clock
from watchkeeper.core.feedback import (
    COMMENT_LETTERS_MAX,
    DEFAULT_NAME,
    ID_LETTERS_MAX,
    LABEL_LETTERS_MAX,
    NAME_LETTERS_MAX,
    VALUE_MAX,
    FeedbackEvent,
)
from watchkeeper.core.ids import CallIds, is_call_id
from watchkeeper.gateway.admit import VALUE_LENGTH_MAX, Admission
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.plan import Plan
from watchkeeper.gateway.recorder import Recorder
from watchkeeper.gateway.refusals import BadRequest, NotReady
from watchkeeper.gateway.wire.exchange import Exchange

PATHS = frozenset({"/v1/feedback", "/feedback"})
BODY_BYTES_MAX = 32 << 10
_JSON = b"content-type: application/json\r\n"
_DECIMAL = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,3})?")


class _Wish(Struct, forbid_unknown_fields=True):
    """The body."""

    call_id: str = ""
    session: Annotated[str, Meta(max_length=VALUE_LENGTH_MAX)] = ""
    id: Annotated[str, Meta(max_length=ID_LETTERS_MAX)] = ""
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LETTERS_MAX)] = DEFAULT_NAME
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    label: Annotated[str, Meta(max_length=LABEL_LETTERS_MAX)] = ""
    comment: Annotated[str, Meta(max_length=COMMENT_LETTERS_MAX)] = ""
    value: Decimal | None = None


_read = msgspec.json.Decoder(_Wish).decode


class FeedbackDoor:
    """Where applications bring feedback."""

    def __init__(self, admission: Admission, recorder: Recorder, clock: Clock) -> None:
        self._admission = admission
        self._recorder = recorder
        self._unix_ns = clock.unix_ns
        self._next_entry = CallIds(clock).next

    async def take(self, exchange: Exchange, plan: Plan | None) -> tuple[int, bytes, bytes]:
        """Write feedback down; return status, headers and body of the answer, once it is on disk.

        Raises:
            Refusal: who gives it is not known, it cannot be understood, or it cannot be written down.
        """
        if plan is None:
            raise NotReady("The gateway has no configuration yet. It is starting; try again in a few seconds.")
        request = exchange.request
        key = self._admission.identify(plan, request.headers)
        wish = _wish(request.body)
        event = FeedbackEvent(
            entry=self._next_entry(),
            id=wish.id or secrets.token_hex(12),
            received_ns=self._unix_ns(),
            key_id=key.public_id,
            feature=key.feature,
            tenant=key.tenant,
            call_id=wish.call_id,
            session=wish.session,
            name=wish.name,
            score=wish.score,
            label=wish.label,
            comment=wish.comment,
            value_milli=None if wish.value is None else int(wish.value * 1000),
        )
        await self._recorder.commit_feedback(event)
        return HTTPStatus.ACCEPTED, _JSON, msgspec.json.encode({"id": event.id, "status": "accepted"})


def _wish(body: bytes) -> _Wish:
    if len(body) > BODY_BYTES_MAX:
        raise BadRequest(f"Feedback has at most {BODY_BYTES_MAX >> 10} KiB; nothing was kept.")
    try:
        wish = _read(body)
    except UNREADABLE as error:
        raise BadRequest(f"The body is not feedback: {error}. Nothing was kept.") from error
    for fault in _faults(wish):
        raise BadRequest(f"{fault}; nothing was kept.")
    return wish


def _faults(wish: _Wish) -> list[str]:
    """Say what is wrong with feedback whose fields are each right."""
    found: list[str] = []
    if bool(wish.call_id) == bool(wish.session):
        found.append("Say on what: `call_id` (the header `x-wk-call-id` of the answer) or `session`, not both")
    if wish.call_id and not is_call_id(wish.call_id):
        found.append(f"`call_id` is {wish.call_id[:40]!r}, which is not the id of a call")
    if wish.score is None and not wish.label and not wish.comment and wish.value is None:
        found.append("Say something: `score` (0 to 1), `label`, `comment` or `value`")
    if wish.value is not None and not (_DECIMAL.fullmatch(str(wish.value)) and 0 < abs(wish.value) <= VALUE_MAX):
        found.append("`value` is a number of units other than 0, with at most three decimals")
    return found
