"""Answers that no upstream gives: what is kept of earlier ones, and the text that a route states for bad times."""

from typing import Literal

from watchkeeper.core.money import usd
from watchkeeper.gateway.cache import Cache, Entry
from watchkeeper.gateway.neutral import Begin, Completion, Finish, Text, TextDelta
from watchkeeper.gateway.outcome import Answer
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.reply import Reply, made_up_reply


def from_cache(passage: Passage, found: tuple[Entry, float], *, kind: Literal["cache", "stale_cache"]) -> Reply:
    """Answer with what was kept; a stale answer stands in for a failure, which stays noted on the call."""
    entry, age_s = found
    call = passage.call
    call.served_from = kind
    call.saved_nusd = entry.cost_nusd
    call.cached_age_s = age_s
    call.reported_model = entry.model
    call.output_schema, call.output_status = entry.output_schema, entry.output_status
    call.http_status = 200
    if not call.attempts:
        call.cost_nusd, call.cost_status = 0, "measured"
    call.response_body = entry.body
    call.response_bytes = 0
    saved = b"" if entry.cost_nusd is None else b"x-wk-saved: %b\r\n" % usd(entry.cost_nusd).encode()
    stale = b"x-wk-cache-stale: true\r\n" if kind == "stale_cache" else b""
    return made_up_reply(passage, entry.body, extra=b"age: %d\r\n%b%b" % (int(age_s), saved, stale))


def keep(passage: Passage, answer: Answer, cache: Cache, at_ns: int) -> None:
    """Keep an answer where the route keeps answers: never one that broke off, asks for a tool, or met a fault."""
    call, relay = passage.call, passage.relay
    if not passage.cache_key or relay is None or call.faults or call.skipped_events or call.output_status == "failed":
        return
    if passage.is_committed:
        if relay.sent_bytes_kept is None:
            return
        body = b"".join(relay.sent_bytes_kept) + answer.body
    else:
        body = answer.body
    entry = Entry(
        body=body,
        model=answer.model,
        stored_ns=at_ns,
        cost_nusd=call.cost_nusd,
        tenant=call.tenant,
        release=call.release,
        subject=call.subject,
        output_schema=call.output_schema,
        output_status=call.output_status,
    )
    cache.keep(passage.cache_key, entry)


def set_answer(passage: Passage, text: str) -> Reply | None:
    """Answer with a stated text, in the form the client asked for; None where its API has no words."""
    translation = passage.room.translation
    if translation is None:
        return None
    call, frame = passage.call, passage.frame
    call.served_from = "set_answer"
    call.http_status = 200
    if call.is_stream:
        writer = translation.event_writer(frame)
        body = writer.write([Begin(call.id, call.requested_model), TextDelta(text), Finish("end")]) + writer.end()
    else:
        completion = Completion(id=call.id, model=call.requested_model, parts=(Text(text),), stop="end")
        body = translation.reply_body(completion, frame)
    return made_up_reply(passage, body, extra=b"x-wk-answer: set\r\n")
