"""What was said in a call, read back from the recorded bytes of its request and its response.

Reading never fails: recorded bodies may be cut, malformed or hostile. What cannot be read is left
out and named in `Conversation.notes`, so that a reader knows to look at the raw bytes.

A request is read by the API that the client spoke. A response is read by its own shape: it is recorded as the upstream
sent it, and that may have been translated for the client.
"""

from dataclasses import replace

from watchkeeper.core.call import Surface
from watchkeeper.core.conversation.replies import answers_of
from watchkeeper.core.conversation.requests import asked
from watchkeeper.core.conversation.streams import event_payloads, streamed_answers
from watchkeeper.core.conversation.values import as_array, as_object, error_of, json_object
from watchkeeper.core.conversation.words import (
    Answer,
    Conversation,
    Image,
    Message,
    Other,
    Part,
    Text,
    Tool,
    ToolCall,
)

__all__ = [
    "Answer",
    "Conversation",
    "Image",
    "Message",
    "Other",
    "Part",
    "Text",
    "Tool",
    "ToolCall",
    "event_payloads",
    "read_conversation",
]


def read_conversation(request: bytes, response: bytes, *, surface: Surface, is_stream: bool) -> Conversation:
    """Read the recorded bodies of one call.

    Args:
        request: The request body as received; may be cut.
        response: The response body as received from the upstream, in whichever dialect it speaks; the raw events if it
            was a stream.
        surface: The API the client spoke.
        is_stream: Whether a stream was asked for. An upstream that answered with one JSON document
            all the same is understood.
    """
    notes: list[str] = []
    conversation = asked(json_object(request, "request", notes) if request else {}, surface, notes)
    if not response:
        return replace(conversation, notes=tuple(notes))
    if is_stream and surface != "embeddings" and not response.lstrip().startswith(b"{"):
        answers, error = streamed_answers(response, notes)
        return replace(conversation, answers=answers, error=error, notes=tuple(notes))
    given = json_object(response, "response", notes)
    if surface == "embeddings":
        return replace(conversation, vectors=_vectors(given), error=error_of(given), notes=tuple(notes))
    return replace(conversation, answers=answers_of(given), error=error_of(given), notes=tuple(notes))


def _vectors(given: dict[str, object]) -> tuple[int, int] | None:
    vectors = as_array(given.get("data"))
    if not vectors:
        return None
    return len(vectors), len(as_array(as_object(vectors[0]).get("embedding")))
