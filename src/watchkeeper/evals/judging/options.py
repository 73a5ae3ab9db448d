"""What judged scorers may say beside their value."""

from msgspec import Struct

from watchkeeper.evals.judging.material import as_text
from watchkeeper.evals.scorers.marking import refused
from watchkeeper.evals.suite import Scorer


class Asks(Struct, forbid_unknown_fields=True, kw_only=True):
    """Options of every judged type."""

    question: str = ""
    """The variable of a case that holds the question; without it, the last message of the user is the question."""


def check_criterion(scorer: Scorer) -> None:
    """See that a scorer says what it asks for. Raises ScorerRefused."""
    if not as_text(scorer.value).strip():
        raise refused(scorer, "needs a `value`: what an answer is to be like, in words.")
