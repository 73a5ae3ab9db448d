"""Tables, patterns, providers: what stands in a configuration becomes what promptfoo makes of it, or is named."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.promptfoo.configuring import laid_out, run

from watchkeeper.evals.promptfoo.assertion_words import read_assertion
from watchkeeper.evals.promptfoo.errors import ConfigRefused, NothingSelected
from watchkeeper.evals.promptfoo.files import Files
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.plan import Filters
from watchkeeper.evals.promptfoo.providers import read_providers, target_of
from watchkeeper.evals.promptfoo.table_rows import read_row

ECHO = "prompts: ['{{a}}']\nproviders: [echo]\n"


@pytest.mark.parametrize(
    ("text", "assertion"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("contains:Paris", {"type": "contains", "value": "Paris"}),
        ("not-icontains: x ", {"type": "not-icontains", "value": "x"}),
        ("contains-all:a, b ,c", {"type": "contains-all", "value": ["a", "b", "c"]}),
        ("is-json", {"type": "is-json"}),
        ("is-json:{a: 1}", {"type": "is-json", "value": "{a: 1}"}),
        ("similar:x", {"type": "similar", "value": "x", "threshold": 0.8}),
        ("similar(0.5):x", {"type": "similar", "value": "x", "threshold": 0.5}),
        ("latency", {"type": "latency", "threshold": 0.75}),
        ("rouge-n(0.2):x:y", {"type": "rouge-n", "value": "x:y", "threshold": 0.2}),
        ("contains(0.2):x", {"type": "contains", "value": "x"}),
        ("fn: output.length", {"type": "javascript", "value": "output.length"}),
        ("grade:kind", {"type": "llm-rubric", "value": "kind"}),
        ("python: len(output) > 1", {"type": "python", "value": "len(output) > 1"}),
        ("file://x.py:check", {"type": "python", "value": "x.py:check"}),
        ("file://x.js", {"type": "javascript", "value": "file://x.js"}),
        ("containsx:y", {"type": "equals", "value": "containsx:y"}),
        ("similar:cosine:x", {"type": "similar", "value": "cosine:x", "threshold": 0.8}),
    ],
)
def test_one_line_is_the_assertion_that_promptfoo_reads(text: str, assertion: dict[str, Any]) -> None:
    assert read_assertion(text) == assertion


def test_special_columns_of_a_table_become_what_they_say() -> None:
    row = {
        " q ": "?",
        "__expected": "",
        "__expected2": "contains:x",
        "__expected3": "similar:y",
        "__metric": "m",
        "__threshold": "0.5x",
        "__prefix": "p",
        "__metadata:tags[]": r"a, b\,c",
        "__metadata:none": " ",
        "__config:__expected2:threshold": "0.3",
    }
    assert read_row(row) == {
        "vars": {"q": "?"},
        "assert": [
            {"type": "contains", "value": "x", "metric": "m"},
            {"type": "similar", "value": "y", "threshold": 0.3, "metric": "m"},
        ],
        "options": {"prefix": "p"},
        "metadata": {"tags": ["a", "b,c"], "threshold": 0.3},
        "threshold": 0.5,
    }


@pytest.mark.parametrize("column", ["__config:expected:threshold", "__config:__expected1:weight"])
def test_a_setting_for_nothing_is_refused(column: str) -> None:
    with pytest.raises(ConfigRefused):
        read_row({column: "1"})


@pytest.mark.parametrize(
    ("entry", "kind", "models"),
    [
        ("openai:chat:gpt-4o", "gateway", ("gpt-4o", "openai/gpt-4o")),
        ("openai:gpt-4o-mini", "gateway", ("gpt-4o-mini", "openai/gpt-4o-mini")),
        ("anthropic:messages:claude-x", "gateway", ("claude-x", "anthropic/claude-x")),
        ("ollama:chat:llama3:8b", "gateway", ("llama3:8b", "ollama/llama3:8b")),
        ("openrouter:meta/llama", "gateway", ("meta/llama", "openrouter/meta/llama", "llama")),
        ("echo", "echo", ()),
        ("file://p.py:call", "python", ()),
        ("https://example.com/x", "http", ()),
        ("exec: python x.py", "unsupported", ()),
        ("openai:image:dall-e-3", "unsupported", ()),
        ("openai:moderation", "unsupported", ()),
        ("file://p.js", "unsupported", ()),
        ("promptfoo:redteam:crescendo", "unsupported", ()),
    ],
)
def test_a_provider_is_a_model_here_or_says_why_not(
    entry: str, kind: str, models: tuple[str, ...], tmp_path: Path
) -> None:
    provider = read_providers(entry, Files(tmp_path, {}), {})[0]
    target = target_of(provider, {})
    assert target.kind == kind
    assert target.models[: len(models)] == models
    assert target.kind != "unsupported" or target.note


def test_a_mapping_wins_over_what_a_provider_would_be(tmp_path: Path) -> None:
    provider = read_providers({"id": "bedrock:x", "label": "mine"}, Files(tmp_path, {}), {})[0]
    assert target_of(provider, {"mine": "support-chat"}).models == ("support-chat",)
    assert target_of(provider, {"bedrock:x": "other"}).models == ("other",)


async def test_the_gateway_is_asked_with_the_conversation_and_the_settings(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['[{"role": "system", "content": "You {{a}}"}, {"role": "user", "content": "{{a}}?"}]']
        providers:
          - id: openai:chat:gpt-4o
            config: {temperature: 0.5, apiKey: x, max_tokens: 5, passthrough: {seed: 7},
                     response_format: {type: json_schema, json_schema: {name: "{{a}}"}}}
        tests: [{vars: {a: b}, assert: [{type: contains, value: an}]}]
        """,
    )
    done = await run(config, models=frozenset({"openai/gpt-4o"}))
    assert done.loaded.report.calls == 1
    (ask,) = done.gateway.asked
    assert (ask.model, ask.feature) == ("openai/gpt-4o", "support")
    assert ask.messages == ({"role": "system", "content": "You b"}, {"role": "user", "content": "b?"})
    assert ask.parameters == {
        "temperature": 0.5,
        "max_tokens": 5,
        "seed": 7,
        "response_format": {"type": "json_schema", "json_schema": {"name": "b"}},
    }
    assert (done.outcomes[0].status, done.outcomes[0].answer.cost_nusd) == ("passed", 1_500)


