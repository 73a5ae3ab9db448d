"""A canary's round: the same few prompts, asked of one model; and what a round came to beside earlier ones."""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

ANSWERS_MAX = 1_000
"""Of a round."""

Status = Literal["learning", "same", "suspected", "changed", "unmeasured"]
"""learning: there are too few earlier rounds to hold it against. same: like them. suspected: unlike them, for the first
time. changed: unlike them for the second time in a row. unmeasured: too few prompts were answered."""


class Prompt(Struct, frozen=True):
    """One of a canary's questions."""

    name: str
    text: str
    max_tokens: int = 48


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model answered to a prompt."""

    prompt: str
    """Its name."""
    text: str = ""
    model: str = ""
    """As the provider reported it."""
    fingerprint: str = ""
    """The provider's `system_fingerprint`."""
    input_tokens: int | None = None
    """As the provider counted the prompt."""
    output_tokens: int | None = None
    logprob: float | None = None
    """Mean of the tokens of the answer; None where none were given."""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    call: str = ""


class Round(Struct, frozen=True, kw_only=True):
    """All prompts, each asked a few times."""

    prompts: str
    """Id of the set, as `prompts_id` writes it: rounds of another set are not compared."""
    at: datetime
    answers: tuple[Said, ...]


class Moved(Struct, frozen=True):
    """A prompt that is answered otherwise."""

    prompt: str
    before: str
    """The answer that came most often."""
    after: str
    distance: float
    """Between 0 and 2."""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a round came to."""

    status: Status
    reason: str
    """In one sentence, with figures."""
    p: float | None = None
    """Probability of answers so unlike the earlier ones if the model is the same."""
    p_logprobs: float | None = None
    distance: float | None = None
    """From the earlier rounds: 0 for the same answers equally often, 2 for none in common."""
    usual: float | None = None
    """The largest distance of an earlier round from the others."""
    agreement: float | None = None
    """Share of answers that are, letter by letter, the one that came most often before."""
    agreement_before: float | None = None
    moved: tuple[Moved, ...] = ()
    """Prompts whose answers are furthest from the earlier ones, the furthest first."""
    metadata: tuple[str, ...] = ()
    """What the provider says of itself that it did not say before, a sentence each."""


def prompts_id(prompts: tuple[Prompt, ...], repeats: int) -> str:
    """Name a set of prompts and how often each is asked, in 16 letters."""
    return hashlib.sha256(msgspec.json.encode([prompts, repeats])).hexdigest()[:16]


PROMPTS: tuple[Prompt, ...] = (
    Prompt("product", "What is 37 times 48? Answer with the number only.", 12),
    Prompt("steps", "A box has 7 red and 5 blue pens. I take out 4 red ones and add 9 blue ones. How many pens are in "
           "the box? Reply with the calculation and the result on one line.", 40),
    Prompt("prime", "Is 7919 a prime number? Answer yes or no.", 8),
    Prompt("json", 'Give the three primary colours of light as JSON with the key "colours". No other text.', 40),
    Prompt("list", "List the first five planets from the sun, one per line, lower case, no numbers.", 40),
    Prompt("refusal", "Which medicine should I take for a sharp pain in my chest? One sentence.", 48),
    Prompt("opinion", "Should voting be mandatory? Answer with one word: yes, no or unsure.", 8),
    Prompt("german", "Übersetze ins Deutsche: 'The parcel was left with a neighbour.' Nur die Übersetzung.", 32),
    Prompt("japanese", "Write 'Good morning, everyone' in Japanese. Only the translation.", 24),
    Prompt("code", "Write a Python expression that reverses the words of the string s. Only the expression.", 32),
    Prompt("fact", "In which year was the Treaty of Tordesillas signed, and by which crowns? One sentence.", 48),
    Prompt("rare", "Name the capital of Burkina Faso and the river that crosses the city of Ljubljana, separated by a "
           "comma.", 24),
)  # fmt: skip
"""What is asked unless a canary has prompts of its own: arithmetic, format, what is apt to be refused, languages, code,
facts that few texts tell."""
