"""Calls that name a feature instead of a model: finds the release, checks the variables, writes the request."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import Hit
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE
from watchkeeper.gateway.dialects import DIALECTS
from watchkeeper.gateway.live import NOTHING_LIVE, Live, Standing
from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.refusals import BadRequest, NothingLive, ReleaseMissing
from watchkeeper.gateway.shelf import Serving, Shelf, Stocked
from watchkeeper.gateway.surfaces import ROOMS
from watchkeeper.gateway.surfaces.room import Room
from watchkeeper.gateway.surfaces.views import FEATURE_PREFIX
from watchkeeper.releases.chat_fields import with_conversation
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.recipe import ID_PREFIX, REPAIRS, Retrieval

if TYPE_CHECKING:
    from watchkeeper.releases.prepared import Rendered

VARIABLES_BYTES_MAX = 1_000_000
_CHAT = ROOMS["chat"]
_LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
_CONVERSATIONS: dict[str, str] = {"chat": "messages", "messages": "messages", "responses": "input"}
"""The field that holds what was said before, by API."""
_FREE: dict[str, frozenset[str]] = {
    "chat": frozenset(
        {"stream", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key", "store"}
    ),
    "messages": frozenset({"stream", "metadata"}),
    "responses": frozenset({"stream", "user", "metadata", "safety_identifier", "prompt_cache_key", "store"}),
}
"""What a client says of its answer's way and not of its content; everything else is the release's."""
_OPEN = {
    surface: free | _LIMITS | {"model", "models", "variables", _CONVERSATIONS[surface]}
    for surface, free in _FREE.items()
}
"""What a request of a feature may hold."""
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_number = msgspec.json.Decoder(int).decode
_encode = msgspec.json.Encoder().encode


class Found(Struct, frozen=True):
    """What a retriever has found."""

    documents: Sequence[dict[str, Any]]
    """As templates see them: `id`, `title`, `text`, `score`."""
    hits: list[Hit]


class Finder(Protocol):
    """Looks documents up."""

    async def find(self, retrieval: Retrieval, query: str, *, passage: Passage) -> Found:
        """Return what fits a question. Raises RetrievalFailed."""
        ...


class Features:
    """Serves calls by what is live."""

    def __init__(self, shelf: Shelf, finder: Finder | None = None) -> None:
        self.live: Live = NOTHING_LIVE
        self.is_stale = False
        """Nobody tells any more what is live."""
        self._asked: set[str] = set()
        """What calls have asked for, as `feature@environment`."""
        self._shelf = shelf
        self._finder = finder

    def follow(self, live: Live) -> None:
        """Serve by this from now on; what follows on something that is used is made ready before its moment."""
        if live.standings:
            self._shelf.warm()
        for name, standings in live.standings.items():
            if name in self._asked and standings != self.live.standings.get(name):
                for release in _releases_of(standings[-1]):
                    self._shelf.get(release)
        self.live = live

    def serve(self, passage: Passage, model: str) -> str:
        """Find the release that serves a call, and hold the call's variables against it; return the release's model.

        The call is stamped with feature, environment, release and rollout.

        Args:
            passage: Attributed; its body is a request of a chat, messages or responses API.
            model: As `feature/NAME`, `feature/NAME@ENVIRONMENT` or `feature/NAME@wk1-...`.

        Raises:
            NothingLive: the feature serves nothing there.
            ReleaseMissing: the release is not at hand.
            BadRequest: a variable is missing or does not fit, or the client sets what the release decides.
        """
        call, shadow = passage.call, ""
        if call.surface not in _CONVERSATIONS:
            raise BadRequest(
                f"A feature is asked through chat completions, messages or responses, not {call.surface}.",
                param="model",
            )
        feature, _, where = model[len(FEATURE_PREFIX) :].partition("@")
        is_pinned = where.startswith(ID_PREFIX)
        environment = call.environment if is_pinned or not where else where
        if is_pinned:
            release, rollout = where, ""
        else:
            release, shadow, rollout = self._choose(passage, feature, environment)
        stocked = self._shelf.get(release)
        if stocked is None or stocked.prepared.recipe.feature != feature:
            raise _missing(feature, release)
        given, recipe = _fields(passage.body), stocked.prepared.recipe
        _refuse_what_is_decided(passage, given, stocked)
        call.feature, call.release = feature, release
        if call.origin == "client":  # a copy says itself what it belongs to
            # What a client pins runs in no environment: what was live there would otherwise be told wrong.
            call.environment, call.rollout = "" if is_pinned else environment, rollout
        variables, conversation = _variables(passage, given, stocked), _conversation(passage, given)
        passage.serving = Serving(stocked, given, variables, conversation, shadow)
        if recipe.output is not None:
            passage.holds_back, passage.repairs = True, REPAIRS[recipe.output.repair]
        passage.most_nusd = recipe.limits.max_cost_nusd if recipe.limits is not None else None
        return recipe.model

    def names(self, environment: str, at_ns: int) -> list[str]:
        """List what can be asked for in an environment, as `feature/NAME`."""
        standings = {name: self.live.standing(name, at_ns) for name in self.live.standings}
        found = [name.rpartition("@")[0] for name, held in standings.items()
                 if name.endswith(f"@{environment}") and held is not None and held.release]  # fmt: skip
        return [FEATURE_PREFIX + name for name in sorted(found)]

    async def render(self, passage: Passage, serving: Serving) -> None:
        """Look up documents where the release does, and put the request that it makes in the place of the client's.

        Raises:
            BadRequest: a template cannot be rendered with these variables.
            RetrievalFailed: documents were not found in time.
        """
        prepared = serving.stocked.prepared
        retrieval, documents = prepared.recipe.retrieval, None
        try:
            if retrieval is not None and prepared.query is not None and self._finder is not None:
                found = await self._finder.find(retrieval, prepared.query.render(serving.variables), passage=passage)
                documents, passage.call.hits = found.documents, [*passage.call.hits, *found.hits]
            rendered = prepared.render(serving.variables, documents if retrieval is None else documents or ())
        except TemplateProblem as problem:
            raise BadRequest(
                f"The prompt of release {prepared.id} cannot be rendered with these variables: {problem}. "
                "Nothing was sent upstream.",
                param="variables",
            ) from None
        passage.body = _body(passage, serving, rendered)
        passage.asked = _CHAT
        passage.view = _CHAT.read(passage.body)
        passage.prompt = None

    def standing(self, feature: str, environment: str, at_ns: int) -> Standing:
        """Return what a feature serves in an environment at a Unix time. Raises NothingLive."""
        name = f"{feature}@{environment}"
        standing = self.live.standing(name, at_ns)
        if standing is None or not standing.release:
            raise self._nothing_live(feature, environment)
        self._asked.add(name)
        return standing

    def _choose(self, passage: Passage, feature: str, environment: str) -> tuple[str, str, str]:
        """Return the release that stands in an environment, or that its rollout assigns; a shadow's; the rollout."""
        call = passage.call
        standing = self.standing(feature, environment, call.started_ns)
        rollout = standing.rollout
        if rollout is None:
            return standing.release, "", ""
        arm = rollout.arm_of(rollout.unit(passage.person, call.session) or call.id)
        if rollout.kind == "shadow":
            return standing.release, arm, rollout.id
        return arm or standing.release, "", rollout.id

    def _nothing_live(self, feature: str, environment: str) -> NothingLive:
        elsewhere = sorted(
            name.rpartition("@")[2]
            for name, standings in self.live.standings.items()
            if name.startswith(f"{feature}@") and standings[-1].release
        )
        if elsewhere:
            hint = f"It serves in {', '.join(elsewhere[:10])}: ask for `feature/{feature}@{elsewhere[0]}`, or promote."
        else:
            known = sorted({name.rpartition("@")[0] for name in self.live.standings})
            near = difflib.get_close_matches(feature[:100], known, n=1)  # a long name would take long
            hint = (f"Did you mean `{near[0]}`? " if near else "") + (
                f"`watchkeeper release promote {feature[:60]} --to {environment[:60]}` makes a release live."
            )
        return NothingLive(
            f"The feature `{feature[:100]}` serves nothing in {environment[:100]}. {hint}", param="model"
        )