async def test_what_cannot_be_run_is_told_before_and_is_unmeasured_after(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['{{a}}']
        providers: [echo, 'openai:image:dall-e-3', 'openai:gpt-9']
        tests:
          - {vars: {a: b}, assert: [{type: contains, value: b}]}
          - {vars: {a: c}, assert: [{type: min-length, value: 1}]}
          - {vars: {a: 'file://none/*.txt'}}
          - {vars: {a: d}, assert: [{type: javascript, value: 'true'}]}
        """,
    )
    done = await run(config, models=frozenset({"gpt-4o"}))
    report = done.loaded.report
    assert report.cases == 12
    assert report.ways == {"unsupported": 8, "credentials": 2, "javascript": 1, "native": 1}
    text = str(report)
    assert "no such type" in text and "promptfooconfig.yaml: tests[1]" in text and "gpt-9" in text
    status = [(record["testIdx"], record["promptIdx"], record["failureReason"]) for record in done.records]
    assert [one for one in status if one[2] != 2] == [(0, 0, 0), (3, 0, 0)]
    unmeasured = [outcome for outcome in done.outcomes if outcome.status == "unmeasured"]
    assert len(unmeasured) == 10 and all(outcome.reason for outcome in unmeasured)
    assert all(
        "not asked" in outcome.reason for outcome in done.outcomes if "dall-e" in outcome.arm and outcome.case != "3"
    )


def test_who_grades_must_be_a_model_of_the_gateway(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: [hi]
        providers: [echo]
        tests:
          - {assert: [{type: llm-rubric, value: x}]}
          - {assert: [{type: llm-rubric, value: x, provider: 'openai:gpt-4o'}]}
          - {options: {provider: {id: 'openai:gpt-4o', config: {temperature: 0}}}, assert: [{type: g-eval, value: x}]}
        """,
    )

    def needing(**options: Any) -> int:
        return load(config, Options(**options)).report.ways["credentials"]

    assert needing(models=frozenset()) == 3
    assert needing(models=frozenset({"gpt-4o"})) == 1
    assert needing(models=frozenset({"gpt-4o"}), grader="judge") == 0
    loaded = load(config, Options(models=frozenset({"gpt-4o"}), grader="judge"))
    assert loaded.grader(None) == ("judge", {})
    assert loaded.grader({"id": "openai:gpt-4o", "config": {"temperature": 0}}) == ("gpt-4o", {"temperature": 0})


def test_unknown_keys_are_named_with_their_lines(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        "prompts: [x]\nproviders: [echo]\nproviderz: 1\ntests:\n  - vars: {a: 1}\n    asert: []\nsharing: true\n",
    )
    remarks = [str(remark) for remark in load(config).report.remarks]
    assert any(
        "providerz: unknown key" in remark and "`providers`?" in remark and "line 3" in remark for remark in remarks
    )
    assert any(remark.startswith("tests[0].asert: unknown key") and "line 6" in remark for remark in remarks)
    assert any(remark.startswith("sharing: has no effect") for remark in remarks)


def test_filters_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    config = laid_out(tmp_path, ECHO + "tests: [{description: one, vars: {a: 1}}]")
    for filters in (Filters(pattern="two"), Filters(providers="none"), Filters(first=0)):
        with pytest.raises(NothingSelected):
            load(config, Options(filters=filters))


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    config = laid_out(tmp_path, ECHO + f"tests: [{', '.join(f'{{vars: {{a: {n}}}}}' for n in range(50))}]")

    def chosen(seed: int) -> list[Any]:
        plan = load(config, Options(filters=Filters(sample=5, seed=seed))).plan
        return [row.test.variables["a"] for row in plan.rows()]

    assert chosen(1) == chosen(1) and len(chosen(1)) == 5
    assert chosen(1) != chosen(2)


@pytest.mark.parametrize(
    ("name", "said"),
    [("promptfooconfig.js", "is a program"), ("promptfooconfig.toml", "ends with"), ("x.yaml", "not there")],
)
def test_a_configuration_that_is_none_says_what_to_do(name: str, said: str, tmp_path: Path) -> None:
    if not name.startswith("x"):
        (tmp_path / name).write_text("module.exports = {}")
    with pytest.raises(ConfigRefused, match=said):
        load(tmp_path / name)


def test_reading_a_large_table_does_not_hold_it(tmp_path: Path) -> None:
    rows = "".join(f"v{n},contains:v\n" for n in range(3_000))
    config = laid_out(
        tmp_path, "prompts: ['{{a}}']\nproviders: [echo]\ntests: table.csv\n", table__csv="a,__expected\n" + rows
    )
    loaded = load(config)
    assert loaded.report.cases == 3_000
    first = next(iter(loaded.plan.rows()))
    assert first.test.variables == {"a": "v0"} and first.test.description == "Row #1"
