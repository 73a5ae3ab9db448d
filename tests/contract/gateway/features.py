"""Which request can be carried from which API to which: the tests are made from it, and so is docs/dialects.md.

`python -m tests.contract.gateway.features docs/dialects.md` writes the page.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contract.gateway.carried.feature import COLUMNS, Case, Column, Feature, cases_of
from tests.contract.gateway.carried.media import MEDIA
from tests.contract.gateway.carried.thoughts import OTHERS, THOUGHTS
from tests.contract.gateway.carried.tools import TOOLS
from tests.contract.gateway.carried.words import FORMS, TEXTS

from watchkeeper.core.call import Surface

FEATURES: tuple[Feature, ...] = (*TEXTS, *FORMS, *TOOLS, *MEDIA, *THOUGHTS, *OTHERS)
CASES: list[Case] = [case for feature in FEATURES for case in cases_of(feature)]

_TITLES: dict[Surface, str] = {
    "chat": "Chat Completions",
    "completions": "Completions",
    "responses": "Responses",
    "messages": "Messages",
    "embeddings": "Embeddings",
    "count_tokens": "Counting tokens",
}
_HEADS: dict[Column, str] = {
    "openai": "`openai`",
    "chat alone": "`openai` with `speaks: [chat]`",
    "anthropic": "`anthropic`",
}
_INDEX = re.compile(r"\[\d+\]")
_INTRODUCTION = """\
# What is carried from which API to which

A client speaks one API; the target that its route names may speak another. This page lists what becomes of a request
for each kind of target: a provider with `dialect: openai`, one of them that has nothing but Chat Completions
(`speaks: [chat]`), and one with `dialect: anthropic`.

- *as it is*: the target speaks the client's API, and the bytes pass through.
- *translated*: the target gets the same in its own words, and the client the answer in its. Plain or as a stream.
- *refused*: 400 `not_supported`, with the field as the client wrote it in `error.param` and in the message. Nothing is
  sent. Where a route has several targets, one that can take the request is asked instead.

Every line is a test with the official clients, plain and streamed, that reads what the target was sent and what the
client got. This page is written from the same list.
"""
_NOTES = """\
## Carried with another meaning

- No limit of tokens becomes `max_tokens: 4096` for an `anthropic` target, which must be given one.
- A budget for reasoning (`thinking.budget_tokens`) becomes an effort for an `openai` target: `low` up to 4000 tokens,
  `medium` up to 16000, `high` above. An effort becomes adaptive thinking with that `output_config.effort` for an
  `anthropic` target.
- A limit of tokens is `max_tokens` for an `openai` target, and `max_completion_tokens` where reasoning is asked for:
  models that reason take no other.
- The result of a tool that failed (`is_error`) begins with `Error: ` for an `openai` target.
- A document in plain text becomes words below its title for an `openai` target.
- A schema of Messages (`output_config.format`) becomes `response_format` with `strict: true` and the name `answer`.
- Chat Completions has one field each for an answer's text, reasoning and tools: their order is not kept there.
- A stop sequence that was met is named by `anthropic` targets alone: of others, a Messages client is told `end_turn`.
- A refusal of the model is `refusal` in OpenAI's APIs, and text with `stop_reason: refusal` in Messages.
- An answer that its provider would continue when asked (`pause_turn`) has the `finish_reason` `length`.
- The seal of reasoning is `encrypted_content` in Responses, and goes back to the provider with the next request.
- The prompt of a completion becomes a turn of the user.

Usage is told in each API's own way: in Messages cached tokens stand beside `input_tokens`, in OpenAI's APIs they are
part of the input.

## Left out

Hints that change no answer are left out where the target has no place for them: marks of a prefix to be cached
(`cache_control`, `prompt_cache_breakpoint`), a picture's `detail`, the name of a schema, `reasoning.summary: auto`.
So are fields that only repeat a default (`n: 1`, `store: false`, `truncation: disabled`), what a client's library
has parsed of an answer that is given back (`parsed`, `parsed_arguments`), and, in a legacy completion, the reasoning of
the answer. The seal of reasoning is left out of Chat Completions, which has no field for it: reasoning
given back without one is refused by an `anthropic` target.

## Elsewhere

`x-wk-` headers, cost and retries are the same for all of them: see [the gateway](gateway.md). What else a provider
has (files, batches, stored responses) is reached below `/PROVIDER/`, as it is.
"""


def markdown() -> str:
    """Return docs/dialects.md."""
    return "\n".join([_INTRODUCTION, *("\n".join(_table(surface)) for surface in COLUMNS), _NOTES])


def _table(surface: Surface) -> Iterator[str]:
    columns = COLUMNS[surface]
    yield f"## {_TITLES[surface]}\n"
    yield f"| | {' | '.join(_HEADS[column] for column in columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for feature in FEATURES:
        cases = [Case(feature, surface, column) for column in columns]
        if cases[0].kind != "absent":
            yield f"| {feature.name} | {' | '.join(_cell(case) for case in cases)} |"
    yield ""


def _cell(case: Case) -> str:
    return f"refused: `{_INDEX.sub('[]', case.refused_field)}`" if case.kind == "refused" else case.kind


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), "utf-8")
