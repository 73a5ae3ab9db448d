"""What is known of a call that is compared with others."""

from dataclasses import dataclass
from typing import NamedTuple


class Seen(NamedTuple):
    """What is known of one call without its text."""

    at: float
    """Unix time, s."""
    input_letters: int | None
    """None for a call that was taken in before this was counted, as are the output's; their languages and form are
    empty then."""
    output_letters: int | None
    duration_ms: float
    is_answered: bool
    """By a provider, in full."""
    input_language: str
    output_language: str
    form: str
    finish: str
    tools: str
    """Names, with blanks between them."""
    output_status: str
    """What its release's schema said of the answer; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of what was asked or answered in a call."""

    call: str
    text: str
