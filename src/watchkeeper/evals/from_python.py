"""Cases of a suite from Python: asked of the gateway, and marked as a run marks them."""

import asyncio
from collections.abc import Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec import structs

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals import kinds
from watchkeeper.evals.asking import Ask, Gateway
from watchkeeper.evals.judging.asking import Asking
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.run import ArmHead
from watchkeeper.evals.scoring import Judge, ScorerRefused, Verdict
from watchkeeper.evals.suite import Case, Suite
from watchkeeper.evals.suite_files import read_suite
from watchkeeper.evals.surroundings import NoKey, Surroundings, from_environment
from watchkeeper.evals.tasks import CANDIDATE, Kit, Suited, prompt_of

FEATURE = "feature/"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CaseOfSuite:
    """A case together with its suite, which says how answers are marked."""

    suite: Suite
    case: Case

    @property
    def id(self) -> str:
        """Return the case's id."""
        return self.case.id

    @property
    def variables(self) -> dict[str, Any]:
        """Return the case's variables."""
        return self.case.variables

    @property
    def messages(self) -> tuple[dict[str, Any], ...]:
        """Return the conversation that the case begins with."""
        return self.case.messages

    @property
    def reference(self) -> Any:
        """Return the right answer, or what a right answer must hold."""
        return self.case.reference

    @property
    def prompt(self) -> str:
        """Return what was asked, as one text."""
        return prompt_of(self.case)


def read_cases(path: str | Path, *, tags: Collection[str] = ()) -> list[CaseOfSuite]:
    """Return the cases of a suite, or those that have one of the tags.

    Raises:
        SuiteRefused: the file holds no suite.
    """
    suite = read_suite(Path(path))
    return [CaseOfSuite(suite, case) for case in suite.cases if not tags or set(tags) & set(case.tags)]


def ask(case: CaseOfSuite, model: str = "", *, repeat: int = 0, gateway: Surroundings | None = None) -> Answer:
    """Ask the gateway for a case's answer; one that the case brings is returned as it is.

    Whatever goes wrong on the way is the answer's `error`, and `check` says that nothing was measured.

    Args:
        case: Whose variables and messages are sent.
        model: What is asked: by default the suite's feature, as it is live in the environment of the key;
            `feature/NAME@ENVIRONMENT`, `feature/NAME@wk1-...`, a route or `provider/model`.
        repeat: Told with the call.
        gateway: Where to ask; by default what the environment says.

    Raises:
        NoKey: nobody says with which key.
    """
    if case.case.answer is not None:
        return Answer(text=case.case.answer)
    surroundings = gateway or from_environment()
    return _finished(_asked(surroundings, _ask(case, model or f"{FEATURE}{case.suite.feature}", repeat), case.id))


def score(case: CaseOfSuite, answer: Answer | str, *, gateway: Surroundings | None = None) -> Outcome:
    """Mark an answer by all scorers of the suite and of the case.

    Args:
        case: That was asked.
        answer: From `ask`, or the text that one's own function gave.
        gateway: Where judges are asked; by default what the environment says.

    Raises:
        ScorerRefused: a scorer cannot be used as it is written.
    """
    return _finished(_marked(case, Answer(text=answer) if isinstance(answer, str) else answer, gateway))


def _ask(case: CaseOfSuite, model: str, repeat: int) -> Ask:
    is_feature = model.startswith(FEATURE)
    alone = ({"role": "user", "content": case.prompt},)
    return Ask(
        model=model,
        messages=case.messages if case.messages or is_feature else alone,
        variables=case.variables if is_feature else None,
        feature="" if is_feature else case.suite.feature,
        repeat=repeat,
    )


async def _asked(surroundings: Surroundings, wanted: Ask, case: str) -> Answer:
    async with httpx.AsyncClient() as client:
        return await Gateway(client, surroundings.url, surroundings.key).ask(wanted, case=case)


async def _marked(case: CaseOfSuite, answer: Answer, gateway: Surroundings | None) -> Outcome:
    """As a run does it, with a suite of this one case and the answer that is there."""

    async def given(_ask: Ask, _case: str) -> Answer:
        return answer

    alone = structs.replace(case.suite, cases=(structs.replace(case.case, answer=None),), repeats=1)
    async with httpx.AsyncClient() as client:
        judge = _judge(client, gateway)
        kit = Kit(
            ask=given,
            build=lambda scorer: kinds.build(scorer, judge, standard=case.suite.judge),
            clock=SystemClock(),
        )
        (task,) = Suited(alone, kit, (ArmHead(name=CANDIDATE, model=f"{FEATURE}{case.suite.feature}"),)).tasks()
        return await task.perform()


def _judge(client: httpx.AsyncClient, gateway: Surroundings | None) -> Judge:
    try:
        surroundings = gateway or from_environment()
    except NoKey as why:
        return _Nobody(str(why))
    return Asking(client, surroundings.url, surroundings.key, _own_judge)


async def _own_judge(kind: str, judge: str) -> str:
    """A judge of one's own is asked as it is named; one that comes with Watchkeeper is made by a run of the program."""
    if judge.startswith(FEATURE):
        return judge
    raise ScorerRefused(
        f"The judge `{judge}` for `{kind}` is not asked from Python: `watchkeeper eval run` makes a release of it. "
        "Name a release of it here, `feature/NAME@ENVIRONMENT`."
    )


@dataclass(frozen=True, slots=True)
class _Nobody:
    """In the place of judges where nobody can be asked."""

    why: str

    async def ask(self, kind: str, judge: str, variables: Any, *, repeat: int = 0) -> Verdict:
        return Verdict(error=self.why)


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work in a loop of its own, whether or not one is running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
