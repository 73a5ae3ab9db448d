"""What grading is tested with: a grader that answers from a script, and a short way to grade."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.assertions.subject import Said
from watchkeeper.evals.promptfoo.marking import Marking
from watchkeeper.evals.promptfoo.model import (
    Compat,
    Grading,
    GradingContext,
    Provider,
    ProviderOutput,
    TestCase,
    Tokens,
)

USED = Tokens(total=3, prompt=2, completion=1, requests=1)


class ScriptedGrader:
    """Answers what it was given, one after the other; the last one again and again. Vectors count three letters."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.providers: list[Any] = []

    async def ask(self, messages: Sequence[Mapping[str, Any]], provider: Any = None) -> Said:
        self.asked.append(str(messages[-1]["content"]))
        self.providers.append(provider)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Said(error=answer[1:]) if answer.startswith("!") else Said(text=answer, tokens=USED)

    async def embed(self, texts: Sequence[str], provider: Any = None) -> Sequence[Sequence[float]]:
        return [[float(text.count(letter)) for letter in "abc"] for text in texts]


async def graded(
    assertions: Sequence[Mapping[str, Any]],
    output: Any = "an answer",
    *,
    grader: ScriptedGrader | None = None,
    compat: Compat = "latest",
    folder: Path = Path(),
    **test: Any,
) -> Grading:
    """Grade an output; `test` holds fields of the test case, `trace`, `provider` and `answer`."""
    trace, provider = test.pop("trace", None), test.pop("provider", Provider(id="echo"))
    answer = test.pop("answer", ProviderOutput(output=output))
    variables = test.pop("variables", {})
    case = TestCase(assertions=tuple(assertions), variables=variables, **test)
    context = GradingContext(
        prompt="a question",
        variables=variables,
        test=case,
        provider=provider,
        folder=folder,
        compat=compat,
        trace=trace,
    )
    marking = Marking.made({}, grader)
    try:
        return await marking.grade(assertions, answer, context)
    finally:
        marking.close()
