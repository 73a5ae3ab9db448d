"""A release made ready to be rendered."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from watchkeeper.releases.problems import TemplateProblem
from watchkeeper.releases.recipe import Recipe, ReleaseId, release_id, schema_id
from watchkeeper.releases.schemas import Schema, SchemaProblem
from watchkeeper.releases.templates import CHARACTERS_MAX, NODES_MAX, Rendering, Text
from watchkeeper.releases.variables import DOCUMENTS, Variables

CHARACTERS_MOST = 10_000_000
"""Of a prompt, however much its recipe allows in `limits`."""


class Rendered(NamedTuple):
    """One message of a rendered prompt."""

    role: str
    """`conversation` stands for the messages that the client sends."""
    content: str


class Unusable(Exception):
    """A recipe cannot be made ready; `place` says which part of it: `messages[1]`, `variables`, `output.schema`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class Prepared:
    """A recipe with its templates and schemas made ready; the same one renders for any number of calls."""

    __slots__ = ("_characters_max", "_texts", "id", "output", "query", "recipe", "schema_id", "variables")

    def __init__(self, recipe: Recipe) -> None:
        """Make ready. Raises Unusable with the first part that cannot be."""
        self.id: ReleaseId = release_id(recipe)
        self.recipe = recipe
        blocks = {name: block.text for name, block in recipe.blocks.items()}
        allowed = recipe.limits.output_bytes if recipe.limits is not None else None
        self._characters_max = CHARACTERS_MAX if allowed is None else min(allowed, CHARACTERS_MOST)
        self._texts: list[tuple[str, Text]] = []
        nodes = NODES_MAX
        for place, message in enumerate(recipe.messages):
            text = _text(f"messages[{place}]", message.content, blocks, nodes)
            nodes -= text.nodes
            self._texts.append((message.role, text))
        retrieval = recipe.retrieval
        self.query = None if retrieval is None else _text("retrieval.query", retrieval.query, blocks, nodes)
        try:
            self.variables = Variables(recipe.variables)
        except SchemaProblem as problem:
            raise Unusable("variables", str(problem)) from None
        self.output: Schema | None = None
        self.schema_id = ""
        if recipe.output is not None:
            self.schema_id = schema_id(recipe.output.schema)
            self.output = _schema(recipe.output.schema)

    @property
    def names(self) -> frozenset[str]:
        """The variables that its templates read; `documents` is given by retrieval."""
        texts = [text for _, text in self._texts] + ([self.query] if self.query is not None else [])
        return frozenset(name for text in texts for name in text.names)

    def render(
        self, variables: Mapping[str, Any], documents: Sequence[Mapping[str, Any]] | None = None
    ) -> list[Rendered]:
        """Write the messages; bounds of time, steps and characters are those of all of them together.

        Args:
            variables: Complete, as `Variables.complete` returns them.
            documents: What retrieval has found; None where the recipe has none.

        Raises:
            TemplateProblem: a template cannot be rendered with them.
        """
        if documents is not None:
            variables = {**variables, DOCUMENTS: documents}
        given = Rendering(variables, self._characters_max)
        return [Rendered(role, text.write(given)) for role, text in self._texts]


def _text(place: str, source: str, blocks: Mapping[str, str], nodes_max: int) -> Text:
    try:
        return Text(source, blocks, nodes_max=nodes_max)
    except TemplateProblem as problem:
        raise Unusable(place, str(problem)) from None


def _schema(schema: dict[str, Any] | None) -> Schema | None:
    if schema is None:
        return None
    try:
        return Schema(schema)
    except SchemaProblem as problem:
        raise Unusable("output.schema", str(problem)) from None
