"""OpenAI's Responses API as clients speak it, without state."""

from watchkeeper.gateway.neutral import Completion
from watchkeeper.gateway.surfaces.responses.reading import field_of, prompt_of
from watchkeeper.gateway.surfaces.responses.writing import ResponsesWriter, error_event, reply_body
from watchkeeper.gateway.surfaces.room import ReplyFrame, Room, Translation
from watchkeeper.gateway.surfaces.views import read_responses


def _reply(completion: Completion, frame: ReplyFrame) -> bytes:
    return reply_body(completion, reply_id=frame.reply_id, created_s=frame.created_s, request=frame.request)


def _writer(frame: ReplyFrame) -> ResponsesWriter:
    return ResponsesWriter(reply_id=frame.reply_id, created_s=frame.created_s, request=frame.request)


def _event(message: str, code: str, _call_id: str) -> bytes:
    return error_event(message, code)


RESPONSES = Room(
    "responses", "/responses", "openai", read_responses, _event, Translation(prompt_of, _reply, _writer, field_of)
)
