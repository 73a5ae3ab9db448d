"""The playground: one question under several releases or models, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.release_diff import PlaceDiff, text_diff

TRIED_MAX = 2
"""Releases or models beside the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One answer."""

    named: str
    """A release's id, or a model."""
    call_id: str
    """Empty where no call was made."""
    answer: str
    error: str
    """Why there is no answer; empty where there is one."""
    cost_nusd: int | None
    cost_status: str
    duration_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    output_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as a column of the page."""

    named: str
    href: str
    """The release's page."""
    call_href: str
    facts: tuple[tuple[str, str], ...]
    answer: str
    error: str
    diff: PlaceDiff | None
    """Against the first; None for the first itself, and where either has no answer."""


@dataclass(frozen=True, slots=True)
class TypedValue:
    """One variable as typed."""

    name: str
    value: str
    hint: str
    is_long: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A release or a model that may be tried."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundPage:
    """The page."""

    call: str
    call_href: str
    feature: str
    question: str
    """How the call's question begins."""
    release: str
    """From which typed variables are taken; empty where a call is repeated."""
    values: tuple[TypedValue, ...]
    choices: tuple[tuple[Choice, ...], ...]
    """For each place beside the first, what may be tried there."""
    models: tuple[str, ...]
    typed_models: tuple[str, ...]
    answers: tuple[Answer, ...]
    problems: tuple[str, ...]
    estimate: str
    """What trying will cost, as far as it is known."""
    can_run: bool


def answers_of(tried: Sequence[Tried]) -> tuple[Answer, ...]:
    """Build the columns; each but the first is compared with the first."""
    first = tried[0] if tried else None
    return tuple(_answer(one, first if one is not first else None) for one in tried)


def _answer(one: Tried, first: Tried | None) -> Answer:
    tokens = f"{figures.count(one.input_tokens)} in, {figures.count(one.output_tokens)} out"
    status = "" if one.cost_status in ("measured", "unpriced") else f" {one.cost_status}"
    facts = [
        ("Cost", f"{figures.money(one.cost_nusd)}{status}"),
        ("Took", figures.duration(one.duration_ms)),
        ("Tokens", tokens if one.input_tokens is not None or one.output_tokens is not None else "not known"),
        ("Output", one.output_status),
    ]
    has_both = first is not None and not first.error and not one.error
    return Answer(
        named=short(one.named),
        href=release_href(one.named),
        call_href=f"/calls/{one.call_id}" if one.call_id else "",
        facts=tuple((name, value) for name, value in facts if value),
        answer=one.answer,
        error=one.error,
        diff=text_diff(first.answer, one.answer) if has_both and first is not None else None,
    )
