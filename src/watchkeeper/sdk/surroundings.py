"""The client that an application need not make itself: where the gateway is, it is told by its environment."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from watchkeeper.core.errors import OperatorError
from watchkeeper.sdk.prompts import Prompt, Prompts

URL_DEFAULT = "http://127.0.0.1:4000"


class NoKey(OperatorError):
    """The environment names no key."""

    code = "no_key"


def from_environment(environment: Mapping[str, str] = os.environ) -> Prompts:
    """Make a client by `WATCHKEEPER_URL`, `WATCHKEEPER_API_KEY`, `WATCHKEEPER_CACHE` and `WATCHKEEPER_PUBLIC_KEY`.

    Without the first, the gateway is on this host; without `WATCHKEEPER_CACHE`, bundles are kept below the user's cache
    folder, and nowhere when it is empty.

    Raises:
        NoKey: there is none.
    """
    key = environment.get("WATCHKEEPER_API_KEY", "")
    if not key:
        raise NoKey(
            "WATCHKEEPER_API_KEY is not set, so the gateway cannot be asked for prompts. Set it to a key from "
            "`watchkeeper keys create --feature FEATURE`, or make a `watchkeeper.Prompts(base_url, api_key)`."
        )
    return Prompts(
        environment.get("WATCHKEEPER_URL", "") or URL_DEFAULT,
        key,
        cache_dir=_cache_dir(environment),
        public_key=environment.get("WATCHKEEPER_PUBLIC_KEY", ""),
    )


@cache
def client() -> Prompts:
    """Return the client by this process's environment; always the same one. Raises NoKey."""
    return from_environment()


def prompt(feature: str, environment: str = "", *, fallback: Path | str | None = None) -> Prompt:
    """Return a feature's prompt; see `Prompts.prompt`."""
    return client().prompt(feature, environment, fallback=fallback)


async def aprompt(feature: str, environment: str = "", *, fallback: Path | str | None = None) -> Prompt:
    """Return a feature's prompt without blocking the loop; see `Prompts.prompt`."""
    return await client().aprompt(feature, environment, fallback=fallback)


def feedback(call_id: str = "", **said: Any) -> dict[str, Any]:
    """Say what an answer was worth; see `Prompts.feedback`."""
    return client().feedback(call_id, **said)


def _cache_dir(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("WATCHKEEPER_CACHE")
    if named is not None:
        return Path(named) if named else None
    home = environment.get("XDG_CACHE_HOME") or (f"{environment['HOME']}/.cache" if environment.get("HOME") else "")
    return Path(home) / "watchkeeper" if home else None
