"""The APIs that the scripted upstream answers in, one module for each; the path that was asked chooses."""

from types import MappingProxyType

from watchkeeper.testing.apis.api import Api
from watchkeeper.testing.apis.chat import Chat
from watchkeeper.testing.apis.completions import Completions
from watchkeeper.testing.apis.embeddings import Embeddings
from watchkeeper.testing.apis.messages import Counting, Messages
from watchkeeper.testing.apis.responses import Responses

CHAT = Chat()
APIS: MappingProxyType[str, Api] = MappingProxyType(
    {
        "/chat/completions": CHAT,
        "/completions": Completions(),
        "/embeddings": Embeddings(),
        "/messages": Messages(),
        "/messages/count_tokens": Counting(),
        "/responses": Responses(),
    }
)
"""By how the path ends; the first that fits."""


def api_of(path: str) -> Api:
    """Return the API that a path belongs to; chat completions when it is none's."""
    return next((api for end, api in APIS.items() if path.endswith(end)), CHAT)


def is_known(path: str) -> bool:
    """Tell whether a path belongs to an API."""
    return path.endswith(tuple(APIS))
