"""OpenAI's Chat Completions: requests into prompts, completions and events into replies."""

from watchkeeper.gateway.neutral import Completion
from watchkeeper.gateway.surfaces.chat.places import field_of
from watchkeeper.gateway.surfaces.chat.reading import prompt_of
from watchkeeper.gateway.surfaces.chat.writing import ChatWriter, reply_body
from watchkeeper.gateway.surfaces.errors import openai_event
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room, Translation
from watchkeeper.gateway.surfaces.views import read_chat


def _reply(completion: Completion, frame: ReplyFrame) -> bytes:
    return reply_body(completion, reply_id=frame.reply_id, created_s=frame.created_s)


def _writer(frame: ReplyFrame) -> ChatWriter:
    return ChatWriter(reply_id=frame.reply_id, created_s=frame.created_s, includes_usage=frame.wants_usage)


CHAT = Room(
    "chat", "/chat/completions", "openai", read_chat, openai_event, Translation(prompt_of, _reply, _writer, field_of)
)
