"""Values that stand elsewhere: `${NAME}` in the environment, `{file: PATH}` in a file of its own.

`${NAME}` must be set and not empty; `${NAME:-text}` is `text` where it is not; `$$` is a dollar sign.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchkeeper.config.problems import Place

SECRET_BYTES_MAX = 64 * 1024

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\$\{)")


@dataclass(slots=True)
class Expanded:
    """Data with every reference replaced."""

    data: Any = None
    origins: dict[Place, str] = field(default_factory=dict[Place, str])
    """Where a replaced value came from: `environment OPENAI_API_KEY`, `file /run/secrets/openai`."""
    files: list[Path] = field(default_factory=list[Path])
    """Files that values were read from; the configuration changes when one of them does."""
    faults: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])


def expand(data: Any, environment: Mapping[str, str], folder: Path, secret_keys: frozenset[str]) -> Expanded:
    """Replace every reference. Only values under `secret_keys` may be files; a relative path starts at `folder`."""
    expansion = _Expansion(environment, folder, secret_keys)
    expansion.result.data = expansion.value(data, ())
    return expansion.result


class _Expansion:
    def __init__(self, environment: Mapping[str, str], folder: Path, secret_keys: frozenset[str]) -> None:
        self._environment = environment
        self._folder = folder
        self._secret_keys = secret_keys
        self.result = Expanded()

    def value(self, found: Any, place: Place) -> Any:
        match found:
            case str():
                return self._text(found, place)
            case {"file": str(path)} if len(found) == 1 and place and place[-1] in self._secret_keys:
                return self._file(self._text(path, place), place)
            case dict():
                return {key: self.value(item, (*place, key)) for key, item in found.items()}
            case list():
                return [self.value(item, (*place, index)) for index, item in enumerate(found)]
            case _:
                return found

    def _text(self, text: str, place: Place) -> str:
        def replaced(found: re.Match[str]) -> str:
            name, default = found["name"], found["default"]
            if found["broken"]:
                self._fault(place, "`${` begins no reference; write `${NAME}`, or `$$` for a dollar sign")
                return ""
            if name is None:
                return "$"
            given = self._environment.get(name, "")
            if given:
                self.result.origins[place] = f"environment {name}"
            elif default is None:
                self._fault(
                    place, f"the environment variable {name} is not set; set it, or allow it with `${{{name}:-}}`"
                )
            return given or default or ""

        return _REFERENCE.sub(replaced, text)

    def _file(self, name: str, place: Place) -> str:
        path = self._folder / Path(name).expanduser()
        try:
            with path.open("rb") as handle:
                content = handle.read(SECRET_BYTES_MAX + 1)
            if len(content) > SECRET_BYTES_MAX:
                self._fault(place, f"the file {path} is larger than {SECRET_BYTES_MAX // 1024} KiB")
                return ""
            text = content.decode("utf-8").strip()
        except OSError as error:
            self._fault(place, f"the file {path} cannot be read: {error.strerror}")
            return ""
        except UnicodeDecodeError:
            self._fault(place, f"the file {path} is not UTF-8 text")
            return ""
        if not text:
            self._fault(place, f"the file {path} is empty")
        self.result.origins[place] = f"file {path}"
        self.result.files.append(path)
        return text

    def _fault(self, place: Place, message: str) -> None:
        self.result.faults.append((place, message))
