"""Makes cases of recorded calls: what was asked, what was answered if it is to be the reference, nothing personal."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from watchkeeper.core.conversation import Conversation, Message, Text
from watchkeeper.evals.redaction import Redaction, Redactor
from watchkeeper.evals.suite import Case

TAG = "from-call"
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """What is known of a call."""

    id: str
    conversation: Conversation
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """That the client sent for its release."""
    session: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MadeCase:
    """A case, and what is to be known before it is kept."""

    case: Case
    redactions: tuple[Redaction, ...]
    notes: tuple[str, ...]
    """What of the call is not in it, one sentence each."""


class NothingAsked(ValueError):
    """Nothing of what was asked in the call can be a case; the message says why."""


def variables_sent(request: bytes) -> dict[str, Any]:
    """Return the variables that a request brought for a release; empty where it brought none, or cannot be read."""
    try:
        body: Any = msgspec.json.decode(request)
    except (msgspec.DecodeError, RecursionError):
        return {}
    found = body.get("variables") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def case_of(call: RecordedCall, *, is_reference: bool, is_redacted: bool = True) -> MadeCase:
    """Make a case of a call.

    Args:
        call: The call.
        is_reference: Whether its answer becomes the reference.
        is_redacted: Whether personal data is taken out, by its form: see `evals.redaction`.

    Raises:
        NothingAsked: it brought neither variables nor messages.
    """
    notes = list[str]()
    messages = [_message(one, notes) for one in call.conversation.messages]
    if not messages and not call.variables:
        raise NothingAsked("it brought neither variables nor messages that can be read")
    reference = _answer(call.conversation) if is_reference else None
    if is_reference and reference is None:
        notes.append("It has no answer that could be the reference.")
    redactor = Redactor()
    variables: Any = dict(call.variables)
    if is_redacted:
        variables, messages = redactor.value(variables), redactor.value(messages)
        reference = None if reference is None else redactor.text(reference)
    case = Case(
        id=f"call-{call.id}",
        variables=variables,
        messages=tuple(messages),
        reference=reference,
        tags=tuple(dict.fromkeys((TAG, *call.tags))),
        cluster=_cluster(call.session),
        call=call.id,
    )
    return MadeCase(case, redactor.found, tuple(dict.fromkeys(notes)))


def _message(one: Message, notes: list[str]) -> dict[str, Any]:
    if any(not isinstance(part, Text) for part in one.parts):
        notes.append("Pictures, sounds and files of its messages are left out.")
    found: dict[str, Any] = {"role": one.role, "content": one.text or one.refusal}
    if one.name:
        found["name"] = one.name
    if one.tool_calls:
        found["tool_calls"] = [
            {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}
            for tool in one.tool_calls
        ]
    if one.tool_call_id:
        found["tool_call_id"] = one.tool_call_id
    return found


def _answer(conversation: Conversation) -> str | None:
    message = next((answer.message for answer in conversation.answers), None)
    return (message.text or message.refusal or None) if message is not None else None


def _cluster(session: str) -> str:
    """Calls of one session are not independent; its name may be a person's, and is not kept."""
    if not session:
        return ""
    return f"session-{hashlib.sha256(session.encode()).hexdigest()[:DIGEST_LENGTH]}"