def _releases_of(standing: Standing) -> list[str]:
    arms = standing.rollout.arms if standing.rollout is not None else ()
    return [release for release in (standing.release, *(arm.release for arm in arms)) if release]


def _missing(feature: str, release: str) -> ReleaseMissing:
    return ReleaseMissing(
        f"There is no release {release[:60]} of the feature `{feature[:100]}` here. "
        "`watchkeeper release list FEATURE` lists them.",
        param="model",
    )


def _variables(passage: Passage, given: dict[str, Raw], stocked: Stocked) -> dict[str, Any]:
    said = passage.exchange.request.headers.get(b"x-wk-variables", b"")
    raw: Any = given.get("variables", ABSENT) or said
    if len(raw) > VARIABLES_BYTES_MAX:
        raise BadRequest(f"`variables` are larger than {VARIABLES_BYTES_MAX} bytes.", param="variables")
    try:
        values = _object(raw) if raw else {}
    except UNREADABLE:
        raise BadRequest("`variables` must be a JSON object of names and values.", param="variables") from None
    try:
        return stocked.prepared.variables.complete(values)
    except VariableProblem as problem:
        raise BadRequest(f"{problem} Nothing was sent upstream.", param=f"variables.{problem.name}"[:200]) from None


def _refuse_what_is_decided(passage: Passage, given: dict[str, Raw], stocked: Stocked) -> None:
    open_to_clients = _OPEN[passage.call.surface]
    for name, value in given.items():
        if name not in open_to_clients and stocked.fixed.get(name) != value:
            raise BadRequest(
                f"`{name[:100]}` is decided by release {stocked.prepared.id}: leave it out, or push a release that "
                "sets it. Nothing was sent upstream.",
                param=name[:100],
            )
        if name in _LIMITS:
            _wanted(name, value)


