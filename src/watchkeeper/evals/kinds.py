"""All types of scorers: those that look for themselves, and those that ask a judge."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from watchkeeper.config.problems import meant
from watchkeeper.evals.judging import table as judging
from watchkeeper.evals.scorers import table as scorers
from watchkeeper.evals.scoring import Judge, ScorerRefused, Scores, ScoresLater, Verdict
from watchkeeper.evals.suite import Scorer, Suite

WHOLE = frozenset({"passed", "score"})
"""Metrics of a case as a whole."""


def types() -> Mapping[str, str]:
    """Return what each type is for, in a few words."""
    return {**scorers.TYPES, **judging.TYPES}


def is_judged(scorer: Scorer) -> bool:
    """Tell whether a scorer asks a judge."""
    return scorer.type in judging.KNOWN


def build(scorer: Scorer, judge: Judge, *, standard: str = "") -> Scores | ScoresLater:
    """Make a scorer ready.

    Args:
        scorer: As it is written.
        judge: Asks judges.
        standard: The judge of scorers that name none.

    Raises:
        ScorerRefused: it cannot be used; the error says why, and what would do.
    """
    if is_judged(scorer):
        return judging.build(replace(scorer, judge=scorer.judge or standard), judge)
    if scorer.type in scorers.KNOWN:
        return scorers.build(scorer)
    raise ScorerRefused(f"there is no scorer of the type `{scorer.type[:60]}`{meant(scorer.type, sorted(types()))}")


def require_usable(suite: Suite) -> None:
    """See that every scorer of a suite can be used, and that its gate names some of them, before anything is asked.

    Raises:
        ScorerRefused: it is not so; each is named with what is wrong.
    """
    found = []
    for scorer in _all(suite):
        try:
            build(scorer, _Nobody(), standard=suite.judge)
        except ScorerRefused as refused:
            found.append(str(refused))
    titles = {scorer.title for scorer in _all(suite)} | WHOLE
    found += [
        f"gate: `{name}` is no scorer of the suite{meant(name, sorted(titles))}"
        for name in (*suite.gate.primary, *suite.gate.critical)
        if name not in titles
    ]
    if found:
        raise ScorerRefused("\n".join(dict.fromkeys(found)))


class _Nobody:
    """A judge who is never asked."""

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        raise NotImplementedError


def judged(suite: Suite) -> frozenset[str]:
    """Return the titles of the scorers of a suite that ask a judge."""
    return frozenset(scorer.title for scorer in _all(suite) if is_judged(scorer))


def _all(suite: Suite) -> Iterable[Scorer]:
    yield from suite.scorers
    for case in suite.cases:
        yield from case.scorers
