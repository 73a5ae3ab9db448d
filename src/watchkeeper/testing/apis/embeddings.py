"""Embeddings."""

import base64
import struct
from typing import Any

from watchkeeper.testing.apis import openai
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import Event, Said, input_tokens

DIMENSIONS = 8


class Embeddings(openai.Chunked):
    """OpenAI's embeddings: vectors of the input, whatever the script says."""

    def document(self, asked: Asked, said: Said) -> Json:
        """Write one vector for each input, as numbers or packed in base64 as asked."""
        inputs = asked.json.get("input")
        is_single = isinstance(inputs, str) or (
            isinstance(inputs, list) and all(isinstance(item, int) for item in inputs)
        )
        rows = [inputs] if is_single else list(inputs or [])
        is_packed = asked.json.get("encoding_format") == "base64"
        dimensions = asked.json.get("dimensions") or DIMENSIONS
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(row, dimensions, is_packed=is_packed)}
            for index, row in enumerate(rows)
        ]
        document: Json = {"object": "list", "data": data, "model": said.model or asked.model}
        return document if said.reports_usage == "missing" else {**document, "usage": _usage(asked, said)}

    def events(self, _asked: Asked, _said: Said) -> list[Event]:
        """Return nothing: vectors are not streamed."""
        return []


def _usage(asked: Asked, said: Said) -> Json:
    prompt = input_tokens(asked)
    return {"prompt_tokens": prompt, "total_tokens": prompt} if said.usage is None else said.usage


def _vector(row: Any, dimensions: int, *, is_packed: bool) -> list[float] | str:
    seed = sum(str(row).encode())
    numbers = [((seed + position * 31) % 97) / 97 for position in range(dimensions)]
    return base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode() if is_packed else numbers
