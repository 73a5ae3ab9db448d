"""A recipe as people read it: messages, variables, parameters, tools, and what else determines an answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchkeeper.console import figures
from watchkeeper.releases.recipe import Limits, Output, Recipe, Retrieval, schema_id

TEXT_MAX = 20_000
"""Characters of all messages together that a page shows; the form and the API have the rest."""
PART_MAX = 4_000
"""Of a tool, a shared block or a schema."""
_TITLES = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
    "conversation": "What the client sends",
}


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of the prompt."""

    role: str
    title: str
    text: str
    left_out: int = 0
    """Characters that do not fit on the page."""


@dataclass(frozen=True, slots=True)
class VariableView:
    """One variable."""

    name: str
    type: str
    default: str
    """As JSON; empty where a caller must give it."""
    is_required: bool
    note: str
    """Its description, and what else its schema asks for."""


@dataclass(frozen=True, slots=True)
class NamedText:
    """A name, and a text or JSON that belongs to it."""

    name: str
    note: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeView:
    """A recipe."""

    model: str
    messages: tuple[MessageView, ...]
    variables: tuple[VariableView, ...]
    parameters: tuple[tuple[str, str], ...]
    tools: tuple[NamedText, ...]
    blocks: tuple[NamedText, ...]
    output: tuple[tuple[str, str], ...]
    """Facts; empty where any text will do."""
    schema: str
    """Of the output, indented; empty where there is none."""
    retrieval: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, str], ...]


def recipe_view(recipe: Recipe) -> RecipeView:
    """Write a recipe for reading."""
    output = recipe.output
    return RecipeView(
        model=recipe.model,
        messages=_messages(recipe),
        variables=tuple(variable_view(name, schema) for name, schema in recipe.variables.items()),
        parameters=tuple((name, written(value)) for name, value in recipe.parameters.items()),
        tools=tuple(NamedText(one.name, one.description, indented(one.parameters)[:PART_MAX]) for one in recipe.tools),
        blocks=tuple(NamedText(name, one.id, one.text[:PART_MAX]) for name, one in recipe.blocks.items()),
        output=_output(output) if output is not None else (),
        schema=indented(output.schema)[:PART_MAX] if output is not None and output.schema is not None else "",
        retrieval=_retrieval(recipe.retrieval) if recipe.retrieval is not None else (),
        limits=_limits(recipe.limits, recipe.guards),
    )


def _messages(recipe: Recipe) -> tuple[MessageView, ...]:
    left, found = TEXT_MAX, []
    for one in recipe.messages:
        shown = one.content[:left]
        found.append(MessageView(one.role, _TITLES[one.role], shown, len(one.content) - len(shown)))
        left -= len(shown)
    return tuple(found)


def variable_view(name: str, schema: Mapping[str, Any]) -> VariableView:
    """Write one variable's schema for reading."""
    rest = {key: value for key, value in schema.items() if key not in ("type", "default", "description")}
    notes = [str(schema.get("description", ""))] + [f"{key}: {written(value)}" for key, value in rest.items()]
    return VariableView(
        name=name,
        type=written(schema.get("type", "any")),
        default=written(schema["default"]) if "default" in schema else "",
        is_required="default" not in schema,
        note="; ".join(filter(None, notes)),
    )


def written(value: Any) -> str:
    """Write a value on one line: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def indented(value: Any) -> str:
    """Write a value as JSON that people read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _output(output: Output) -> tuple[tuple[str, str], ...]:
    repair = {"no": "not", "once": "once", "twice": "up to twice"}[output.repair]
    failure = {"error": "an error", "deliver": "the answer as it is"}[output.on_failure]
    return (
        ("Schema", schema_id(output.schema) if output.schema is not None else "any JSON"),
        ("Repaired", repair),
        ("When it does not fit", f"the client gets {failure}"),
        ("Sent to the provider", "yes, as response format" if output.send else "no"),
    )


def _retrieval(retrieval: Retrieval) -> tuple[tuple[str, str], ...]:
    facts = {
        "Query": retrieval.query,
        "Collection": retrieval.collection,
        "Version": retrieval.version,
        "Retriever": retrieval.retriever or "the embedded index",
        "Embedding": retrieval.embedding,
        "Documents": f"at most {retrieval.top_k}, score from {retrieval.min_score:g}",
        "Timeout": f"{retrieval.timeout_s:g} s",
        "When it fails": "the call fails" if retrieval.on_failure == "error" else "the call goes on without documents",
    }
    return tuple((name, value) for name, value in facts.items() if value)


def _limits(limits: Limits | None, guards: str) -> tuple[tuple[str, str], ...]:
    facts = [("Guard policy", guards)]
    if limits is not None:
        cost, timeout, size = limits.max_cost_nusd, limits.timeout_s, limits.output_bytes
        facts.append(("Cost of a call", "" if cost is None else f"at most {figures.exact_money(cost)}"))
        facts.append(("Time of a call", "" if timeout is None else f"at most {timeout:g} s"))
        facts.append(("Rendered prompt", "" if size is None else f"at most {figures.size(size)}"))
    return tuple((name, value) for name, value in facts if value)
