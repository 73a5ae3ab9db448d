"""Anthropic's Messages API as clients speak it."""

from watchkeeper.gateway.neutral import Completion
from watchkeeper.gateway.surfaces.errors import anthropic_event
from watchkeeper.gateway.surfaces.messages.reading import field_of, prompt_of
from watchkeeper.gateway.surfaces.messages.writing import MessagesWriter, reply_body
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room, Translation
from watchkeeper.gateway.surfaces.views import read_messages


def _reply(completion: Completion, frame: ReplyFrame) -> bytes:
    return reply_body(completion, reply_id=frame.reply_id)


def _writer(frame: ReplyFrame) -> MessagesWriter:
    return MessagesWriter(reply_id=frame.reply_id)


MESSAGES = Room(
    "messages",
    "/messages",
    "anthropic",
    read_messages,
    anthropic_event,
    Translation(prompt_of, _reply, _writer, field_of),
)
