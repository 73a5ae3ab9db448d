"""The recipe of a release: everything that determines an answer, under the hash of all of it."""

import base64
import hashlib
import re
from typing import Any, Literal, NewType

import msgspec
from msgspec import Struct

ReleaseId = NewType("ReleaseId", str)

ID_PREFIX = "wk1-"
BLOCK_PREFIX = "wkb1-"
SCHEMA_PREFIX = "wks1-"
HASH_LENGTH = 26
"""Characters of base 32: 130 bits of SHA-256."""
RECIPE_BYTES_MAX = 1_000_000

Role = Literal["system", "developer", "user", "assistant", "conversation"]
"""conversation: where the messages go that a client sends; without one, they follow at the end."""
Repair = Literal["no", "once", "twice"]
REPAIRS: dict[Repair, int] = {"no": 0, "once": 1, "twice": 2}
"""How often a model is asked to mend its answer."""
OnFailure = Literal["error", "deliver"]


class Message(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message of the prompt."""

    role: Role
    content: str = ""
    """A template."""


class Block(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A text that several features share, as it was when the release was made."""

    id: str
    """`wkb1-` and the hash of the text."""
    text: str
    """A template."""


class Tool(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A function that the model may ask for."""

    name: str
    parameters: dict[str, Any]
    """JSON schema of its arguments."""
    description: str = ""
    strict: bool = False


class Output(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the answer must be, and what is done when it is not."""

    schema: dict[str, Any] | None = None
    """JSON schema of the answer; None for any JSON."""
    repair: Repair = "no"
    """How often a model is asked to mend an answer that does not fit."""
    on_failure: OnFailure = "error"
    """What the client gets when it does not fit in the end: an error, or the answer as it is."""
    send: bool = False
    """Whether the schema is sent to the provider as `response_format`."""


class Retrieval(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where documents are looked up before the prompt is rendered; templates see them as `documents`."""

    query: str
    """A template."""
    collection: str = ""
    """Of the embedded index, or as the retriever calls it."""
    version: str = ""
    """Of the collection; pinned when the release is made from the embedded index."""
    retriever: str = ""
    """Name of an endpoint in the configuration; empty for the embedded index."""
    embedding: str = ""
    """The embedding model that the collection was built with; empty where the retriever knows."""
    top_k: int = 4
    min_score: float = 0.0
    timeout_s: float = 2.0
    on_failure: Literal["error", "continue"] = "error"


class Limits(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one call of the release may take."""

    max_cost_nusd: int | None = None
    timeout_s: float | None = None
    output_bytes: int | None = None
    """Of a rendered prompt."""


class Recipe(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that determines an answer. Equal recipes have equal ids."""

    feature: str
    model: str
    """A route, or `provider/model`."""
    messages: tuple[Message, ...]
    variables: dict[str, dict[str, Any]] = {}
    """JSON schema of each; `default` makes it optional."""
    parameters: dict[str, Any] = {}
    """In the words of the chat API: `temperature`, `max_tokens`."""
    tools: tuple[Tool, ...] = ()
    blocks: dict[str, Block] = {}
    """By the name under which templates include them."""
    output: Output | None = None
    retrieval: Retrieval | None = None
    guards: str = ""
    """Name of a guard policy."""
    limits: Limits | None = None


_encode = msgspec.json.Encoder(order="sorted").encode
decode = msgspec.json.Decoder(Recipe).decode
"""Read a recipe's canonical JSON. Raises msgspec.ValidationError."""


def canonical(recipe: Recipe) -> bytes:
    """Write a recipe as JSON, keys sorted and defaults left out: equal recipes give equal bytes."""
    return _encode(recipe)


def release_id(recipe: Recipe) -> ReleaseId:
    """Return the id under which a recipe is known everywhere."""
    return ReleaseId(ID_PREFIX + _hash(canonical(recipe)))


def block_id(text: str) -> str:
    """Return the id of a shared text."""
    return BLOCK_PREFIX + _hash(text.encode())


def schema_id(schema: dict[str, Any] | None) -> str:
    """Return the id of an output's schema."""
    return SCHEMA_PREFIX + _hash(_encode(schema)) if schema is not None else "json"


def is_release_id(text: str) -> bool:
    """Tell whether a text has the form of a release's whole id."""
    return _ID.fullmatch(text) is not None


def _hash(content: bytes) -> str:
    return base64.b32encode(hashlib.sha256(content).digest()).decode().lower()[:HASH_LENGTH]


_ID = re.compile(rf"{ID_PREFIX}[a-z2-7]{{{HASH_LENGTH}}}")
