"""Legacy completions: a text for a prompt, whole and in chunks. Thoughts and tools are not said here."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from watchkeeper.testing.apis import openai
from watchkeeper.testing.apis.openai import Chunk
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import CREATED_S, Event, Said, input_tokens, tokens_of

BROKEN = b'{"id":"cmpl-broken","choices":[{"index":0,"te'


class Completions(openai.Chunked):
    """OpenAI's completions of a prompt, or of each of several."""

    def document(self, asked: Asked, said: Said) -> Json:
        """Write a whole completion."""
        spoken = _spoken(said)
        choices = [_choice(index, spoken.text, reason=spoken.reason) for index in _everyone(asked)]
        usage = {} if said.reports_usage == "missing" else {"usage": _usage(asked, spoken)}
        return _document(asked, spoken, choices=choices, **usage)

    def events(self, asked: Asked, said: Said) -> list[Event]:
        """Write a completion as a stream."""
        spoken = _spoken(said)
        extra = _document(asked, spoken, choices=[], usage=_usage(asked, spoken))
        return openai.events(asked, spoken, list(_chunks(asked, spoken)), extra=extra)

    def broken(self, data: bytes) -> Event:
        """Put what is not JSON where a chunk would be."""
        return super().broken(data or BROKEN)


def _spoken(said: Said) -> Said:
    return replace(said, thinking="", tools=())


def _everyone(asked: Asked) -> range:
    """Return the numbers of the answers: so many as are asked for, to each prompt."""
    prompt = asked.json.get("prompt")
    if isinstance(prompt, list) and not all(isinstance(item, int) for item in prompt):
        return range(asked.choices * len(prompt))
    return range(asked.choices)


def _chunks(asked: Asked, said: Said) -> Iterator[Chunk]:
    for token in tokens_of(said.text):
        for index in _everyone(asked):
            yield Chunk(_document(asked, said, choices=[_choice(index, token)]), 1)
    for index in _everyone(asked):
        yield Chunk(_document(asked, said, choices=[_choice(index, "", reason=said.reason)]))


def _choice(index: int, text: str, *, reason: str | None = None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def _usage(asked: Asked, said: Said) -> Json:
    if said.usage is not None:
        return said.usage
    prompt, answer = input_tokens(asked), said.output_tokens * len(_everyone(asked))
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _document(asked: Asked, said: Said, **rest: Any) -> Json:
    return {
        "id": f"cmpl-scripted-{asked.number}",
        "object": "text_completion",
        "created": CREATED_S,
        "model": said.model or asked.model,
        **rest,
    }