def _body(passage: Passage, serving: Serving, rendered: "list[Rendered]") -> bytes:
    """Write a chat request out of what the release decides and what the client may say."""
    surface, given, stocked = passage.call.surface, serving.given, serving.stocked
    free = _FREE[surface]
    fields: dict[str, Any] = {"model": stocked.prepared.recipe.model, "messages": (), **stocked.fixed}
    for name, value in given.items():
        if name in free:
            fields[name] = value
        elif name in _LIMITS:
            _limit(fields, name, _wanted(name, value))
    if surface != "chat":
        fields.pop("metadata", None)
        if passage.call.is_stream:
            fields["stream_options"] = {"include_usage": True}
    fields["messages"] = with_conversation(rendered, serving.conversation)
    return _encode(fields)


def _wanted(name: str, value: Raw) -> int:
    """Return how many tokens the client wants at most."""
    try:
        wanted = _number(value)
    except UNREADABLE:
        raise BadRequest(f"`{name}` must be a whole number.", param=name) from None
    if wanted < 1:
        raise BadRequest(f"`{name}` must be at least 1.", param=name)
    return wanted


def _limit(fields: dict[str, Any], name: str, wanted: int) -> None:
    """The client may ask for less than the release allows; where it allows any length, for whatever it likes."""
    known = [one for one in _LIMITS if one in fields]
    if not known:
        fields["max_tokens" if name == "max_output_tokens" else name] = wanted
    for one in known:
        fields[one] = min(wanted, _number(fields[one]) if isinstance(fields[one], Raw) else fields[one])


def _conversation(passage: Passage, given: dict[str, Raw]) -> list[Any]:
    """Return the messages that the client sends, as the chat API has them."""
    surface, room = passage.call.surface, passage.room
    raw = given.get(_CONVERSATIONS[surface], ABSENT)
    if not raw or bytes(raw) in (b"[]", b"null", b'""'):
        return []
    said = list(_list(raw)) if surface == "chat" else _translated(room, _CONVERSATIONS[surface], raw)
    for place, message in enumerate(said):
        if _role(message) in ("system", "developer"):
            raise BadRequest(
                "What the model is instructed is decided by the release; a conversation has messages of `user`, "
                "`assistant` and `tool`. Nothing was sent upstream.",
                param=f"{_CONVERSATIONS[surface]}[{place}].role",
            )
    return said


def _role(message: Raw) -> str:
    try:
        return _role_of(message).role
    except UNREADABLE:
        return ""  # for the model's own API to refuse


class _Said(Struct):
    role: str = ""


_role_of = msgspec.json.Decoder(_Said).decode


def _translated(room: Room, name: str, raw: Raw) -> list[Any]:
    assert room.translation is not None
    request = _encode({"model": "none", name: raw, **({"max_tokens": 1} if name == "messages" else {})})
    try:
        written = DIALECTS["openai"].request_body(room.translation.prompt_of(request), "none")
    except CannotCarry as problem:
        raise BadRequest(f"{problem}. A release's conversation is kept in chat messages.", param=name) from None
    return list(_list(_fields(written)["messages"]))
