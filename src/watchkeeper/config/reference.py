"""Writes the published description of the configuration: `python -m watchkeeper.config.reference docs`.

A test compares what is committed under docs/ with what this writes.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchkeeper.config.budgets import Budget, Degrade, Limit, Runaway
from watchkeeper.config.load import default_text
from watchkeeper.config.notifications import Destination, Notifications
from watchkeeper.config.prices import Contract, Override, Prices, UnitPrices
from watchkeeper.config.routes import (
    Breaker,
    ExactCache,
    Handling,
    Require,
    Retries,
    Route,
    Rule,
    Stream,
    Timeouts,
    When,
)
from watchkeeper.config.schema import Config, Feature, Metrics, Provider, Stores, json_schema
from watchkeeper.config.sign_in import ClaimRole, Oidc

_INTRODUCTION = """\
# Configuration

<!-- Written by `python -m watchkeeper.config.reference docs` from the descriptions in config/. -->

One YAML file. `watchkeeper up --config FILE` reads it; without `--config` it is `watchkeeper.yaml` in the data folder,
written at the first start. An edit is served within a second, without a restart. A broken edit is refused as a whole
and the last good configuration serves on; the log and the console say what is wrong with it.

`watchkeeper check FILE` names every mistake of a file at once, with its line:

```
watchkeeper.yaml:14: routes.support.target: unknown key; did you mean `targets`?
watchkeeper.yaml:15: routes.other.targets[0]: there is no provider `opena`; did you mean `openai`?
```

For completion and checks in an editor, put a line `# yaml-language-server: $schema=PATH` on top of the file, with the
path of [watchkeeper.schema.json](watchkeeper.schema.json).

## Values from elsewhere

| written | is |
|---|---|
| `${NAME}` | the environment variable, which must be set and not empty |
| `${NAME:-text}` | the same, or `text` where it is not set; `${NAME:-}` for nothing |
| `$$` | a dollar sign |
| `{file: PATH}` | for a secret: a file's content without blanks around it; a relative path starts beside this file |

## Keys
"""

_SECTIONS = (
    ("providers.NAME", Provider),
    ("features.NAME", Feature),
    ("routes.NAME", Route),
    ("routes.NAME.rules[]", Rule),
    ("routes.NAME.rules[].when", When),
    ("routes.NAME.require", Require),
    ("routes.NAME.timeouts", Timeouts),
    ("routes.NAME.retries", Retries),
    ("routes.NAME.on.CLASS", Handling),
    ("routes.NAME.breaker", Breaker),
    ("routes.NAME.stream", Stream),
    ("routes.NAME.cache.exact", ExactCache),
    ("budgets[]", Budget),
    ("budgets[].degrade", Degrade),
    ("limits[]", Limit),
    ("runaway", Runaway),
    ("metrics", Metrics),
    ("prices", Prices),
    ("prices.overrides[]", Override),
    ("prices.overrides[].above.TOKENS", UnitPrices),
    ("prices.contracts[]", Contract),
    ("notifications", Notifications),
    ("notifications.destinations[]", Destination),
    ("sign_in.oidc", Oidc),
    ("sign_in.oidc.roles[]", ClaimRole),
    ("stores", Stores),
)

_NAMES = """
A name of a provider or feature has letters, digits, `.`, `_` and `-`, at most 64. A route has the name that clients
send as `model`; `provider/model` needs no route. A key that is not listed here is refused.
"""


def markdown() -> str:
    """Return docs/configuration.md."""
    schema = json_schema()
    lines = [_INTRODUCTION, *_table(schema), _NAMES]
    for title, model in _SECTIONS:
        section = schema["$defs"][model.__name__]
        lines += [f"### `{title}`\n", f"{section['description']}\n", *_table(section), ""]
    lines += ["## The configuration of a first start\n", f"```yaml\n{default_text()}```\n"]
    return "\n".join(lines)


def _table(section: dict[str, Any]) -> Iterator[str]:
    yield "| key | holds | default | |"
    yield "|---|---|---|---|"
    required = section.get("required", ())
    for key, field in section["properties"].items():
        if "$ref" in field or field.get("type") == "object":
            default = ""
        else:
            default = "required" if key in required else _default(field.get("default"))
        examples = "; ".join(_example(example) for example in field.get("examples", ()))
        about = field.get("description", "See below.") + (f" Example: {examples}" if examples else "")
        yield f"| `{key}` | {_kind(field)} | {default} | {about} |"


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        kinds = [_kind(part) for part in field["anyOf"] if part.get("type") != "null"]
        return "a name from the price book" if any("`openrouter`" in kind for kind in kinds) else kinds[0]
    if field.get("pattern", "").endswith("(ms|s|m|h|d)$"):
        return "time"
    words = {
        "array": "list",
        "boolean": "`true` or `false`",
        "object": "mapping",
        "string": "text",
        "integer": "number",
        "number": "number",
    }
    return words.get(field.get("type", ""), "mapping")


def _default(value: Any) -> str:
    if isinstance(value, list):
        return f"`{json.dumps(value)}`" if value else "none"
    return "none" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _example(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def main(folder: Path) -> None:
    """Write both files."""
    (folder / "configuration.md").write_text(markdown(), "utf-8")
    (folder / "watchkeeper.schema.json").write_text(schema_text(), "utf-8")


def schema_text() -> str:
    """Return docs/watchkeeper.schema.json."""
    return json.dumps({**json_schema(), "title": Config.__doc__}, indent=2) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
