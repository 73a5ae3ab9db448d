"""Where the gateway is, for whoever runs a suite from Python, as the environment tells it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.core.errors import OperatorError

URL_DEFAULT = "http://127.0.0.1:4000"


class NoKey(OperatorError):
    """The environment names no key, and the gateway was not asked."""

    code = "no_key"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The gateway, and a key for it."""

    url: str
    """With `/v1`."""
    key: str


def from_environment(environment: Mapping[str, str] = os.environ) -> Surroundings:
    """Read `WATCHKEEPER_URL`, without which the gateway is on this host, and `WATCHKEEPER_API_KEY`.

    Raises:
        NoKey: there is none.
    """
    key = environment.get("WATCHKEEPER_API_KEY", "")
    if not key:
        raise NoKey(
            "WATCHKEEPER_API_KEY is not set, so the gateway was not asked. Set it to a key from "
            "`watchkeeper keys create --feature FEATURE`."
        )
    url = (environment.get("WATCHKEEPER_URL", "") or URL_DEFAULT).rstrip("/")
    return Surroundings(url=url if url.endswith("/v1") else f"{url}/v1", key=key)
