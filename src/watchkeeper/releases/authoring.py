"""Reads a recipe as people write it, with every mistake named by its place, and writes it so that it reads the same."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from watchkeeper.config import durations, wording
from watchkeeper.config.problems import dotted
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import usd
from watchkeeper.releases.authored import AuthoredRecipe
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.recipe import (
    Block,
    Limits,
    Message,
    Output,
    Recipe,
    Retrieval,
    Tool,
    block_id,
)

Authored = dict[str, Any]
"""A recipe in the words of `release.yaml`, with every file that it names in its place."""


class RecipeRefused(CallerError):
    """What was written is no recipe that could be served; nothing was kept."""

    code = "recipe_refused"
    http_status = 422

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        said = "\n".join(": ".join(part for part in (one.place, one.message) if part) for one in self.mistakes)
        super().__init__(f"{said}\nNothing was kept.")
        self.detail = {"mistakes": [{"place": one.place, "message": one.message} for one in self.mistakes]}


def read_authored(data: Any, blocks: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; whether it can be served is for `checking.mistakes_in` to say.

    Args:
        data: In the words of `release.yaml`.
        blocks: Texts of the blocks that it names by id.

    Raises:
        RecipeRefused: it is none; every mistake is named.
    """
    try:
        found = AuthoredRecipe.model_validate(data)
    except ValidationError as error:
        raise RecipeRefused(_mistakes(error)) from None
    known = blocks or {}
    lost = [name for name, block in found.blocks.items() if block.id is not None and block.id not in known]
    if lost:
        raise RecipeRefused(Mistake(f"blocks.{name}.id", "there is no block of this id") for name in lost)
    return _recipe(found, known)


def named_blocks(data: Any) -> list[str]:
    """List the ids of blocks that a recipe names instead of giving their text; anything at all may be given."""
    blocks = data.get("blocks") if isinstance(data, dict) else None
    found = blocks.values() if isinstance(blocks, dict) else ()
    return [block["id"] for block in found if isinstance(block, dict) and isinstance(block.get("id"), str)]


def authored(recipe: Recipe) -> Authored:
    """Write a recipe in the words of `release.yaml`; what is as it would be without a word is left out."""
    written: Authored = {
        "feature": recipe.feature,
        "model": recipe.model,
        "messages": [_message(message) for message in recipe.messages],
        "variables": dict(recipe.variables),
        "parameters": dict(recipe.parameters),
        "tools": [_tool(tool) for tool in recipe.tools],
        "blocks": {name: {"text": block.text} for name, block in recipe.blocks.items()},
        "output": _output(recipe.output),
        "retrieval": _retrieval(recipe.retrieval),
        "guards": recipe.guards,
        "limits": _limits(recipe.limits),
    }
    return {name: value for name, value in written.items() if value not in (None, "", [], {}) or _says_any(name, value)}


def _says_any(name: str, value: Any) -> bool:
    """`output: {}` asks for JSON, which no output does not."""
    return name == "output" and value is not None


def _recipe(found: AuthoredRecipe, blocks: Mapping[str, str]) -> Recipe:
    texts = {
        name: block.text if block.text is not None else blocks[block.id or ""] for name, block in found.blocks.items()
    }
    return Recipe(
        feature=found.feature,
        model=found.model,
        messages=tuple([Message(message.role, message.content) for message in found.messages]),
        variables=dict(found.variables),
        parameters=found.parameters,
        tools=tuple([Tool(tool.name, tool.parameters, tool.description, tool.strict) for tool in found.tools]),
        blocks={name: Block(block_id(text), text) for name, text in texts.items()},
        output=_read_output(found),
        retrieval=_read_retrieval(found),
        guards=found.guards,
        limits=_read_limits(found),
    )


def _read_output(found: AuthoredRecipe) -> Output | None:
    output = found.output
    return None if output is None else Output(output.json_schema, output.repair, output.on_failure, output.send)


def _read_retrieval(found: AuthoredRecipe) -> Retrieval | None:
    given = found.retrieval
    if given is None:
        return None
    return Retrieval(
        query=given.query,
        collection=given.collection,
        version=given.version,
        retriever=given.retriever,
        embedding=given.embedding,
        top_k=given.top_k,
        min_score=given.min_score,
        timeout_s=given.timeout,
        on_failure=given.on_failure,
    )


def _read_limits(found: AuthoredRecipe) -> Limits | None:
    limits = found.limits
    if limits is None or limits == type(limits)():
        return None
    return Limits(limits.max_cost, limits.timeout, limits.output_bytes)


def _message(message: Message) -> Authored:
    return {"role": message.role} | ({} if message.role == "conversation" else {"content": message.content})


def _tool(tool: Tool) -> Authored:
    written: Authored = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["parameters"] = tool.parameters
    return written | ({"strict": True} if tool.strict else {})


def _output(output: Output | None) -> Authored | None:
    if output is None:
        return None
    written: Authored = {} if output.schema is None else {"schema": output.schema}
    return written | _departures(output, Output(), ("repair", "on_failure", "send"))


def _retrieval(retrieval: Retrieval | None) -> Authored | None:
    if retrieval is None:
        return None
    names = ("collection", "version", "retriever", "embedding", "top_k", "min_score", "on_failure")
    written = {"query": retrieval.query} | _departures(retrieval, Retrieval(query=""), names)
    return written | ({} if retrieval.timeout_s == 2.0 else {"timeout": _length(retrieval.timeout_s)})


def _limits(limits: Limits | None) -> Authored | None:
    if limits is None:
        return None
    written: Authored = {}
    if limits.max_cost_nusd is not None:
        written["max_cost"] = f"{usd(limits.max_cost_nusd)} USD"
    if limits.timeout_s is not None:
        written["timeout"] = _length(limits.timeout_s)
    return written | ({} if limits.output_bytes is None else {"output_bytes": limits.output_bytes})


def _departures(given: Any, usual: Any, names: Iterable[str]) -> Authored:
    """What is not as usual, by name."""
    return {name: getattr(given, name) for name in names if getattr(given, name) != getattr(usual, name)}


def _length(length_s: float) -> str:
    return durations.written(length_s) if length_s.is_integer() else f"{round(length_s * 1000)}ms"


def _mistakes(error: ValidationError) -> list[Mistake]:
    found = [
        Mistake(dotted(wording.place_of(detail)), _words(detail, wording.words(detail, AuthoredRecipe)))
        for detail in error.errors(include_url=False)
    ]
    return list(dict.fromkeys(found))


def _words(detail: Any, said: str) -> str:
    place = wording.place_of(detail)
    if place[-1:] == ("content",) and isinstance(detail["input"], dict):
        return "must be text here; `{file: PATH}` is read where the recipe stands in a folder"
    if detail["type"] == "string_pattern_mismatch" and place[-1:] == ("name",):
        return "is not a name of a tool; use letters, digits, `_` and `-`, at most 64"
    if detail["type"] == "string_pattern_mismatch" and place in (("feature",), ("guards",)):
        return "is not a name; use letters, digits, `.`, `_` and `-`, at most 64, and no blanks"
    return said
