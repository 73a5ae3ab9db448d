"""The APIs that clients speak: a room for each."""

from watchkeeper.core.call import Surface
from watchkeeper.gateway.surfaces.chat import CHAT
from watchkeeper.gateway.surfaces.completions import COMPLETIONS
from watchkeeper.gateway.surfaces.errors import anthropic_event, openai_event
from watchkeeper.gateway.surfaces.messages import MESSAGES
from watchkeeper.gateway.surfaces.responses import RESPONSES
from watchkeeper.gateway.surfaces.room import Room
from watchkeeper.gateway.surfaces.views import read_embeddings, read_messages

EMBEDDINGS = Room("embeddings", "/embeddings", "openai", read_embeddings, openai_event)
COUNT_TOKENS = Room("count_tokens", "/messages/count_tokens", "anthropic", read_messages, anthropic_event)

ROOMS: dict[Surface, Room] = {
    room.surface: room for room in (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, COUNT_TOKENS)
}
