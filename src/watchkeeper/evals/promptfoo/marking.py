"""Marks outputs by the assertions of their tests: grading and comparing, with the instruments of a run."""

from collections.abc import Mapping, Sequence

from watchkeeper.evals.promptfoo import grading, rows
from watchkeeper.evals.promptfoo.assertions.subject import Grader, Instruments
from watchkeeper.evals.promptfoo.javascript import Engine
from watchkeeper.evals.promptfoo.model import Assertion, Grading, GradingContext, ProviderOutput
from watchkeeper.evals.promptfoo.nunjucks import Renderer
from watchkeeper.evals.promptfoo.python import PythonRunner


class Marking:
    """Says what assertions say of outputs; `performing.Marks` for a run. Close it when the run is over."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    @classmethod
    def made(cls, env: Mapping[str, str], grader: Grader | None = None, *, allow_network: bool = False) -> "Marking":
        """Make one with engines of its own.

        Args:
            env: What templates and Python find in the environment.
            grader: Asks models; without one, what a model must grade is unmeasured.
            allow_network: Whether webhooks are called.
        """
        instruments = Instruments(
            renderer=Renderer(env),
            engine=Engine(),
            python=PythonRunner(env),
            grader=grader,
            allow_network=allow_network,
        )
        return cls(instruments)

    async def grade(self, assertions: Sequence[Assertion], output: ProviderOutput, context: GradingContext) -> Grading:
        """As `grading.grade`."""
        return await grading.grade(assertions, output, context, self._instruments)

    async def compare(
        self,
        assertion: Assertion,
        outputs: Sequence[ProviderOutput],
        gradings: Sequence[Grading],
        context: GradingContext,
    ) -> Sequence[Grading]:
        """As `rows.compare`."""
        return await rows.compare(assertion, outputs, gradings, context, self._instruments)

    def close(self) -> None:
        """End the processes in which code ran."""
        self._instruments.engine.close()
        self._instruments.python.close()
