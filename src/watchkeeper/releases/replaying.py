"""What to send to repeat a recorded call: under another release, by another model, or by a recipe not yet pushed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace as with_fields

from watchkeeper.core.call import Surface
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.conversation.values import as_array, as_object, as_string
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.chat_fields import decided_fields, with_conversation
from watchkeeper.releases.prepared import Prepared
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.variables import DOCUMENTS

FEATURE_PREFIX = "feature/"
PATHS: Mapping[Surface, str] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
}
_CONVERSATIONS: Mapping[Surface, str] = {"chat": "messages", "messages": "messages", "responses": "input"}
"""The field that holds what was said, by API."""
_WAY = ("stream", "stream_options")
"""How the answer is to come, which says nothing of its content."""
_BEFORE = ("system", "developer")


class NotReplayable(CallerError):
    """The call cannot be repeated in this way; nothing was sent."""

    code = "not_replayable"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A call, as far as repeating it needs it."""

    surface: Surface
    body: bytes
    """As the client sent it."""
    is_cut: bool
    """Whether only its beginning was recorded."""
    requested_model: str
    feature: str
    release: str = ""
    variables_header: str = ""
    """JSON, where the client has sent variables in a header."""

    @property
    def is_of_feature(self) -> bool:
        """Whether the client named a feature, and the gateway rendered its prompt."""
        return self.requested_model.startswith(FEATURE_PREFIX)


@dataclass(frozen=True, slots=True)
class Again:
    """A request to the gateway."""

    path: str
    body: bytes
    notes: tuple[str, ...] = ()
    """What is not as it was, one sentence each."""


def by_model(recorded: Recorded, model: str) -> Again:
    """Return a call that named a model as it was, but for the model.

    Raises:
        NotReplayable: it cannot be repeated.
    """
    request = _request(recorded)
    if recorded.surface not in PATHS:
        raise NotReplayable(f"A call of the kind `{recorded.surface}` was passed on as it is and cannot be repeated.")
    return Again(PATHS[recorded.surface], msgspec.json.encode(request | {"model": model}))


def by_release(recorded: Recorded | None, prepared: Prepared, variables: Mapping[str, Any]) -> Again:
    """Return a call under a release, which the gateway renders.

    The variables of a call that was served by a feature are those of its request. What a plain call said becomes the
    conversation; its system messages are left out, because the release has its own.

    Args:
        recorded: The call; None for one that never was.
        prepared: The release.
        variables: In the place of the recorded ones.

    Raises:
        NotReplayable: it cannot be repeated; a variable that is missing is named.
    """
    model = f"{FEATURE_PREFIX}{prepared.recipe.feature}@{prepared.id}"
    notes: list[str] = []
    if recorded is None:
        given = _complete(prepared, {}, variables, notes)
        return Again(PATHS["chat"], msgspec.json.encode({"model": model, "messages": [], "variables": given}))
    request = _request(recorded)
    place = _CONVERSATIONS.get(recorded.surface)
    if place is None:
        raise NotReplayable(
            f"A call of the kind `{recorded.surface}` has no place in a release, which is a conversation."
        )
    given = _complete(prepared, _variables(recorded, request) if recorded.is_of_feature else {}, variables, notes)
    said = request.get(place)
    if not recorded.is_of_feature:
        said = _without_prompt(said, request, prepared, notes)
    kept = {name: request[name] for name in (*_WAY, "max_tokens") if name in request and _is_of(recorded.surface, name)}
    body: dict[str, Any] = {"model": model, **kept, "variables": given}
    if said:
        body[place] = said
    elif place == "messages":
        body[place] = []
    return Again(PATHS[recorded.surface], msgspec.json.encode(body), tuple(notes))


def by_recipe(recorded: Recorded | None, prepared: Prepared, variables: Mapping[str, Any]) -> Again:
    """Return a plain chat call with the messages that a recipe renders; it need not be pushed.

    Args:
        recorded: The call whose variables and conversation it takes; None for one that never was.
        prepared: The recipe.
        variables: In the place of the recorded ones; `documents` for what retrieval would find.

    Raises:
        NotReplayable: it cannot be repeated; a variable that is missing is named.
    """
    notes, said, kept = list[str](), list[Any](), dict[str, Any]()
    earlier: Mapping[str, Any] = {}
    if recorded is not None:
        request = _request(recorded)
        said = _as_chat(recorded)
        if recorded.is_of_feature:
            earlier = _variables(recorded, request)
        else:
            said = as_array(_without_prompt(said, request, prepared, notes))
        kept = {"stream": True, "stream_options": {"include_usage": True}} if request.get("stream") is True else {}
    recipe = prepared.recipe
    documents = variables.get(DOCUMENTS)
    if recipe.retrieval is not None and documents is None:
        raise NotReplayable(
            "The recipe asks a retriever for documents, which only the gateway does, and for releases only: push it "
            "and replay under the release, or give `documents` among the variables."
        )
    given = {name: value for name, value in variables.items() if name != DOCUMENTS}
    complete = _complete(prepared, earlier, given, notes)
    try:
        rendered = prepared.render(prepared.variables.complete(complete), documents)
    except TemplateProblem as problem:
        raise NotReplayable(f"The prompt cannot be rendered with these variables: {problem}.") from None
    body = {"model": recipe.model, "messages": with_conversation(rendered, said), **decided_fields(recipe), **kept}
    return Again(PATHS["chat"], msgspec.json.encode(body), tuple(notes))


