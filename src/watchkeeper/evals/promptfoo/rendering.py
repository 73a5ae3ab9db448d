"""Renders a prompt with the variables of a test, as promptfoo does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from watchkeeper.evals.promptfoo.documents import as_text, load, read_file, read_json, write_json
from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.files import IMAGES, SCHEME, SOUNDS, VIDEOS, Files, read_base64
from watchkeeper.evals.promptfoo.model import Prompt, Provider
from watchkeeper.evals.promptfoo.nunjucks import TemplateFailed
from watchkeeper.evals.promptfoo.plan import is_on
from watchkeeper.evals.promptfoo.prompts import REMOTE
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, Scripts, split_function

PASSES_MAX = 5
"""How often variables are put into variables."""

_NAME = re.compile(r"{{\s*(\w+)\s*}}")
_OPEN_TAG = re.compile(r"{%[^%]*$|{{[^}]*$|{#[^#]*$", re.MULTILINE)
_RAW = re.compile(r"{%\s*raw\s*%}")
_END_RAW = re.compile(r"{%\s*endraw\s*%}")


class Renders(Protocol):
    """A template engine."""

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """Return the text with the variables in it. Raises TemplateFailed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A prompt as it is sent."""

    text: str
    variables: dict[str, Any]
    """As they ended up: files read, one trailing newline gone, variables in variables replaced."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The prompt's, with what its function added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Renders prompts; waits for what it runs, so call it off the event loop where `waits` says so."""

    files: Files
    scripts: Scripts
    renderer: Renders
    plain: Renders
    """Without the configuration's own filters: for what stands inside JSON."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    def waits(self, prompt: Prompt, variables: Mapping[str, Any]) -> bool:
        """Tell whether rendering runs somebody's code or reads files."""
        return bool(prompt.function) or any(
            isinstance(value, str) and value.startswith(SCHEME) for value in variables.values()
        )

    def render(self, prompt: Prompt, variables: Mapping[str, Any], provider: Provider) -> Rendered:
        """Render a prompt.

        Raises:
            CaseFailed: a file cannot be read, a function fails, or the template is none.
        """
        given = dict(variables)
        for name, value in given.items():
            if isinstance(value, str) and value.startswith(SCHEME):
                given[name] = self.read(name, value, prompt, given, provider)
        raw, config = prompt.raw, dict(prompt.config)
        if prompt.function:
            raw, added = self._made(prompt, given, provider)
            config |= added
        for name, value in given.items():
            if isinstance(value, str):
                given[name] = value.removesuffix("\n")
        _put_into_each_other(given)
        if prompt.raw.startswith(REMOTE):
            service = prompt.raw.partition(":")[0]
            raise CaseFailed(f"The prompt is kept by {service}; it is not fetched here. Put its text into the file.")
        return Rendered(text=self._text(raw, given), variables=given, config=config)

    def _text(self, raw: str, variables: Mapping[str, Any]) -> str:
        if is_on(self.env, "PROMPTFOO_DISABLE_JSON_AUTOESCAPE"):
            return self.renderer.render(_guarded(raw), variables)
        try:
            return write_json(self.inside(read_json(raw), variables), indent=2)
        except (ValueError, RecursionError, TemplateFailed):
            filled = {
                name: self.renderer.render(_guarded(value), variables) if isinstance(value, str) else value
                for name, value in variables.items()
            }
            return self.renderer.render(_guarded(raw), filled)

    def inside(self, value: Any, variables: Mapping[str, Any]) -> Any:
        """Render every text inside a value."""
        if is_on(self.env, "PROMPTFOO_DISABLE_TEMPLATING"):
            return value
        match value:
            case str():
                return self.plain.render(value, variables)
            case list():
                return [self.inside(item, variables) for item in value]
            case dict():
                return {key: self.inside(item, variables) for key, item in value.items()}
            case _:
                return value

    def _made(self, prompt: Prompt, variables: Mapping[str, Any], provider: Provider) -> tuple[str, dict[str, Any]]:
        name, function = split_function(prompt.function)
        who = {"id": provider.id, "label": provider.label, "config": dict(provider.config)}
        context = {"vars": dict(variables), "provider": who, "config": dict(prompt.config)}
        made = self.scripts.call(Path(name.removesuffix(":")), function, [context], default="main")
        if isinstance(made, str):
            return made, {}
        if isinstance(made, dict) and "prompt" in made:
            text = made["prompt"] if isinstance(made["prompt"], str) else write_json(made["prompt"])
            return text, made.get("config") or {}
        if isinstance(made, dict | list):
            return write_json(made), {}
        raise CaseFailed(f"Prompt function must return a string or object, got {type(made).__name__}")

    def read(self, name: str, value: str, prompt: Prompt, variables: Mapping[str, Any], provider: Provider) -> str:
        """Return what a variable that names a file stands for. Raises CaseFailed, ConfigRefused."""
        path = self.files.path(value)
        kind = path.suffix.lower()
        if kind == ".py" or kind in JAVASCRIPT_FILES:
            who = {"id": provider.id, "label": provider.label}
            arguments = [name, prompt.raw, dict(variables), *([] if kind == ".py" else [who])]
            made = self.scripts.call(path, "", arguments, default="get_var")
            if not isinstance(made, dict) or made.get("error") or not made.get("output"):
                why = made.get("error") if isinstance(made, dict) else "it must return `output`"
                raise CaseFailed(f"{path} gives no value for the variable {name}: {why}")
            return as_text(made["output"]).strip() if kind == ".py" else as_text(made["output"])
        if kind in (".yaml", ".yml"):
            return write_json(load(path).data)
        if kind == ".pdf" and not is_on(self.env, "PROMPTFOO_DISABLE_PDF_AS_TEXT"):
            raise CaseFailed(f"The text of {path} is not read here; save it as a text file.")
        if kind in (*IMAGES, *VIDEOS, *SOUNDS) and not is_on(self.env, "PROMPTFOO_DISABLE_MULTIMEDIA_AS_BASE64"):
            return read_base64(path)
        return read_file(path).strip()


def _put_into_each_other(variables: dict[str, Any]) -> None:
    """Replace the first `{{ name }}` in each text by that variable, until nothing changes or PASSES_MAX is reached."""
    for _ in range(PASSES_MAX):
        is_settled = True
        for name, value in variables.items():
            found = _NAME.search(value) if isinstance(value, str) else None
            if found and variables.get(found[1]) is not None:
                variables[name] = value.replace(found[0], as_text(variables[found[1]]), 1)
                is_settled = False
        if is_settled:
            return


def _guarded(text: str) -> str:
    """A tag that is opened and not closed is text."""
    is_raw = _RAW.search(text) and _END_RAW.search(text)
    return f"{{% raw %}}{text}{{% endraw %}}" if _OPEN_TAG.search(text) and not is_raw else text
