"""What one request asks of the upstream."""

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""A JSON object, as `json` reads it."""

_NEVER_STREAMED = ("/embeddings", "/count_tokens")


@dataclass(frozen=True, slots=True)
class Asked:
    """A complete request, as received."""

    method: str
    path: str
    """Without the query."""
    headers: list[tuple[str, str]]
    """In the order received; names in lower case."""
    body: bytes
    query: str = ""
    """As received, without the question mark."""
    number: int = 1
    """Of this request on this upstream, from 1."""
    json: Json = field(init=False)
    """The body; empty when it is not a JSON object."""

    def __post_init__(self) -> None:
        try:
            found = json.loads(self.body)
        except ValueError:
            found = {}
        object.__setattr__(self, "json", found if isinstance(found, dict) else {})

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None when it was not sent."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def model(self) -> str:
        """The model asked for; empty when none was named."""
        name = self.json.get("model")
        return name if isinstance(name, str) else ""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is to come as server-sent events."""
        return self.json.get("stream") is True and not self.path.endswith(_NEVER_STREAMED)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream's usage is asked for."""
        options = self.json.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def choices(self) -> int:
        """How many answers are asked for; at least 1."""
        count = self.json.get("n")
        return count if isinstance(count, int) and count > 0 else 1

    @property
    def prefill(self) -> str | None:
        """The text of the last message or input item when it is an assistant's; None when it is not."""
        turns = self.json.get("messages", self.json.get("input"))
        last = turns[-1] if isinstance(turns, list) and turns else None
        if not isinstance(last, dict) or last.get("role") != "assistant":
            return None
        content = last.get("content")
        if isinstance(content, list):
            return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
        return content if isinstance(content, str) else ""
