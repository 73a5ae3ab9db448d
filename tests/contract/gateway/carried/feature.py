"""What one thing that a client may ask for becomes on its way to each kind of target."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from watchkeeper.core.call import Surface
from watchkeeper.testing import Reply

Json = dict[str, Any]
Column = Literal["openai", "chat alone", "anthropic"]
"""A kind of target. chat alone: OpenAI's dialect at a server that has nothing but Chat Completions."""
Api = Literal["chat", "completions", "responses", "messages"]
"""What an upstream is asked in."""
Kind = Literal["as it is", "translated", "refused", "absent"]

TEXT = "Hello from the scripted upstream."
PLAIN = Reply(TEXT)
COLUMNS: dict[Surface, tuple[Column, ...]] = {
    "chat": ("openai", "anthropic"),
    "completions": ("openai", "chat alone", "anthropic"),
    "responses": ("openai", "chat alone", "anthropic"),
    "messages": ("anthropic", "openai"),
    "embeddings": ("openai", "anthropic"),
    "count_tokens": ("anthropic", "openai"),
}
"""The kinds of target that make a difference for a surface; its own comes first."""
PATHS: dict[Api, str] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that clients ask for, in the words of every API that has words for it."""

    name: str
    """As the page has it."""
    asks: Mapping[Surface, Json]
    """What is put into an ordinary request; a surface that is not named has no such thing."""
    _: KW_ONLY
    refused: Mapping[str, str] = field(default_factory=dict)
    """The field that a refusal names, by surface for all translated requests, or by `surface > column`."""
    sent: Mapping[Api, Json] = field(default_factory=dict)
    """What the upstream gets of it where it is translated: objects with at least these fields, by its API."""
    reply: Reply = PLAIN
    replies: Mapping[Api, Reply] = field(default_factory=dict)
    """Where APIs report what was meant with different words."""
    seen: Json = field(default_factory=dict)
    """Of `asking.Seen`, what the client must see."""
    unseen: Mapping[str, Json] = field(default_factory=dict)
    """What it sees instead, by surface or `surface > column`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A feature between a surface and a kind of target."""

    feature: Feature
    surface: Surface
    column: Column

    @property
    def place(self) -> str:
        """How tables of features name it."""
        return f"{self.surface} > {self.column}"

    @property
    def is_native(self) -> bool:
        """Whether the target speaks the client's API."""
        return self.column == COLUMNS[self.surface][0]

    @property
    def kind(self) -> Kind:
        """What becomes of it."""
        if self.surface not in self.feature.asks:
            return "absent"
        if self.is_native:
            return "as it is"
        return "refused" if self.refused_field else "translated"

    @property
    def refused_field(self) -> str:
        """The field that the refusal names; empty where it is carried."""
        refused = self.feature.refused
        return "" if self.is_native else refused.get(self.place) or refused.get(self.surface, "")

    @property
    def api(self) -> Api:
        """What the upstream is asked in."""
        if self.column == "anthropic":
            return "messages"
        if self.is_native and self.surface in ("completions", "responses"):
            return "completions" if self.surface == "completions" else "responses"
        return "chat"

    @property
    def reply(self) -> Reply:
        """What the upstream says."""
        return self.feature.replies.get(self.api, self.feature.reply)

    @property
    def seen(self) -> Json:
        """What the client must see."""
        unseen = self.feature.unseen
        return self.feature.seen | unseen.get(self.surface, {}) | unseen.get(self.place, {})


def cases_of(feature: Feature) -> list[Case]:
    """Return a feature's place in every table."""
    return [Case(feature, surface, column) for surface, columns in COLUMNS.items() for column in columns]
