"""G-Eval: steps are derived from a criterion once, then an answer gets a grade by them.

After Liu et al., "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment" (arXiv:2303.16634): the grade is the
mean of the grades weighted by their probabilities, where the provider tells them. Grades are 1 to 5 and a score is
(grade - 1) / 4; the steps stand in the judge's prompt and not in its answer.
"""

from collections.abc import Mapping

from watchkeeper.evals.judging.answers import Graded, Steps
from watchkeeper.evals.judging.consulting import Consulting, Method
from watchkeeper.evals.judging.material import as_text, asked, said
from watchkeeper.evals.judging.options import Asks, check_criterion
from watchkeeper.evals.scorers.marking import Finding, Undecided, refused, settings
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

GRADES = (1, 2, 3, 4, 5)
STEPS_MAX = 20
CRITERIA_MAX = 20
TOLD_MIN = 0.5
"""Where the grades together have less probability than this, what the provider tells is not used."""


class Grading(Asks):
    """Options of `g_eval`."""

    steps: tuple[str, ...] = ()
    """By which an answer is checked; derived from the criterion where there are none."""
    weighted: bool = False
    """Whether the provider is asked for the probabilities of other grades; not every one tells them."""


def g_eval(scorer: Scorer) -> Method:
    """Grade an answer for a criterion, or for each of several. Raises ScorerRefused."""
    options = settings(scorer, Grading)
    check_criterion(scorer)
    if isinstance(scorer.value, list) and not 0 < len(scorer.value) <= CRITERIA_MAX:
        raise refused(scorer, f"has {len(scorer.value)} criteria; it takes 1 to {CRITERIA_MAX}.")
    if len(options.steps) > STEPS_MAX:
        raise refused(scorer, f"has {len(options.steps)} steps; it takes {STEPS_MAX} at most.")
    kind = "g_eval_weighted" if options.weighted else "g_eval"

    async def method(question: Question, consulting: Consulting) -> Finding:
        value = question.value
        criteria = [as_text(one) for one in value] if isinstance(value, list) else [as_text(value)]
        grades: list[float] = []
        reasons: list[str] = []
        are_weighted = []
        for criterion in criteria:
            steps = list(options.steps) or await _steps(criterion, consulting)
            variables = {
                "criterion": criterion,
                "steps": steps,
                "question": asked(question, options.question),
                "answer": said(question.answer),
                "reference": as_text(question.case.reference),
            }
            found, odds = await consulting.ask_for_odds(kind, variables, Graded)
            if found.score not in GRADES:
                raise Undecided(f"the judge's grade {found.score} is none of 1 to 5")
            mean = mean_grade(odds.get("score", {}))
            grades.append(found.score if mean is None else mean)
            are_weighted.append(mean is not None)
            reasons.append(f"{grades[-1]:.3g} of 5: {found.analysis}")
        score = sum((grade - 1) / 4 for grade in grades) / len(grades)
        return Finding(score, " ".join(reasons), {"grades": grades, "is_weighted": all(are_weighted)})

    return method


def mean_grade(odds: Mapping[str, float]) -> float | None:
    """Return the mean of the grades by their probabilities; None where the grades have too little of it.

    Args:
        odds: Probability of each text that could have stood there; what is no grade is left out.
    """
    known = {grade: odds[str(grade)] for grade in GRADES if odds.get(str(grade), 0.0) > 0}
    total = sum(known.values())
    return sum(grade * odd for grade, odd in known.items()) / total if total >= TOLD_MIN else None


async def _steps(criterion: str, consulting: Consulting) -> list[str]:
    """Have the steps derived; the judge remembers them, so that every answer of a run is graded by the same ones."""
    found = await consulting.ask("g_eval_steps", {"criterion": criterion}, Steps)
    steps = [step.strip() for step in found.steps if step.strip()][:STEPS_MAX]
    if not steps:
        raise Undecided("the judge derived no steps from the criterion; give them in `options.steps`")
    return steps
