"""Judges with a real model behind them: the bundled one judges badly, but what it says is well-formed and traced."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from tests.e2e.conftest import FEATURES

from watchkeeper.evals.judging.asking import Asking
from watchkeeper.evals.judging.labelled import LABELS
from watchkeeper.evals.judging.table import build
from watchkeeper.evals.outcome import Answer, Mark
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Case, Scorer
from watchkeeper.testing.harness import Installation, free_port

ANSWER = "The capital of France is Paris."
DOCUMENTS = ("Paris is the capital of France.",)
PROMPT = "What is the capital of France?"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    config = f"""
providers:
  local: {{base_url: "http://127.0.0.1:{free_port()}/v1", price_list: free}}
{FEATURES}
routes:
  small: {{targets: [local/smollm2-135m]}}
"""
    with Installation(tmp_path_factory.mktemp("judges"), config) as installation:
        yield installation


async def marked(installation: Installation, scorer: Scorer) -> Mark:
    """Have the answer judged."""

    async def resolve(kind: str, judge: str) -> str:
        found = await asyncio.to_thread(installation.tell, "/api/v1/judges/resolve", kind=kind, judge=judge)
        return str(found["model"])

    async with httpx.AsyncClient(trust_env=False) as client:
        made = build(scorer, Asking(client, installation.base_url, installation.key, resolve, run="e2e"))
        question = Question(
            case=Case(id="1"), answer=Answer(text=ANSWER), value=scorer.value, prompt=PROMPT, contexts=DOCUMENTS
        )
        return await made.mark_later(question)


async def test_a_rubric_is_judged_by_the_bundled_model(installation: Installation) -> None:
    scorer = Scorer(type="rubric", value="names the capital of France", judge="small")
    mark = await marked(installation, scorer)
    assert mark.judge.startswith("wk1-") and len(mark.calls) == 1
    if mark.status == "unmeasured":
        assert mark.score is None and mark.reason
    else:
        assert mark.score == LABELS["rubric"][mark.detail["label"]]
    assert mark.cost_nusd == 0, "the local model is free, and priced so"
    call = installation.call(mark.calls[0])
    assert (call["feature"], call["release"], call["cost"]["status"]) == ("judge-rubric", mark.judge, "measured")
    assert call["metadata"]["eval-run"] == "e2e"


async def test_faithfulness_is_judged_statement_by_statement(installation: Installation) -> None:
    scorer = Scorer(type="faithfulness", judge="local/smollm2-135m")
    mark = await marked(installation, scorer)
    assert mark.calls and mark.judge.startswith("wk1-")
    features = [installation.call(call)["feature"] for call in mark.calls]
    assert features == ["judge-statements", "judge-faithfulness"][: len(features)]
    if mark.status == "unmeasured":
        assert mark.score is None and mark.reason
    else:
        assert mark.score is not None and 0 <= mark.score <= 1
        assert len(mark.detail["statements"]) == len(mark.detail["labels"])


async def test_a_grade_is_weighted_by_what_the_bundled_model_tells(installation: Installation) -> None:
    options = {"weighted": True, "steps": ["See whether the answer names a city."]}
    scorer = Scorer(type="g_eval", value="names a city", judge="small", options=options)
    mark = await marked(installation, scorer)
    assert mark.status == "unmeasured" or mark.detail["is_weighted"], mark.detail
