"""The configuration's shape: what each key means, what it may hold, and what holds where it is absent.

Every description and example here is published: in the JSON schema, and in docs/configuration.md.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from watchkeeper.config.addresses import http_address
from watchkeeper.config.amounts import Share
from watchkeeper.config.budgets import Budget, Limit, Runaway
from watchkeeper.config.canaries import CANARIES_MAX, Canary, Drift
from watchkeeper.config.credentials import SECRET_KEYS, TEXT_OR_FILE, header_safe
from watchkeeper.config.durations import written
from watchkeeper.config.environments import Environment
from watchkeeper.config.evals import Evals
from watchkeeper.config.notifications import Notifications
from watchkeeper.config.price_lists import PRICE_LISTS
from watchkeeper.config.prices import Prices
from watchkeeper.config.problems import did_you_mean
from watchkeeper.config.retrievers import Retriever
from watchkeeper.config.routes import Name, Route
from watchkeeper.config.sign_in import SignIn

__all__ = ["SECRET_KEYS", "Config", "Feature", "Metrics", "Provider", "Stores", "json_schema"]

RouteName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$")]
"""Any model name a client may send, without blanks."""

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line."""

PLANNED: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset({"alerts", "guards", "objectives", "policies", "suites"}),
    ("routes", "*"): frozenset({"canary", "hedge"}),
}
"""Keys of the design that this version does not read yet. They are refused like any unknown key, in other words."""

_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/models", "/messages", "/responses")


def _base_url(text: str) -> str:
    parts = http_address(text)
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or a fragment")
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            raise ValueError(f"must end before `{endpoint}`, which is added for each call")
    return text.rstrip("/")


def _price_list(text: str) -> str:
    if text not in PRICE_LISTS:
        raise ValueError(f"no price list has the name `{text[:100]}`{did_you_mean(text, PRICE_LISTS)}")
    return text


def _begins_with(*schemes: str) -> AfterValidator:
    def check(text: str | None) -> str | None:
        if text is not None and not text.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(f'`{scheme}`' for scheme in schemes)}")
        return text

    return AfterValidator(check)


Secret = Annotated[str, StringConstraints(max_length=8192), AfterValidator(header_safe), TEXT_OR_FILE]
"""Never shown again."""

PriceListName = Annotated[str, AfterValidator(_price_list), WithJsonSchema({"enum": list(PRICE_LISTS)})]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(_Section):
    """An account at an upstream that serves models."""

    dialect: Annotated[
        Literal["openai", "anthropic"],
        Field(
            description="The wire language it speaks: `openai` is OpenAI's API and every server compatible with it, "
            "`anthropic` the Messages API."
        ),
    ] = "openai"
    base_url: Annotated[
        str,
        AfterValidator(_base_url),
        Field(
            description="Where its API begins: for `openai` the version included, for `anthropic` without it. "
            "`{model}` stands for the model where a server wants it in the path, as Azure's deployments do.",
            examples=["https://api.openai.com/v1", "http://127.0.0.1:8081/v1", "https://api.anthropic.com"],
        ),
    ]
    api_key: Annotated[
        Secret,
        Field(
            repr=False,
            description="The account's secret; absent for an upstream that asks for none.",
            examples=["${OPENAI_API_KEY}", {"file": "/run/secrets/openai"}],
        ),
    ] = ""
    auth: Annotated[
        Literal["bearer", "api-key", "x-api-key"] | None,
        Field(
            description="How the secret is sent: `authorization: Bearer`, `api-key` (Azure) or `x-api-key`. By default "
            "as the dialect has it."
        ),
    ] = None
    query: Annotated[
        dict[Name, Text],
        Field(description="Added to every address.", examples=[{"api-version": "2024-10-21"}]),
    ] = {}
    speaks: Annotated[
        list[Literal["chat", "completions", "embeddings", "responses", "messages", "count_tokens"]] | None,
        Field(
            description="Which of its dialect's APIs the server has, by default all. Requests in another are "
            "translated into `chat` or `messages`.",
            examples=[["chat", "embeddings"]],
        ),
    ] = None
    passthrough: Annotated[
        bool,
        Field(
            description="Whether `/NAME/...` at the gateway passes anything to it under its account, for keys that are "
            "bound to no tenant: the account holds what all tenants have there."
        ),
    ] = True
    continues: Annotated[
        bool | None,
        Field(
            description="Whether it goes on from the assistant's words at the end of a request, which "
            "`commit: continue` makes use of. By default `anthropic` does and `openai` does not; llama.cpp does."
        ),
    ] = None
    price_list: Annotated[
        PriceListName | None,
        Field(
            description="Whose prices apply: a provider of the price book, or `free`. Without it the address decides; "
            "with an address the book does not know, calls are `unpriced`. No price is guessed from a model's name.",
            examples=["free", "openai"],
        ),
    ] = None


