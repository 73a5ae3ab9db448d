"""OpenAI's legacy Completions: one text in, one text out."""

from watchkeeper.gateway.neutral import Completion
from watchkeeper.gateway.surfaces.completions.reading import prompt_of
from watchkeeper.gateway.surfaces.completions.writing import CompletionsWriter, reply_body
from watchkeeper.gateway.surfaces.errors import openai_event
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room, Translation
from watchkeeper.gateway.surfaces.views import read_completions


def _reply(completion: Completion, frame: ReplyFrame) -> bytes:
    return reply_body(completion, reply_id=frame.reply_id, created_s=frame.created_s)


def _field_of(_body: bytes, place: str) -> str:
    return "prompt" if place.startswith("turns[") else place


def _writer(frame: ReplyFrame) -> CompletionsWriter:
    return CompletionsWriter(reply_id=frame.reply_id, created_s=frame.created_s, includes_usage=frame.wants_usage)


COMPLETIONS = Room(
    "completions",
    "/completions",
    "openai",
    read_completions,
    openai_event,
    Translation(prompt_of, _reply, _writer, _field_of),
)
