"""Puts a limit of tokens into a request that has none."""

from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.patching import patch

_FIELDS = {
    "chat": "max_tokens",
    "completions": "max_tokens",
    "responses": "max_output_tokens",
    "messages": "max_tokens",
}
"""Of chat the older field, which every compatible server knows."""


def limit_output(passage: Passage, tokens: int) -> None:
    """Ask for an answer of at most so many tokens; where an answer has no length, nothing is changed."""
    room = passage.written_in
    name = _FIELDS.get(room.surface)
    if name is None:
        return
    passage.body = patch(passage.body, {name: b"%d" % tokens})
    passage.prompt = None
    passage.view = room.read(passage.body)