class Feature(_Section):
    """A product capability built on calls to models."""

    owner: Annotated[Text, Field(description="Who answers for it.", examples=["ana@example.com"])] = ""
    cost_owner: Annotated[Text, Field(description="Who pays for it.", examples=["finance@example.com"])] = ""
    stage: Annotated[
        Literal["prototype", "internal", "beta", "production", "regulated"],
        Field(description="How much depends on it. From `beta` on, an owner and a cost owner are asked for."),
    ] = "prototype"
    unit_of_value: Annotated[
        Text, Field(description="What one success of it is called, in reports.", examples=["accepted answer"])
    ] = ""
    output_alert: Annotated[
        Share | None,
        Field(
            description="Share of an hour's answers that may be other than its release asks for; more raise an alert. "
            "Default: what is usual for it.",
            examples=["5%"],
        ),
    ] = None


class Metrics(_Section):
    """Who may read the gateway's counts at `/metrics`."""

    open: Annotated[
        bool,
        Field(
            description="Whether whoever reaches the gateway may read them, without a key. They name features and "
            "routes and tell what each of them costs. Otherwise only this host may."
        ),
    ] = False


class Stores(_Section):
    """Where state is kept, when not in the data folder. A change takes effect at the next start."""

    control: Annotated[
        str | None,
        _begins_with("sqlite:///", "postgresql://"),
        Field(
            description="Keys, users, sessions, changes. Default: SQLite in the data folder.",
            examples=["postgresql://watchkeeper@db.internal/watchkeeper"],
        ),
    ] = None
    analytics: Annotated[
        str | None,
        _begins_with("chdb:///", "clickhousedb://"),
        Field(
            description="Calls, attempts, bodies. Default: chDB in the data folder.",
            examples=["clickhousedb://clickhouse.internal/watchkeeper"],
        ),
    ] = None


class Config(_Section):
    """Watchkeeper's configuration."""

    providers: Annotated[
        dict[Name, Provider], Field(description="Accounts at upstreams that serve models, by name.")
    ] = {}
    features: Annotated[
        dict[Name, Feature], Field(description="Product capabilities built on calls to models, by name.")
    ] = {}
    routes: Annotated[
        dict[RouteName, Route], Field(description="What the model names that clients send resolve to.")
    ] = {}
    retrievers: Annotated[
        dict[Name, Retriever], Field(description="Endpoints at which releases look documents up, by name.")
    ] = {}
    budgets: Annotated[
        list[Budget], Field(max_length=20_000, description="What may be spent, by whom, in which time.")
    ] = []
    limits: Annotated[
        list[Limit], Field(max_length=20_000, description="How fast, and how many at a time, calls may be made.")
    ] = []
    runaway: Annotated[Runaway, Field(description="When a session is taken to run away.")] = Runaway()
    environments: Annotated[
        dict[Name, Environment],
        Field(
            description="Where releases are live, by name, and what must hold before one is promoted there. "
            "`development`, `staging` and `production` exist without being named, with no rules."
        ),
    ] = {}
    durability: Annotated[
        Literal["interval", "disk"],
        Field(
            description="When a call counts as recorded. `interval`: its record is on disk within 20 ms; a crash can "
            "lose the calls of that time. `disk`: the response ends only when it is."
        ),
    ] = "interval"
    canaries: Annotated[
        list[Canary],
        Field(max_length=CANARIES_MAX, description="Models that are watched for changes under the same name."),
    ] = []
    drift: Drift = Drift()
    evals: Evals = Evals()
    metrics: Metrics = Metrics()
    prices: Prices = Prices()
    notifications: Notifications = Notifications()
    sign_in: SignIn = SignIn()
    stores: Stores = Stores()


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """A title made from the key would only say the key again."""
        return False


def json_schema() -> dict[str, Any]:
    """Return the published JSON schema (2020-12), for editors and for checks elsewhere."""
    schema = Config.model_json_schema(schema_generator=_Untitled)
    for section in schema["properties"].values():
        if "patternProperties" in section:
            section["additionalProperties"] = False
    for section in schema["$defs"].values():
        for key in section.get("properties", {}).values():
            if isinstance(key.get("default"), float) and key.get("type") == "string":  # a length of time
                key["default"] = written(key["default"])
                for bound in ("exclusiveMinimum", "minimum"):
                    key.pop(bound, None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
