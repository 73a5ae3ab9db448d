"""What people say of an answer: scales, what their words come to together, and which answers are worth asking about."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from msgspec import Struct

ScaleName = Literal["pass_fail", "five"]
Said = Literal["label", "cannot_say", "skip", "undo"]
"""What somebody did with an item. skip: somebody else may look at it; cannot_say: nobody could, they think."""
State = Literal["open", "disputed", "settled"]
"""disputed: those who were asked do not agree, and somebody else is asked."""

WORDS_MAX = 5
"""Where so many people find no majority, nobody can say."""
GOOD = 0.5
"""From this value on, an answer is good where only good and bad are told apart."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One label of a scale."""

    key: str
    """Which gives it."""
    title: str
    value: float
    """Between 0 and 1."""


SCALES: dict[ScaleName, tuple[Choice, ...]] = {
    "pass_fail": (Choice("p", "Pass", 1.0), Choice("f", "Fail", 0.0)),
    "five": tuple(
        Choice(str(place + 1), title, place / 4)
        for place, title in enumerate(("Useless", "Poor", "Fair", "Good", "Right"))
    ),
}


class Shown(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a person sees of an answer: neither whose it is nor what a judge says of it."""

    question: str = ""
    answer: str = ""
    reference: str = ""
    contexts: tuple[str, ...] = ()


class Answered(Struct, frozen=True, kw_only=True):
    """An answer that can be labelled, and what is known of it already."""

    arm: str = ""
    case: str = ""
    repeat: int = 0
    call: str = ""
    """Id of the call that gave it; where nothing else is named, what it is about."""
    shown: Shown | None = None
    """None where it is read when somebody looks at it, as of a call."""
    mark: float | None = None
    """Score that the judge gave, between 0 and 1; None where there is none."""
    has_passed: bool | None = None
    """What the judge made of it; None where nothing was measured."""
    judge: str = ""
    """Release of the judge."""
    threshold: float | None = None
    """Score from which the judge lets an answer pass."""
    others: tuple[float, ...] = ()
    """Scores that other judges gave."""
    is_torn: bool | None = None
    """Whether the judge, asked in both orders, named another winner each time; None where it was not asked so."""
    has_flipped: bool = False
    """Whether one of the case's arms passed and the other one did not."""

    @property
    def id(self) -> str:
        """Tell it from the other answers of its run."""
        return "\0".join((self.arm, self.case, str(self.repeat), self.call))

    @property
    def stratum(self) -> str:
        """Name the part of the run that it belongs to: arm and verdict, of both of which labels are needed."""
        verdict = "unmeasured" if self.has_passed is None else "passed" if self.has_passed else "failed"
        return f"{self.arm} {verdict}".strip()


def interest(answered: Answered) -> float:
    """Return how much an answer is worth a look, 1 for one about which nothing is in doubt.

    What is in doubt: the judge is near its threshold, judges do not agree, the arms differ, nothing was measured.
    """
    found = 1.0
    if answered.has_passed is None:
        found += 2.0
    if answered.mark is not None:
        threshold = GOOD if answered.threshold is None else answered.threshold
        found += 2.0 * max(0.0, 1.0 - abs(answered.mark - threshold) / 0.25)
        found += 3.0 * max((abs(answered.mark - other) for other in answered.others), default=0.0)
    return found + (2.0 if answered.has_flipped else 0.0) + (3.0 if answered.is_torn else 0.0)


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody did, as it is kept: nothing is ever changed, `undo` takes back what the same person did last."""

    by: str
    said: Said
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What words come to."""

    state: State
    value: float | None = None
    """Of a settled one; None where nobody can say."""
    spoken: frozenset[str] = frozenset()
    """Who has been asked: they are not asked again."""
    words: int = 0
    """How many count."""


def standing(words: Iterable[Word], wanted: int) -> Standing:
    """Put together what people said of one answer, the earliest word first.

    Where those who were asked first do not agree, one more person is asked, who does not know. A majority settles it;
    of three and more numbers that all differ, their median does; among `WORDS_MAX` without either, nobody can say.
    """
    held: dict[str, list[Word]] = {}
    for word in words:
        own = held.setdefault(word.by, [])
        if word.said == "undo":
            del own[-1:]
        else:
            own.append(word)
    latest = {by: own[-1] for by, own in held.items() if own}
    spoken = frozenset(latest)
    values = [word.value for word in latest.values() if word.said != "skip"]
    if len(values) < wanted:
        return Standing("open", None, spoken, len(values))
    value, times = Counter(values).most_common(1)[0]
    if times * 2 > len(values):
        return Standing("settled", value, spoken, len(values))
    numbers = [value for value in values if value is not None]
    if len(numbers) == len(values) and len(numbers) % 2:
        return Standing("settled", median(numbers), spoken, len(values))
    if len(values) >= WORDS_MAX:
        return Standing("settled", None, spoken, len(values))
    return Standing("disputed", None, spoken, len(values))
