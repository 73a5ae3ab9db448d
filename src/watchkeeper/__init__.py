"""Watchkeeper: what an LLM feature needs in production beyond the model.

For an application: `watchkeeper.prompt("support").render(question=...)`; see docs/sdk.md. Nothing is loaded before its
name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper.sdk.feedback import hits
    from watchkeeper.sdk.prompts import Prompt, Prompts
    from watchkeeper.sdk.rendered import Rendered
    from watchkeeper.sdk.surroundings import aprompt, client, feedback, prompt

__version__ = "0.1.0"
__all__ = ["Prompt", "Prompts", "Rendered", "aprompt", "client", "feedback", "hits", "prompt"]

_HOMES = {
    "Prompt": "watchkeeper.sdk.prompts",
    "Prompts": "watchkeeper.sdk.prompts",
    "Rendered": "watchkeeper.sdk.rendered",
    "aprompt": "watchkeeper.sdk.surroundings",
    "client": "watchkeeper.sdk.surroundings",
    "feedback": "watchkeeper.sdk.surroundings",
    "hits": "watchkeeper.sdk.feedback",
    "prompt": "watchkeeper.sdk.surroundings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
