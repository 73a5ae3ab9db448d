"""A release made ready to be rendered."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from watchkeeper.releases.problems import TemplateProblem
from watchkeeper.releases.recipe import Recipe, ReleaseId, release_id, schema_id
from watchkeeper.releases.schemas import Schema, SchemaProblem
from watchkeeper.releases.templates import Text
from watchkeeper.releases.variables import DOCUMENTS, Variables


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

    __slots__ = ("_texts", "id", "output", "query", "recipe", "schema_id", "variables")

    def __init__(self, recipe: Recipe) -> None:
        """Make ready. Raises Unusable with the first part that cannot be."""
        self.id: ReleaseId = release_id(recipe)
        self.recipe = recipe
        blocks = {name: block.text for name, block in recipe.blocks.items()}
        characters = recipe.limits.output_bytes if recipe.limits is not None else None
        self._texts = [
            (message.role, _text(f"messages[{place}]", message.content, blocks, characters))
            for place, message in enumerate(recipe.messages)
        ]
        retrieval = recipe.retrieval
        self.query = None if retrieval is None else _text("retrieval.query", retrieval.query, blocks, None)
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
        """Write the messages.

        Args:
            variables: Complete, as `Variables.complete` returns them.
            documents: What retrieval has found; None where the recipe has none.

        Raises:
            TemplateProblem: a template cannot be rendered with them.
        """
        if documents is not None:
            variables = {**variables, DOCUMENTS: documents}
        return [Rendered(role, text.render(variables)) for role, text in self._texts]


def _text(place: str, source: str, blocks: Mapping[str, str], characters_max: int | None) -> Text:
    try:
        text = Text(source, blocks)
    except TemplateProblem as problem:
        raise Unusable(place, str(problem)) from None
    if characters_max is not None:
        text.characters_max = characters_max
    return text


def _schema(schema: dict[str, Any] | None) -> Schema | None:
    if schema is None:
        return None
    try:
        return Schema(schema)
    except SchemaProblem as problem:
        raise Unusable("output.schema", str(problem)) from None
