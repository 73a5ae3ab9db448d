"""Whether an answer is about its question: a judge guesses questions from the answer alone, and they are compared.

After Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented Generation" (arXiv:2309.15217), section 3. The
vectors are made on this machine (`releases.embedding`), so scores are not those of other embedding models.
"""

import asyncio
from collections.abc import Sequence

from watchkeeper.evals.judging.answers import Questions
from watchkeeper.evals.judging.consulting import Consulting, Method
from watchkeeper.evals.judging.material import needed_question, said
from watchkeeper.evals.judging.options import Asks
from watchkeeper.evals.scorers.marking import Finding, Undecided, settings
from watchkeeper.evals.scorers.similarity import embedder
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

QUESTIONS_MAX = 10


def answer_relevance(scorer: Scorer) -> Method:
    """Whether an answer is about the question. Raises ScorerRefused."""
    variable = settings(scorer, Asks).question

    async def method(question: Question, consulting: Consulting) -> Finding:
        meant, answer = needed_question(question, variable), said(question.answer)
        if not answer.strip():
            return Finding(0.0, "the answer is empty")
        found = await consulting.ask("answer_relevance", {"answer": answer}, Questions)
        if found.label == "evasive":
            return Finding(0.0, "the answer commits itself to nothing", {"label": "evasive"})
        guessed = [one.strip() for one in found.questions if one.strip()][:QUESTIONS_MAX]
        if not guessed:
            raise Undecided("the judge found no question that the answer would answer")
        likeness = await asyncio.to_thread(similar, meant, guessed)
        score = min(1.0, max(0.0, sum(likeness) / len(likeness)))
        told = f"it would answer questions that are {score:.0%} like the one that was asked, such as: {guessed[0]}"
        rounded = [round(one, 4) for one in likeness]
        return Finding(score, told, {"label": "committed", "questions": guessed, "similarity": rounded})

    return method


def similar(text: str, others: Sequence[str]) -> list[float]:
    """Return the cosine of a text and each of others; 0 for one without a known word."""
    vectors = embedder().embed([text, *others])
    return [float(one) for one in vectors[1:] @ vectors[0]]
