"""A rendered prompt, and how each provider's client is called with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from watchkeeper.releases.chat_fields import decided_fields
from watchkeeper.releases.recipe import Recipe
from watchkeeper.sdk.errors import CannotRender

ANTHROPIC_MAX_TOKENS = 4096
"""Where the release names no limit: Anthropic's API takes no request without one."""
_SYSTEM = ("system", "developer")
_HEADER_SAFE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~\""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One prompt, ready to be sent."""

    recipe: Recipe
    release: str
    """The id of what was rendered; a fallback has the id of its content."""
    environment: str
    """Empty for a release that was asked for by its id, and for a fallback."""
    rollout: str
    """Id of the rollout that chose the release; empty where none ran."""
    messages: list[dict[str, Any]]
    is_stale: bool
    """Whether something else may be live by now: the gateway could not be asked, or has not heard from its keeper."""
    stale_since: datetime | None
    """When this was last known to be live; None when it is now, or where that was never known."""
    is_fallback: bool
    """Rendered from the application's own file, because there was nothing else."""
    about_call: dict[str, str] = field(default_factory=dict[str, str])
    """Headers: subject, session, and the documents that were given."""

    @property
    def feature(self) -> str:
        """The feature whose prompt it is."""
        return self.recipe.feature

    @property
    def model(self) -> str:
        """A route, or `provider/model`."""
        return self.recipe.model

    @property
    def parameters(self) -> dict[str, Any]:
        """In the words of the chat API."""
        return dict(self.recipe.parameters)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """As the chat API has them."""
        found: list[dict[str, Any]] = decided_fields(self.recipe).get("tools", [])
        return found

    @property
    def headers(self) -> dict[str, str]:
        """What stamps a call through the gateway with the release, whichever client makes it."""
        named = {
            "x-wk-feature": self.feature,
            "x-wk-release": self.release,
            "x-wk-environment": self.environment,
            "x-wk-rollout": self.rollout,
            "x-wk-meta-prompt": "fallback" if self.is_fallback else "stale" if self.is_stale else "",
        }
        return {name: header(value) for name, value in named.items() if value} | self.about_call

    def openai(self) -> dict[str, Any]:
        """Return what to call `client.chat.completions.create` with."""
        said = {"model": self.model, "messages": self.messages, **decided_fields(self.recipe)}
        return said | self._around()

    def anthropic(self) -> dict[str, Any]:
        """Return what to call `client.messages.create` with.

        Raises:
            CannotRender: the release has a parameter that this API has no place for.
        """
        said: dict[str, Any] = {
            "model": self.model,
            "max_tokens": ANTHROPIC_MAX_TOKENS,
            "messages": [message for message in self.messages if message["role"] not in _SYSTEM],
        }
        system = [message["content"] for message in self.messages if message["role"] in _SYSTEM]
        if system:
            said["system"] = "\n\n".join(system)
        for name, value in self.recipe.parameters.items():
            if name not in _TO_ANTHROPIC:
                raise CannotRender(
                    f"The release {self.release} of {self.feature} sets `{name}`, which Anthropic's API has no place "
                    "for. Call it with `openai()`; the gateway reaches Anthropic's models that way too."
                )
            _TO_ANTHROPIC[name](said, value)
        if self.recipe.tools:
            said["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in self.recipe.tools
            ]
        return said | self._around()

    def _around(self) -> dict[str, Any]:
        around: dict[str, Any] = {"extra_headers": self.headers}
        limits = self.recipe.limits
        if limits is not None and limits.timeout_s is not None:
            around["timeout"] = limits.timeout_s
        return around


def header(text: str) -> str:
    """Write a text as the value of a header; the gateway reads percent-encoding back."""
    return quote(text, safe=_HEADER_SAFE)


def _as(name: str) -> Callable[[dict[str, Any], Any], None]:
    def put(said: dict[str, Any], value: Any) -> None:
        said[name] = value

    return put


def _stop(said: dict[str, Any], value: Any) -> None:
    said["stop_sequences"] = [value] if isinstance(value, str) else value


def _tool_choice(said: dict[str, Any], value: Any) -> None:
    if isinstance(value, Mapping):
        chosen: dict[str, Any] = {"type": "tool", "name": value["function"]["name"]}
    else:
        chosen = {"type": "any" if value == "required" else value}
    said["tool_choice"] = said.get("tool_choice", {}) | chosen


def _parallel(said: dict[str, Any], value: Any) -> None:
    said["tool_choice"] = {"type": "auto"} | said.get("tool_choice", {}) | {"disable_parallel_tool_use": not value}


_TO_ANTHROPIC: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "max_tokens": _as("max_tokens"),
    "max_completion_tokens": _as("max_tokens"),
    "temperature": _as("temperature"),
    "top_p": _as("top_p"),
    "top_k": _as("top_k"),
    "stop": _stop,
    "stream": _as("stream"),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel,
}
