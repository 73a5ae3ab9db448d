"""What OpenAI's completions, chat and embeddings have in common: errors, and chunks with their usage."""

from dataclasses import dataclass

from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import CREATED_S, Event, Refusal, Said, written

DONE = Event(data=b"[DONE]")
BROKEN = b'{"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"conte'


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream before it is written: a document, and how many output tokens it brings."""

    document: Json
    tokens: int = 0


class Chunked:
    """The errors of an API whose streams are unnamed chunks that end with `[DONE]`."""

    def refused(self, _asked: Asked, refusal: Refusal) -> tuple[int, Json]:
        """Write an error."""
        return refusal.status, error(refusal)

    def failed(self, _asked: Asked, refusal: Refusal, _sent: list[Event]) -> list[Event]:
        """Write an error as a chunk."""
        return [Event(data=written(error(refusal))), DONE]

    def broken(self, data: bytes) -> Event:
        """Put what is not JSON where a chunk would be."""
        return Event(data=data or BROKEN)


def error(refusal: Refusal) -> Json:
    """Write an error."""
    facts = {"type": refusal.error_type, "param": refusal.param, "code": refusal.code}
    return {"error": {"message": refusal.message, **facts}}


def events(asked: Asked, said: Said, chunks: list[Chunk], *, extra: Json) -> list[Event]:
    """Put usage on chunks, or behind them in an extra one, as the reply reports it, and end the stream."""
    usage: Json = extra["usage"]
    match said.reports_usage:
        case "asked" if asked.wants_usage:
            chunks = [Chunk({**each.document, "usage": None}, each.tokens) for each in chunks]
            chunks.append(Chunk(extra))
        case "every_chunk":
            chunks = _with_running_usage(chunks, usage)
        case "last_choice":
            chunks[-1] = Chunk({**chunks[-1].document, "usage": usage})
        case _:
            pass
    all_of_it = [Event(data=written(each.document), tokens=each.tokens) for each in chunks]
    return [*all_of_it, DONE] if said.is_terminated else all_of_it


def models(names: list[str]) -> Json:
    """Write the list of models."""
    rows = [{"id": name, "object": "model", "created": CREATED_S, "owned_by": "scripted"} for name in names]
    return {"object": "list", "data": rows}


def _with_running_usage(chunks: list[Chunk], usage: Json) -> list[Chunk]:
    """Put on each chunk what was used up to there; the last carries the whole."""
    prompt, sent = usage.get("prompt_tokens", 0), 0
    running = []
    for each in chunks[:-1]:
        sent += each.tokens
        count = {"prompt_tokens": prompt, "completion_tokens": sent, "total_tokens": prompt + sent}
        running.append(Chunk({**each.document, "usage": count}, each.tokens))
    return [*running, Chunk({**chunks[-1].document, "usage": usage}, chunks[-1].tokens)]
