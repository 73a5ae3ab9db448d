"""What agents did: tools, arguments, order, spans."""

from typing import Any

import pytest
from tests.unit.promptfoo.grading_kit import ScriptedGrader, graded

from watchkeeper.evals.promptfoo.model import Provider, ProviderOutput

SPANS = [
    {
        "name": "tool search",
        "startTime": 10,
        "endTime": 40,
        "attributes": {"tool.name": "search", "tool.arguments": '{"q": "x", "n": 5}'},
    },
    {"name": "llm", "startTime": 0, "endTime": 9, "attributes": {}},
    {
        "name": "tool book",
        "startTime": 50,
        "endTime": 150,
        "attributes": {"tool.name": "book_flight", "tool.input": {"id": 7}},
    },
    {"name": "exec ls -la", "startTime": 160, "endTime": 165, "statusCode": 2},
]
TRACE = {"spans": SPANS}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
        },
    }
]


@pytest.mark.parametrize(
    ("assertion", "passed"),
    [
        ({"type": "trajectory:tool-used", "value": "search"}, True),
        ({"type": "trajectory:tool-used", "value": ["search", "book_*"]}, True),
        ({"type": "trajectory:tool-used", "value": ["search", "pay"]}, False),
        ({"type": "not-trajectory:tool-used", "value": ["search", "pay"]}, False),
        ({"type": "not-trajectory:tool-used", "value": "pay"}, True),
        ({"type": "trajectory:tool-used", "value": {"name": "search", "min": 2}}, False),
        ({"type": "trajectory:tool-sequence", "value": ["search", "book_flight"]}, True),
        ({"type": "trajectory:tool-sequence", "value": ["book_flight", "search"]}, False),
        ({"type": "trajectory:tool-sequence", "value": {"mode": "exact", "steps": ["search"]}}, False),
        ({"type": "trajectory:tool-args-match", "value": {"name": "search", "args": {"q": "x"}}}, True),
        (
            {"type": "trajectory:tool-args-match", "value": {"name": "search", "args": {"q": "x"}, "mode": "exact"}},
            False,
        ),
        (
            {
                "type": "trajectory:tool-args-match",
                "value": {"name": "search", "args": {"q": "x"}, "mode": "exact", "defaults": {"n": 5}},
            },
            True,
        ),
        ({"type": "trajectory:tool-args-match", "value": {"name": "book*", "args": {"id": 7}, "ignore": "x*"}}, True),
        ({"type": "trajectory:step-count", "value": {"type": "tool", "min": 2, "max": 2}}, True),
        ({"type": "trajectory:step-count", "value": {"type": "command", "pattern": "ls*", "min": 1}}, True),
        ({"type": "trace-span-count", "value": {"pattern": "TOOL *", "min": 2, "max": 2}}, True),
        ({"type": "trace-span-count", "value": {"pattern": "*", "max": 3}}, False),
        ({"type": "trace-span-duration", "value": {"max": 50}}, False),
        ({"type": "trace-span-duration", "value": {"max": 50, "percentile": 75}}, True),
        ({"type": "trace-error-spans", "value": 0}, False),
        ({"type": "trace-error-spans", "value": {"max_percentage": 25}}, True),
    ],
)
async def test_a_trace_is_held_against_what_should_have_happened(assertion: dict[str, Any], passed: bool) -> None:
    found = await graded([assertion], trace=TRACE)
    assert not found.unmeasured
    assert found.passed is passed


async def test_without_a_trace_nobody_knows() -> None:
    found = await graded([{"type": "trajectory:tool-used", "value": "search"}])
    assert "trace" in found.unmeasured


async def test_a_goal_is_judged_by_the_steps() -> None:
    grader = ScriptedGrader('{"pass": true, "score": 1}')
    found = await graded([{"type": "trajectory:goal-success", "value": "book it"}], trace=TRACE, grader=grader)
    assert found.passed
    assert "book_flight" in grader.asked[0]


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("output", "passed"),
    [
        ([_call("add", '{"a": 1}')], True),
        ({"tool_calls": [_call("add", '{"a": 1}')]}, True),
        ([_call("add", '{"a": "x"}')], False),
        ([_call("add", "{broken")], False),
        ([_call("sub", "{}")], False),
        ([], False),
        ("no calls", False),
        ("MCP Tool Result (add): 3", True),
        ("MCP Tool Error (add): away", False),
        ([{"function": None}], False),
    ],
)
async def test_calls_fit_the_tools_of_the_provider(output: Any, passed: bool) -> None:
    provider = Provider(id="openai:gpt-4o", config={"tools": TOOLS})
    found = await graded([{"type": "is-valid-openai-tools-call"}], output, provider=provider)
    assert found.passed is passed


@pytest.mark.parametrize(
    ("provider", "output", "passed"),
    [
        (
            Provider(id="openai:gpt-4", config={"functions": [TOOLS[0]["function"]]}),
            {"name": "add", "arguments": '{"a": 1}'},
            True,
        ),
        (
            Provider(id="openai:gpt-4", config={"functions": [TOOLS[0]["function"]]}),
            {"name": "add", "arguments": "{}"},
            False,
        ),
        (
            Provider(
                id="vertex:gemini",
                config={
                    "tools": [
                        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "required": ["x"]}}]}
                    ]
                },
            ),
            [{"functionCall": {"name": "f", "args": {"x": 1}}}],
            True,
        ),
        (Provider(id="echo"), {"name": "add", "arguments": "{}"}, False),
    ],
)
async def test_a_function_call_fits_its_function(provider: Provider, output: Any, passed: bool) -> None:
    found = await graded([{"type": "is-valid-function-call"}], output, provider=provider)
    assert found.passed is passed


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ({"tool_calls": [_call("a", "{}"), _call("b", "{}")]}, 1.0),
        ([{"type": "tool_use", "name": "a"}], pytest.approx(2 / 3)),
        ('[{"functionCall": {"name": "a"}}, {"functionCall": {"name": "c"}}]', 0.5),
        ('I will call:\n{"type": "tool_use", "name": "a"}\nand\n```\n{"name": "b"}\n```', pytest.approx(2 / 3)),
        ("nothing", 0.0),
    ],
)
async def test_the_set_of_tools_is_scored(output: Any, score: Any) -> None:
    found = await graded([{"type": "tool-call-f1", "value": "a, b"}], output)
    assert found.score == score
    assert found.passed is (found.score == 1.0)


@pytest.mark.parametrize(
    ("assertion", "passed"),
    [
        ({"type": "skill-used", "value": "pdf"}, True),
        ({"type": "skill-used", "value": ["pdf", "xlsx"]}, False),
        ({"type": "skill-used", "value": {"pattern": "p*", "max": 0}}, False),
        ({"type": "not-skill-used", "value": "xlsx"}, True),
    ],
)
async def test_skills_are_those_that_the_provider_reports(assertion: dict[str, Any], passed: bool) -> None:
    metadata = {"skillCalls": [{"name": "pdf"}, {"name": "xlsx", "is_error": True}]}
    found = await graded([assertion], answer=ProviderOutput(output="x", metadata=metadata))
    assert found.passed is passed
