"""A chat request as a release makes it."""

from collections.abc import Iterable, Sequence
from typing import Any

from watchkeeper.releases.recipe import Output, Recipe, Tool


def decided_fields(recipe: Recipe) -> dict[str, Any]:
    """Return the fields of a chat request that a recipe decides, without `model` and `messages`."""
    fields: dict[str, Any] = dict(recipe.parameters)
    if recipe.tools:
        fields["tools"] = [_tool(tool) for tool in recipe.tools]
    if recipe.output is not None and recipe.output.send:
        fields["response_format"] = _response_format(recipe.output)
    return fields


def with_conversation(rendered: Iterable[tuple[str, str]], conversation: Sequence[Any]) -> list[Any]:
    """Return a prompt's messages with the conversation where the release has a place for it, else at the end.

    Args:
        rendered: Role and content of each message, as `prepared.Prepared` writes them.
        conversation: Messages of the chat API.
    """
    messages: list[Any] = []
    is_placed = False
    for role, content in rendered:
        if role == "conversation":
            messages += conversation
            is_placed = True
        else:
            messages.append({"role": role, "content": content})
    return messages if is_placed else [*messages, *conversation]


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _response_format(output: Output) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": output.schema, "strict": True}}
