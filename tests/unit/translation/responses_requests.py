"""Requests of the Responses API, as tests write them."""

import json

from watchkeeper.gateway.neutral import Prompt
from watchkeeper.gateway.surfaces.responses.reading import prompt_of

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": None}


def read(**fields: object) -> Prompt:
    """Read a request that has a model and an input unless they are given."""
    return prompt_of(json.dumps({"model": "m", "input": "hi"} | fields, separators=(",", ":")).encode())


def user(*content: object) -> dict[str, object]:
    return {"role": "user", "content": list(content)}


def assistant(*content: object, **fields: object) -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": list(content), **fields}


def call(number: int, **fields: object) -> dict[str, object]:
    return {"type": "function_call", "call_id": f"c{number}", "name": "look", "arguments": "{}", **fields}


def result(number: int, **fields: object) -> dict[str, object]:
    return {"type": "function_call_output", "call_id": f"c{number}", "output": "seen", **fields}
