"""What is wrong with a recipe, all of it at once, each mistake with its place."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.problems import TemplateProblem
from watchkeeper.releases.recipe import RECIPE_BYTES_MAX, Recipe, block_id, canonical
from watchkeeper.releases.schemas import Schema, SchemaProblem
from watchkeeper.releases.templates import NODES_MAX, TAKEN_NAMES, Text
from watchkeeper.releases.variables import DOCUMENTS


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong."""

    place: str
    """As in `messages[1].content`; empty for the whole."""
    message: str
    is_warning: bool = False
    """It can be used all the same."""


def mistakes_in(recipe: Recipe) -> list[Mistake]:
    """Find every mistake that can be seen in the recipe itself; one without errors can be made ready."""
    found: list[Mistake] = []
    if len(canonical(recipe)) > RECIPE_BYTES_MAX:
        found.append(Mistake("", f"the recipe is larger than {RECIPE_BYTES_MAX} bytes"))
    if not recipe.messages:
        found.append(Mistake("messages", "there are none; a prompt needs one at least"))
    if sum(message.role == "conversation" for message in recipe.messages) > 1:
        found.append(Mistake("messages", "`conversation` may stand once: the client's messages go there"))
    for name, schema in recipe.variables.items():
        found += _variable(name, schema)
    found += _templates(recipe)
    for place, tool in enumerate(recipe.tools):
        if tool.name in [other.name for other in recipe.tools[:place]]:
            found.append(Mistake(f"tools[{place}].name", f"`{tool.name}` is the name of another tool before it"))
        found += _schema(f"tools[{place}].parameters", tool.parameters)
    if recipe.retrieval is not None and not (recipe.retrieval.collection or recipe.retrieval.retriever):
        found.append(Mistake("retrieval", "it names neither a `collection` nor a `retriever`"))
    if recipe.output is not None and recipe.output.schema is not None:
        found += _schema("output.schema", recipe.output.schema)
    if recipe.output is not None and recipe.parameters.get("n") not in (None, 1):
        found.append(Mistake("parameters.n", "only one answer can be held against a schema; leave `n` out"))
    return found if any(not mistake.is_warning for mistake in found) else _unusable(recipe) + found


def _unusable(recipe: Recipe) -> list[Mistake]:
    try:
        Prepared(recipe)
    except Unusable as problem:
        return [Mistake(problem.place, problem.message)]
    return []


def _variable(name: str, schema: Mapping[str, object]) -> list[Mistake]:
    place = f"variables.{name}"
    if name == DOCUMENTS:
        return [Mistake(place, "`documents` is given by `retrieval`; choose another name")]
    if name in TAKEN_NAMES:
        return [Mistake(place, f"`{name}` has a meaning of its own in templates; choose another name")]
    if not name.isidentifier():
        return [Mistake(place, "a variable's name is made of letters, digits and `_`")]
    found = _schema(place, schema)
    if not found and "default" in schema and (departure := Schema(schema).departure(schema["default"])):
        found = [Mistake(f"{place}.default", f"it does not fit its own schema: {departure[1]}")]
    return found


def _schema(place: str, schema: Mapping[str, object]) -> list[Mistake]:
    try:
        Schema(schema)
    except SchemaProblem as problem:
        return [Mistake(place, str(problem))]
    return []


def _templates(recipe: Recipe) -> list[Mistake]:
    found: list[Mistake] = []
    used: set[str] = set()
    known = set(recipe.variables) | ({DOCUMENTS} if recipe.retrieval is not None else set())
    blocks = {name: block.text for name, block in recipe.blocks.items()}
    for name, block in recipe.blocks.items():
        if block.id != block_id(block.text):
            found.append(Mistake(f"blocks.{name}", f"its id is not that of its text, {block_id(block.text)}"))
    sources = [(f"messages[{place}].content", message.content) for place, message in enumerate(recipe.messages)]
    if recipe.retrieval is not None:
        sources.append(("retrieval.query", recipe.retrieval.query))
    nodes = NODES_MAX
    for place, source in sources:
        try:
            text = Text(source, blocks, nodes_max=nodes)
        except TemplateProblem as problem:
            found.append(Mistake(place, str(problem)))
            continue
        nodes -= text.nodes
        used |= text.names
        if missing := sorted(text.names - (known - {DOCUMENTS} if place == "retrieval.query" else known)):
            said = ", ".join(f"`{name}`" for name in missing)
            found.append(Mistake(place, f"{said}: not declared under `variables`"))
    unused = sorted(set(recipe.variables) - used)
    found += [Mistake(f"variables.{name}", "no template uses it", is_warning=True) for name in unused]
    return found
