"""The shape of a recipe as people write it: a `release.yaml` with every file that it names in its place."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from watchkeeper.config.amounts import Money
from watchkeeper.config.durations import Duration
from watchkeeper.config.routes import Name
from watchkeeper.releases.recipe import BLOCK_PREFIX, OnFailure, Repair, Role

MESSAGES_MAX = 200
NAMED_MAX = 200
"""Variables, tools or blocks of one recipe."""
TEXT_MAX = 400_000
"""Characters of one message or block."""
DEPTH_MAX = 14
"""Of JSON within JSON, where it stands in the recipe's own file."""
SCHEMA_DEPTH_MAX = 40
"""Of schemas that may stand in a file of their own."""
_EXACT_MAX = 1 << 53


def _of_json(given: Any, left: int) -> Any:
    """Copy what JSON can say; a whole number is the same number however it was written."""
    if left < 0:
        raise ValueError("is nested too deeply")
    match given:
        case dict():
            return {_text(name): _of_json(item, left - 1) for name, item in given.items()}
        case list():
            return [_of_json(item, left - 1) for item in given]
        case float():
            if not math.isfinite(given):
                raise ValueError(f"holds {given}, which is no number in JSON")
            return int(given) if given.is_integer() and abs(given) < _EXACT_MAX else given
        case int() if abs(given) >= 1 << 63:
            raise ValueError("holds a whole number of more than 63 bits; write it as text")
        case str():
            return _text(given)
        case None | bool() | int():
            return given
        case _:
            raise ValueError(f"holds `{given}`, which is no text, number or truth in JSON; quote it to make it text")


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"has the key `{given}`, which is no text; quote it")
    if any("\ud800" <= letter <= "\udfff" for letter in given):
        raise ValueError("holds half of a pair of surrogates, which no file can hold")
    return given


def _in_milliseconds(length_s: float) -> float:
    return round(length_s * 1000) / 1000


def _model(text: str) -> str:
    if text.startswith("feature/"):
        raise ValueError("names a feature; a release names a route, or `provider/model`")
    return text


def _block(text: str) -> str:
    if not text.startswith(BLOCK_PREFIX):
        raise ValueError(f"must be the id of a block, which begins with `{BLOCK_PREFIX}`")
    return text


def _object(depth_max: int) -> BeforeValidator:
    return BeforeValidator(lambda given: _of_json(given, depth_max) if isinstance(given, dict) else given)


Object = Annotated[dict[str, Any], _object(DEPTH_MAX)]
Schema = Annotated[dict[str, Any], _object(SCHEMA_DEPTH_MAX)]
Template = Annotated[str, StringConstraints(max_length=TEXT_MAX), AfterValidator(_text)]
Seconds = Annotated[Duration, Field(gt=0, le=600), AfterValidator(_in_milliseconds)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,300}$"), AfterValidator(_model)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AuthoredMessage(_Section):
    """One message of the prompt; `conversation` is the place of the messages that a client sends."""

    role: Role
    content: Template = ""

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.role == "conversation" and self.content:
            raise ValueError("has the role `conversation`, which stands for the client's messages; leave `content` out")
        return self


class AuthoredBlock(_Section):
    """A text that several features share: itself, or the id of one that was pushed before."""

    text: Template | None = None
    id: Annotated[str, AfterValidator(_block)] | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.text is None) == (self.id is None):
            raise ValueError("must have either `text` or `id` (or `file`, where it stands in a folder)")
        return self


class AuthoredTool(_Section):
    """A function that the model may ask for."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Template = ""
    parameters: Schema = {"type": "object", "properties": {}}
    strict: bool = False


class AuthoredOutput(_Section):
    """What the answer must be; without a schema, any JSON."""

    json_schema: Annotated[Schema | None, Field(alias="schema")] = None
    repair: Repair = "no"
    on_failure: OnFailure = "error"
    send: bool = False


class AuthoredRetrieval(_Section):
    """Where documents are looked up before the prompt is rendered."""

    query: Template
    collection: Annotated[str, StringConstraints(max_length=200)] = ""
    version: Annotated[str, StringConstraints(max_length=200)] = ""
    retriever: Annotated[str, StringConstraints(max_length=200)] = ""
    embedding: Annotated[str, StringConstraints(max_length=200)] = ""
    top_k: Annotated[int, Field(ge=1, le=100)] = 4
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.0
    timeout: Seconds = 2.0
    on_failure: Literal["error", "continue"] = "error"


class AuthoredLimits(_Section):
    """What one call of the release may take."""

    max_cost: Money | None = None
    timeout: Seconds | None = None
    output_bytes: Annotated[int, Field(gt=0, le=10_000_000)] | None = None


class AuthoredRecipe(_Section):
    """A recipe."""

    feature: Name
    model: ModelName
    messages: Annotated[list[AuthoredMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
    variables: Annotated[dict[VariableName, Object], Field(max_length=NAMED_MAX)] = {}
    parameters: Object = {}
    tools: Annotated[list[AuthoredTool], Field(max_length=NAMED_MAX)] = []
    blocks: Annotated[dict[Name, AuthoredBlock], Field(max_length=NAMED_MAX)] = {}
    output: AuthoredOutput | None = None
    retrieval: AuthoredRetrieval | None = None
    guards: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""
    limits: AuthoredLimits | None = None
