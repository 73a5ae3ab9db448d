"""Leaves out of output files what PROMPTFOO_STRIP_... says should not be in them."""

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.promptfoo.plan import is_on
from watchkeeper.evals.promptfoo.records import Record

PROMPT = "[prompt stripped]"
OUTPUT = "[output stripped]"
REDACTED = "[REDACTED]"

_SECRET = re.compile(r"(?i)api_?key|secret|password|authorization|(?<!max_)(?<!max)token$")


def stripped(record: Record, env: Mapping[str, str]) -> Record:
    """Return a result without what is to be left out."""
    kept = dict(record)
    if is_on(env, "PROMPTFOO_STRIP_RESPONSE_OUTPUT") and kept.get("response"):
        # promptfoo leaves `raw` in, which often is the output once more.
        without = {key: value for key, value in kept["response"].items() if key != "raw"}
        kept["response"] = {**without, "output": OUTPUT}
    if is_on(env, "PROMPTFOO_STRIP_PROMPT_TEXT"):
        kept["prompt"] = {**kept["prompt"], "raw": PROMPT}
    if is_on(env, "PROMPTFOO_STRIP_TEST_VARS"):
        kept["testCase"] = {key: value for key, value in kept["testCase"].items() if key != "vars"}
        kept["vars"] = {}
    if is_on(env, "PROMPTFOO_STRIP_GRADING_RESULT"):
        kept["gradingResult"] = None
    if is_on(env, "PROMPTFOO_STRIP_METADATA"):
        kept["metadata"] = {}
    return kept


def without_secrets(value: Any) -> Any:
    """Return a configuration without the keys and passwords that are written out in it; templates stay."""
    match value:
        case dict():
            return {
                key: REDACTED
                if isinstance(item, str) and _SECRET.search(str(key)) and "{{" not in item
                else without_secrets(item)
                for key, item in value.items()
            }
        case list():
            return [without_secrets(item) for item in value]
        case _:
            return value


def stripped_prompts(prompts: list[dict[str, Any]], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the columns without their text, where that is to be left out."""
    return [{**prompt, "raw": PROMPT} for prompt in prompts] if is_on(env, "PROMPTFOO_STRIP_PROMPT_TEXT") else prompts
