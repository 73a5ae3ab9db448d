"""Holds answers against what their releases ask for, and has those mended that do not fit."""

from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from watchkeeper.core.conversation import read_conversation
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.course import Course
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.neutral import Begin, CannotCarry, Completion, Finish, Prompt, Text, TextDelta, Turn, Used
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.shelf import Serving
from watchkeeper.gateway.ways import OwnQuestion

ANSWER_BYTES_MAX = 1_000_000
"""A longer answer is not read."""

_decode = msgspec.json.Decoder().decode
_INSTRUCTION = (
    "Your answer is not what was asked for: {error}{where}. Give the whole answer again, corrected. "
    "Write only the JSON, without any other words."
)


class Said(NamedTuple):
    """What a model said."""

    text: str
    is_cut: bool = False
    """It met its limit of tokens."""


class Verdict(NamedTuple):
    """What is to be said of an answer's text."""

    text: str
    """As it fits, where it does: without what stood around it."""
    error: str = ""
    """Empty where it fits."""
    path: str = ""
    """A JSON pointer to what does not fit."""


class Outputs:
    """One worker's."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def hold_against(self, passage: Passage, course: Course, answer: Answer) -> Answer | Failure | None:
        """Return an answer that fits what its release asks for, mended where the release says so.

        An answer that asks for a tool, or that declines, is no output yet and is left as it is. The call says what was
        found; `passage.remade` is what the client gets where the answer had to be written anew.
        """
        serving, call = passage.serving, passage.call
        said = _said(passage, answer)
        output = serving.stocked.prepared.recipe.output if serving is not None else None
        if serving is None or output is None or said is None:
            return answer
        call.output_schema = serving.stocked.prepared.schema_id
        verdict = _judged(serving, said)
        call.output_path, call.output_error = verdict.path, verdict.error
        first, sent = passage.relay, call.sent_body
        text, target = said.text, _target_of(passage, course)
        while verdict.error and call.output_repairs < passage.repairs and target is not None:
            mended = await self._mended(passage, target, text, verdict)
            if passage.exchange.is_closed and call.origin == "client":
                return None
            if mended is None:
                break
            text = mended.text
            verdict = _judged(serving, mended)
        if verdict.error:
            call.output_status = "failed"
            if output.on_failure == "error":
                return _failure(passage, serving, verdict)
            passage.relay, call.sent_body = first, sent  # the record is of the answer that the client gets
            return answer
        is_as_said = not call.output_repairs and verdict.text == said.text
        call.output_status = "ok" if is_as_said else "repaired"
        if not is_as_said:
            passage.remade = _written(passage, answer, verdict.text)
        return answer

    async def _mended(self, passage: Passage, target: PreparedTarget, text: str, verdict: Verdict) -> Said | None:
        """Ask the model that answered for a better answer; None when it gives none."""
        asked = passage.written_in.translation
        if asked is None:
            return None
        where = f" (at {verdict.path})" if verdict.path else ""
        instruction = _INSTRUCTION.format(error=verdict.error, where=where)
        try:
            prompt: Prompt = asked.prompt_of(passage.body)
            turns = (*prompt.turns, Turn("assistant", (Text(text),)), Turn("user", (Text(instruction),)))
            question = OwnQuestion(_alone(prompt, turns), target)
        except CannotCarry:
            return None
        passage.call.output_repairs += 1
        passage.next_kind = "repair"
        before, sent = passage.relay, passage.call.sent_body
        outcome = await self._attempts.make(passage, target, question.way)
        completion = question.completion
        if not isinstance(outcome, Answer) or completion is None:
            passage.relay, passage.call.sent_body = before, sent
            return None
        said = "".join(part.text for part in completion.parts if isinstance(part, Text))
        return Said(said, completion.stop == "length")


def _alone(prompt: Prompt, turns: tuple[Turn, ...]) -> Prompt:
    """The answer is to be text, at once and whole."""
    return structs.replace(prompt, turns=turns, is_stream=False, tools=(), tool_choice=None, parallel_tools=None)


def _said(passage: Passage, answer: Answer) -> Said | None:
    """Return what the model said; None where it asks for a tool or declines."""
    relay, call = passage.relay, passage.call
    body = answer.body
    if relay is not None and relay.is_stream:
        body = b"".join(relay.held)
    read = read_conversation(b"", body, surface=call.surface, is_stream=relay is not None and relay.is_stream)
    if not read.answers:
        return Said("")
    message, reason = read.answers[0].message, read.answers[0].finish_reason
    if message.tool_calls or message.refusal:
        return None
    return Said(message.text, reason in ("length", "max_tokens", "max_output_tokens"))


def _judged(serving: Serving, said: Said) -> Verdict:
    text, schema = said.text, serving.stocked.prepared.output
    if len(text) > ANSWER_BYTES_MAX:
        return Verdict(text, f"it is longer than {ANSWER_BYTES_MAX} characters")
    found = _json_in(text)
    if found is None:
        return Verdict(text, "it was cut off at its limit of tokens" if said.is_cut else "it is not JSON")
    inner, value = found
    departure = schema.departure(value) if schema is not None else None
    return Verdict(inner) if departure is None else Verdict(inner, departure[1], departure[0])


def _json_in(text: str) -> tuple[str, Any] | None:
    """Find the JSON in an answer: all of it, or what stands between its outer brackets, as in a code fence."""
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=0)
    end = max(text.rfind("}"), text.rfind("]")) + 1
    for candidate in (text, text[start:end]):
        try:
            return candidate, _decode(candidate.encode())
        except (*UNREADABLE, UnicodeEncodeError):
            continue
    return None


def _target_of(passage: Passage, course: Course) -> PreparedTarget | None:
    """Return the target that answered."""
    route, last = passage.route, passage.call.attempts[-1] if passage.call.attempts else None
    if route is None or last is None:
        return None
    name = f"{last.provider}/{last.model}"
    known = (*course.targets, *route.fallbacks, *route.further)
    return next((target for target in known if target.name == name), None)


def _written(passage: Passage, answer: Answer, text: str) -> bytes:
    """Write an answer in the client's API."""
    call, frame, translation = passage.call, passage.frame, passage.room.translation
    assert translation is not None
    model = answer.model or call.requested_model
    if not call.is_stream:
        completion = Completion(id=call.id, model=model, parts=(Text(text),), stop="end", usage=answer.usage)
        return translation.reply_body(completion, frame)
    writer = translation.event_writer(frame)
    used = [Used(answer.usage)] if answer.usage is not None else []
    return writer.write([Begin(call.id, model), TextDelta(text), *used, Finish("end")]) + writer.end()


def _failure(passage: Passage, serving: Serving, verdict: Verdict) -> Failure:
    where = f" at {verdict.path}" if verdict.path else ""
    repairs = passage.call.output_repairs
    tried = f", also after {repairs} repair{'s' if repairs > 1 else ''}" if repairs else ""
    message = f"The answer is not what release {serving.stocked.prepared.id} asks for{where}: {verdict.error}{tried}."
    return Failure("malformed_reply", "output_invalid", message)
