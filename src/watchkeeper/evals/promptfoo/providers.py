"""Reads the providers of a configuration and says what becomes of each: which model it is here, or why it is none."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from watchkeeper.evals.promptfoo.documents import as_text, load
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.files import Files
from watchkeeper.evals.promptfoo.model import Prompt, Provider
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, split_function

PROVIDERS_MAX = 1_000
EVERY = ("*",)
"""Prompts of an entry that is an object and names none."""

_ENV = re.compile(r"{{\s*env\.(\w+)\s*}}")

Kind = Literal["echo", "gateway", "python", "command", "http", "unsupported"]

_KINDS_OF_CALL = frozenset({"chat", "responses", "messages", "completion"})
"""What may stand between a vendor and its model, and be asked as a chat."""
_NO_CHATS = frozenset(
    {
        "embedding",
        "embeddings",
        "image",
        "moderation",
        "realtime",
        "assistant",
        "agents",
        "transcription",
        "speech",
        "video",
        "tts",
        "live",
        "rerank",
        "classification",
        "feature-extraction",
        "sentence-similarity",
        "token-classification",
        "codex-sdk",
        "chatkit",
    }
)
_VENDORS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure",
    "azureopenai": "azure",
    "google": "google",
    "palm": "google",
    "vertex": "vertex",
    "bedrock": "bedrock",
    "ollama": "ollama",
    "mistral": "mistral",
    "groq": "groq",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "togetherai": "together",
    "fireworks": "fireworks",
    "perplexity": "perplexity",
    "cohere": "cohere",
    "xai": "xai",
    "cerebras": "cerebras",
    "replicate": "replicate",
    "huggingface": "huggingface",
    "localai": "local",
    "llama": "local",
    "vllm": "local",
    "litellm": "litellm",
    "github": "github",
    "hyperbolic": "hyperbolic",
    "cloudflare-ai": "cloudflare",
    "databricks": "databricks",
    "ai21": "ai21",
    "portkey": "portkey",
    "lambdalabs": "lambda",
    "nscale": "nscale",
    "sambanova": "sambanova",
    "docker": "local",
    "claude-agent-sdk": "",
}
"""Vendors as promptfoo names them, with the name that a provider is commonly given here; empty: not asked by a chat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a provider is here."""

    kind: Kind
    models: tuple[str, ...] = ()
    """Of the gateway: names to be tried, the best first."""
    path: str = ""
    """Of a file (`PATH[:FUNCTION]`), a command, or a URL."""
    note: str = ""
    """What is different from promptfoo; of an unsupported one, why, and what to do."""


def read_providers(written: Any, files: Files, env: Mapping[str, str], place: str = "") -> tuple[Provider, ...]:
    """Read `providers`: an id, a list of ids, objects and `{ID: {...}}`, or files of them.

    Raises:
        ConfigRefused: there are none, or an entry is none.
    """
    entries = written if isinstance(written, list) else [written] if written else []
    found = [provider for entry in entries for provider in _read(entry, files, env, place)]
    if not found:
        raise ConfigRefused(f"{place}: there are no providers; name at least one, such as `openai:chat:gpt-4o-mini`.")
    if len(found) > PROVIDERS_MAX:
        raise ConfigRefused(f"{place}: there are more than {PROVIDERS_MAX:,} providers.")
    return tuple(found)


def _read(entry: Any, files: Files, env: Mapping[str, str], place: str) -> Iterator[Provider]:
    match entry:
        case str() if entry.startswith("file://") and entry.endswith((".yaml", ".yml", ".json")):
            content = files.loaded(load(files.path(entry)).data)
            for each in content if isinstance(content, list) else [content]:
                if not isinstance(each, dict) or not isinstance(each.get("id"), str):
                    raise ConfigRefused(f"{place}: every provider in {entry} must have an `id`.")
                yield replace(_provider(each["id"], each, env, place), prompts=None)
        case str():
            yield _provider(entry, {}, env, place)
        case {"id": str(name)}:
            yield _provider(name, entry, env, place)
        case dict() if len(entry) >= 1 and isinstance(next(iter(entry.values())), dict):
            name, options = next(iter(entry.items()))
            made = _provider(name, {**options, "id": options.get("id") or name}, env, place)
            yield replace(made, known_as=(made.id,))
        case _:
            raise ConfigRefused(f"{place}: a provider must be an id or an object with `id`: {as_text(entry)[:200]}")


def _provider(name: str, options: Mapping[str, Any], env: Mapping[str, str], place: str) -> Provider:
    rendered = _ENV.sub(lambda found: env.get(found[1], ""), name)
    shown = options.get("id") if isinstance(options.get("id"), str) else None
    prompts = options.get("prompts")
    delay = options.get("delay")
    own = shown or _shown(rendered, options.get("config") or {})
    label = _ENV.sub(lambda found: env.get(found[1], ""), as_text(options.get("label") or ""))
    return Provider(
        id=own,
        label=label,
        config=options.get("config") or {},
        prompts=tuple(map(as_text, prompts)) if isinstance(prompts, list) else EVERY if "id" in options else None,
        known_as=(own, label) if label else (own,),
        transform=options.get("transform") or "",
        delay_ms=int(delay) if isinstance(delay, int | float) else 0,
        env=options.get("env") or {},
        place=place,
        path=rendered,
    )


def _shown(name: str, config: Mapping[str, Any]) -> str:
    """The id that promptfoo shows for an entry without one of its own."""
    vendor, _, rest = name.partition(":")
    if vendor not in ("openai", "anthropic"):
        return f"python:{name.removeprefix('file://')}" if name.startswith("file://") and ".py" in name else name
    kind, _, model = rest.partition(":")
    model = model if kind in _KINDS_OF_CALL and model else rest
    return model if vendor == "openai" and (config.get("apiHost") or config.get("apiBaseUrl")) else f"{vendor}:{model}"


def is_allowed(provider: Provider, prompt: Prompt, providers: tuple[Provider, ...]) -> bool:
    """Tell whether a provider takes a prompt: by label, or by the group before its colon.

    As in promptfoo, what the last entry with its id or label says holds for all of the same name.
    """
    labels: tuple[str, ...] | None = None
    for other in providers:
        if other.prompts is not None and provider.title in other.known_as:
            labels = other.prompts
    if labels is None or labels == EVERY:
        return True
    return any(prompt.label == label or prompt.label.startswith(f"{label}:") for label in labels)


def target_of(provider: Provider, mapping: Mapping[str, str], *, allow_commands: bool = False) -> Target:
    """Say what a provider is here.

    Args:
        provider: Of the configuration.
        mapping: Models of the gateway by the provider's id or label, as the user gives them.
        allow_commands: Whether `exec:` may be run.
    """
    name = provider.path or provider.id
    for key in (provider.label, provider.id, name):
        if key and key in mapping:
            return Target(kind="gateway", models=(mapping[key],))
    vendor, _, rest = name.partition(":")
    if name == "echo":
        return Target(kind="echo")
    if name.startswith("exec:"):
        if allow_commands:
            return Target(kind="command", path=rest.strip())
        return Target(kind="unsupported", note="it runs a command of this machine; allow that with --allow-exec")
    if name.startswith(("http://", "https://")) or name in ("http", "https"):
        return Target(kind="http", path=name if "//" in name else "")
    if name.startswith(("file://", "python:")):
        path = name.removeprefix("file://").removeprefix("python:")
        if split_function(path)[0].endswith(".py"):
            return Target(kind="python", path=path)
        return Target(kind="unsupported", note="a provider in another language than Python needs Node; not run here")
    if split_function(name)[0].endswith(JAVASCRIPT_FILES) or vendor in ("package", "golang", "ruby", "webhook"):
        return Target(kind="unsupported", note="a provider in another language than Python is not run here")
    return _model(vendor, rest, provider)


def _model(vendor: str, rest: str, provider: Provider) -> Target:
    own = _VENDORS.get(vendor, "")
    kind, _, model = rest.partition(":")
    how = f"map it to a model of the gateway: --provider-map '{provider.id}=MODEL'"
    if not own or not rest:
        return Target(kind="unsupported", note=f"nobody here knows this provider; {how}")
    if kind in _NO_CHATS:
        return Target(kind="unsupported", note=f"{vendor}'s {kind} API is not asked by a chat; {how}")
    model = model if kind in _KINDS_OF_CALL and model else rest
    note = "asked as a chat, not through its own API" if kind in ("completion", "responses") else ""
    bare = model.rpartition("/")[2]
    names = (model, f"{own}/{model}", f"{vendor}/{model}", bare)
    return Target(kind="gateway", models=tuple(dict.fromkeys(names)), note=note)
