"""A configuration becomes a suite and releases that our own readers take, and what does not is named."""

from pathlib import Path

import httpx
import pytest
import yaml
from tests.unit.promptfoo.configuring import Gateway, laid_out

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.promptfoo.convert import Converted, convert
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.session import kit_for
from watchkeeper.evals.suite_files import read_suite
from watchkeeper.releases.folder import read_folder

CONFIG = """
    description: answers
    prompts:
      - '[{"role": "system", "content": "Be {{tone}}"}, {"role": "user", "content": "{{q}}"}]'
      - '{{q}}'
    providers: [{id: 'openai:chat:gpt-4o', config: {temperature: 0, apiKey: x}}]
    defaultTest: {vars: {tone: kind}, assert: [{type: llm-rubric, value: 'is {{tone}}'}]}
    tests:
      - vars: {q: [a, b]}
        metadata: {area: x}
        threshold: 0.5
        assert:
          - {type: not-icontains, value: no, weight: 2, metric: m}
          - {type: contains-all, value: 'x, y'}
          - {type: levenshtein, value: z, threshold: 2}
          - {type: latency, threshold: 900}
      - vars: {q: 'file://q.txt'}
        options: {transform: output.trim()}
        assert: [{type: javascript, value: 'true'}, {type: moderation}]
"""


async def converted(folder: Path) -> Converted:
    config = laid_out(folder, CONFIG, q__txt=" from a file \n")
    loaded = load(config, Options(models=frozenset({"openai/gpt-4o"})))
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=Gateway().ask, client=client, clock=SystemClock())
        return convert(loaded, kit.rendering, folder / "out", feature="support", name="answers")


async def test_the_suite_is_one_that_we_read(tmp_path: Path) -> None:
    done = await converted(tmp_path)
    suite = read_suite(tmp_path / "out/suites/support/answers.yaml")
    assert (suite.title, suite.description, done.cases) == ("support/answers", "answers", 3)
    first, _, third = suite.cases
    assert (first.id, first.variables, first.tags) == ("t1.1", {"tone": "kind", "q": "a"}, ("area:x",))
    assert first.threshold == 0.5
    assert [(one.type, one.title, one.negated, one.weight) for one in first.scorers] == [
        ("rubric", "rubric", False, 1.0),
        ("contains", "m", True, 2.0),
        ("contains_all", "contains_all", False, 1.0),
        ("levenshtein", "levenshtein", False, 1.0),
        ("latency", "latency", False, 1.0),
    ]
    assert first.scorers[2].value == ["x", "y"]
    assert third.variables["q"] == "from a file"


async def test_each_column_is_a_release_that_we_read(tmp_path: Path) -> None:
    await converted(tmp_path)
    folder = read_folder(tmp_path / "out/prompts", "support", lambda block: None)
    assert folder.authored["model"] == "openai/gpt-4o"
    assert folder.authored["parameters"] == {"temperature": 0}
    assert set(folder.authored["variables"]) == {"tone", "q"}
    second = yaml.safe_load((tmp_path / "out/prompts.2/support/release.yaml").read_text("utf-8"))
    assert second["messages"] == [{"role": "user", "content": "{{q}}"}]


async def test_what_has_no_counterpart_is_named_with_its_place(tmp_path: Path) -> None:
    left = [str(one) for one in (await converted(tmp_path)).left]
    assert left == [
        "promptfooconfig.yaml: tests[1]: there is no scorer like `javascript`",
        "promptfooconfig.yaml: tests[1]: there is no scorer like `moderation`",
        "promptfooconfig.yaml: tests[1]: `options.transform`",
    ]


async def test_nothing_that_is_there_is_touched(tmp_path: Path) -> None:
    await converted(tmp_path)
    with pytest.raises(ConfigRefused, match="is there already; nothing was written"):
        await converted(tmp_path)