def query_of(recorded: Recorded | None, prepared: Prepared, variables: Mapping[str, Any]) -> str:
    """Return what a recipe with retrieval would look up. Raises as `by_recipe`."""
    assert prepared.query is not None
    earlier: Mapping[str, Any] = {}
    if recorded is not None and recorded.is_of_feature:
        earlier = _variables(recorded, _request(recorded))
    complete = _complete(prepared, earlier, variables, [])
    try:
        return prepared.query.render(prepared.variables.complete(complete))
    except TemplateProblem as problem:
        raise NotReplayable(f"What is to be looked up cannot be rendered with these variables: {problem}.") from None


def by_sent(sent: bytes, dialect: str, model: str) -> Again | None:
    """Return what was sent to a provider, for another model; None where it cannot be sent again as it was.

    For a call that was served by a feature: the same prompt, with the same documents in it.
    """
    try:
        request = msgspec.json.decode(sent, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if "messages" not in request:
        return None
    path = PATHS["messages" if dialect == "anthropic" else "chat"]
    return Again(path, msgspec.json.encode(request | {"model": model}))


def on_model(prepared: Prepared, model: str) -> Prepared:
    """Return a recipe as it would be with another model."""
    return Prepared(with_fields(prepared.recipe, model=model))


def _request(recorded: Recorded) -> dict[str, Any]:
    if recorded.is_cut:
        raise NotReplayable(
            f"Only the first {len(recorded.body):,} bytes of the request were recorded, which is the recording limit. "
            "What was cut off is not known, so the call cannot be repeated; nothing was sent."
        )
    try:
        return msgspec.json.decode(recorded.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NotReplayable("The recorded request is no JSON object, so the call cannot be repeated.") from None


def _variables(recorded: Recorded, request: Mapping[str, Any]) -> dict[str, Any]:
    given = request.get("variables")
    if given is None and recorded.variables_header:
        try:
            given = msgspec.json.decode(recorded.variables_header)
        except msgspec.MsgspecError:
            given = None
    return given if isinstance(given, dict) else {}


def _complete(
    prepared: Prepared, earlier: Mapping[str, Any], given: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Put recorded variables and those given now together, as the release takes them."""
    known = prepared.recipe.variables
    dropped = sorted(set(earlier) - set(known) - set(given))
    if dropped:
        notes.append(f"The release has no {_named(dropped)}; what the call gave for it is left out.")
    complete = {name: value for name, value in {**earlier, **given}.items() if name not in dropped}
    missing = [name for name, schema in known.items() if "default" not in schema and name not in complete]
    if missing:
        example = " ".join(f"--variables {name}=..." for name in missing)
        raise NotReplayable(f"The release takes {_named(missing)}, which the call does not give. Give it: `{example}`.")
    try:
        prepared.variables.complete(complete)
    except VariableProblem as problem:
        raise NotReplayable(str(problem)) from None
    return complete


def _named(names: Sequence[str]) -> str:
    return f"variable{'s' if len(names) > 1 else ''} " + ", ".join(f"`{name}`" for name in names)


def _without_prompt(said: Any, request: Mapping[str, Any], prepared: Prepared, notes: list[str]) -> Any:
    """Leave out of a plain call's conversation what the release says itself."""
    roles = [message.role for message in prepared.recipe.messages]
    if "user" in roles and "conversation" not in roles:
        notes.append("The release asks by its variables alone; the messages of the call are left out.")
        return []
    if isinstance(said, str):
        return said
    kept = [item for item in as_array(said) if as_string(as_object(item).get("role")) not in _BEFORE]
    if len(kept) < len(as_array(said)) or request.get("system") or request.get("instructions"):
        notes.append("The system message of the call is left out: the release has its own.")
    return kept


def _as_chat(recorded: Recorded) -> list[Any]:
    """Return the conversation of a request as messages of the chat API."""
    if recorded.surface == "chat":
        return as_array(_request(recorded).get("messages"))
    found = read_conversation(recorded.body, b"", surface=recorded.surface, is_stream=False)
    if any(len(message.parts) != 1 or message.tool_calls or not message.text for message in found.messages):
        raise NotReplayable(
            "The call holds more than words, and was not made through chat completions. Push the recipe, and replay "
            "under the release."
        )
    return [{"role": message.role, "content": message.text} for message in found.messages]


def _is_of(surface: Surface, name: str) -> bool:
    """Tell whether a field keeps its meaning under a release, in an API."""
    match name:
        case "stream_options":
            return surface == "chat"
        case "max_tokens":
            return surface == "messages"
        case _:
            return True
