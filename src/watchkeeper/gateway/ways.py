"""How a request reaches one target: as it is where the target speaks the client's API, translated elsewhere."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from watchkeeper.core.call import Surface
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.dialects.dialect import Dialect, Endpoint
from watchkeeper.gateway.neutral import CannotCarry, Completion, Prompt
from watchkeeper.gateway.outcome import Answer, Failure, not_a_reply
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.patching import patch
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.streams import StreamReader, TranslatedStream
from watchkeeper.gateway.surfaces.room import ReplyFrame, Translation

Reading = Callable[[int, bytes], Answer | Failure]


class Way(NamedTuple):
    """One attempt's request, and how its reply is to be understood."""

    head: bytes
    """The part of the request's head that all such requests share."""
    body: bytes
    reader: StreamReader | None
    """For a stream."""
    read: Reading
    """For a plain reply: its status and body."""
    is_native: bool
    said: bytes | None = None
    """Header lines instead of those that every request to the dialect has."""


def open_way(passage: Passage, target: PreparedTarget) -> Way:
    """Write the request as a target wants it.

    Raises:
        CannotCarry: the target's dialect has no place for something in the request.
        BadRequest: the request is not what its surface takes.
    """
    surface, asked = passage.call.surface, passage.written_in
    translation = passage.room.translation
    endpoint = target.endpoints.get(surface) if asked is passage.room else None
    if endpoint is not None and not (passage.may_continue and translation is not None):
        return _native(passage, target, endpoint)
    if endpoint is not None and translation is not None:
        try:
            return _translated(passage, target, translation)
        except CannotCarry:  # then it cannot be continued either
            return _native(passage, target, endpoint)
    if translation is None:
        raise CannotCarry("model", f"{target.name} has no {_NAMES.get(surface, surface)}")
    return _translated(passage, target, translation)


class OwnQuestion:
    """A plain request of the gateway's own; `completion` is its answer, once it has come."""

    def __init__(self, prompt: Prompt, target: PreparedTarget) -> None:
        """Write it. Raises CannotCarry."""
        self._dialect = target.dialect
        self.way = Way(
            target.translated_head, target.dialect.request_body(prompt, target.model), None, self._read, False
        )
        self.completion: Completion | None = None

    def _read(self, status: int, body: bytes) -> Answer | Failure:
        if status >= 400:
            return self._dialect.failure_of(status, body)
        try:
            self.completion = self._dialect.completion_of(body)
        except UNREADABLE:
            return not_a_reply(status, body)
        return Answer(b"", self.completion.model, self.completion.usage, self.completion.service_tier)


def _native(passage: Passage, target: PreparedTarget, endpoint: Endpoint) -> Way:
    view, body, is_stream = passage.view, passage.body, passage.call.is_stream
    assert view is not None
    changes: dict[str, bytes | None] = {}
    if view.model != target.model:
        changes["model"] = target.model_json
    if view.models is not None:
        changes["models"] = None
    if is_stream and not view.wants_usage:
        changes.update(endpoint.with_usage(body))
    if changes:
        body = patch(body, changes)
    reader = endpoint.open_stream(view.wants_usage) if is_stream else None
    return Way(target.heads[passage.call.surface], body, reader, endpoint.read, is_native=True)


def _translated(passage: Passage, target: PreparedTarget, translation: Translation) -> Way:
    prompt = passage.prompt
    if prompt is None:
        asked = passage.written_in.translation
        assert asked is not None
        prompt = passage.prompt = asked.prompt_of(passage.body)
        for name in ("models", "variables"):
            prompt.others.pop(name, None)
    try:
        body = target.dialect.request_body(prompt, target.model)
    except CannotCarry as problem:
        asked = passage.written_in.translation or translation
        raise CannotCarry(asked.field_of(passage.body, problem.field), problem.why) from None
    reader = None
    if passage.call.is_stream:
        passage.writer = translation.event_writer(passage.frame)
        reader = TranslatedStream(target.dialect.event_reader(), passage.writer)
    return Way(target.translated_head, body, reader, reading_of(passage, target, translation), is_native=False)


def reading_of(passage: Passage, target: PreparedTarget, translation: Translation) -> Reading:
    """Return what reads a target's plain reply for a client of another dialect."""
    return _Translated(target.dialect, translation, passage.frame)


class _Translated(msgspec.Struct, frozen=True):
    """Reads a plain reply in the target's dialect and writes it in the client's."""

    dialect: Dialect
    translation: Translation
    frame: ReplyFrame

    def __call__(self, status: int, body: bytes) -> Answer | Failure:
        if status >= 400:
            return self.dialect.failure_of(status, body)
        try:
            completion = self.dialect.completion_of(body)
        except UNREADABLE:
            if b'"error"' in body:
                return self.dialect.failure_of(status, body)
            return not_a_reply(status, body)
        try:
            written = self.translation.reply_body(completion, self.frame)
            return Answer(written, completion.model, completion.usage, completion.service_tier)
        except CannotCarry as problem:
            return Failure("malformed_reply", "untranslatable", f"The reply's {problem}.", completion.usage)


_NAMES: dict[Surface, str] = {"embeddings": "embeddings", "count_tokens": "counting of tokens"}
