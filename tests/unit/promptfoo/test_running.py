"""A configuration runs as it is written: transforms, conversations, scripts, endpoints, comparisons, times."""

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.promptfoo.configuring import Gateway, laid_out, run

from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.outcome import Answer, ToolCall
from watchkeeper.evals.promptfoo.loading import Options, load
from watchkeeper.evals.promptfoo.performing import Performing
from watchkeeper.evals.promptfoo.results import result_of
from watchkeeper.evals.promptfoo.session import kit_for


def outputs(records: list[dict[str, Any]]) -> list[Any]:
    return [(record.get("response") or {}).get("output") for record in records]


async def test_transforms_follow_each_other_and_one_that_returns_nothing_is_an_error(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['{{a}}']
        providers: [{id: echo, transform: 'output + "-p"'}]
        tests:
          - {vars: {a: x}, options: {transform: 'output.toUpperCase() + context.vars.a'}}
          - {vars: {a: y}, options: {transform: 'file://t.py'}}
          - {vars: {a: z}, options: {transform: 'undefined'}}
          - {vars: {a: w}, options: {transform: 'while (true) {}'}}
        """,
        t__py="def get_transform(output, context):\n    return {'was': output, 'a': context['vars']['a']}\n",
    )
    done = await run(config)
    assert outputs(done.records)[:2] == ["X-Px", {"was": "y-p", "a": "y"}]
    assert [record["failureReason"] for record in done.records] == [0, 0, 2, 2]
    assert "did not return a value" in done.records[2]["error"]


async def test_a_conversation_goes_on_and_stays_with_its_thread(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['{% for t in _conversation %}{{ t.input }}={{ t.output }};{% endfor %}{{ q }}']
        providers: [echo]
        tests:
          - {vars: {q: one}}
          - {vars: {q: two}}
          - {vars: {q: three}, metadata: {conversationId: other}}
        """,
    )
    done = await run(config)
    assert done.loaded.report.is_serial
    assert outputs(done.records) == ["one", "one=one;two", "three"]


async def test_a_stored_output_is_a_variable_of_the_tests_after_it(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['{{q}} {{kept}}']
        providers: [echo]
        tests: [{vars: {q: one}, options: {storeOutputAs: kept}}, {vars: {q: two}}]
        """,
    )
    assert outputs((await run(config)).records) == ["one ", "two one "]


async def test_a_provider_in_python_says_what_it_answers_and_what_it_cost(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['{{a}}']
        providers: [{id: 'file://p.py', config: {k: 1}}, {id: 'file://p.py:other', label: o}]
        tests: [{vars: {a: x}}]
        """,
        p__py="""
            def call_api(prompt, options, context):
                usage = {"total": 3, "prompt": 1, "completion": 2}
                return {"output": [prompt, options["config"]["k"], context["vars"]], "cost": 0.001, "tokenUsage": usage}
            def other(prompt, options, context):
                return {"error": "no " + prompt}
        """,
    )
    done = await run(config)
    assert outputs(done.records)[0] == ["x", 1, {"a": "x"}]
    assert done.outcomes[0].answer.cost_nusd == 1_000_000
    assert (done.records[0]["cost"], done.records[0]["response"]["tokenUsage"]["total"]) == (0.001, 3)
    assert (done.records[1]["error"], done.records[1]["failureReason"]) == ("no x", 2)


async def test_a_command_is_run_only_where_that_is_allowed(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        f"""
        prompts: ['{{{{a}}}}']
        providers: ['exec: {sys.executable} c.py']
        tests: [{{vars: {{a: x}}}}]
        """,
        c__py="import sys\nprint('got', sys.argv[1])\n",
    )
    refused = await run(config)
    assert refused.loaded.report.ways["unsupported"] == 1
    assert "--allow-exec" in refused.records[0]["error"]
    assert outputs((await run(config, allow_exec=True)).records) == ["got x"]


async def test_an_endpoint_is_asked_as_its_settings_say(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['say "{{a}}"']
        providers:
          - id: https://bot.example/{{a}}
            config:
              method: PUT
              headers: {X-Who: '{{a}}'}
              queryParams: {q: '{{a}}'}
              body: {text: '{{prompt}}', deep: ['{{a}}', 1]}
              transformResponse: json.said.toUpperCase()
          - {id: https, label: broken, config: {url: 'https://bot.example/500'}}
          - {id: https, label: raw, config: {url: 'https://bot.example/x', request: 'POST / HTTP/1.1'}}
        tests: [{vars: {a: x}}]
        """,
    )
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500, text="oh") if "500" in request.url.path else httpx.Response(200, json={"said": "hi"})

    loaded = load(config, Options())
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        kit = kit_for(loaded, ask=Gateway().ask, client=client, clock=SystemClock())
        outcomes = [await task.perform() for task in Performing(loaded, kit).tasks()]
    records = [result_of(outcome) or {} for outcome in outcomes]
    assert outputs(records)[0] == "HI"
    assert (seen[0].method, str(seen[0].url)) == ("PUT", "https://bot.example/x?q=x")
    assert seen[0].headers["x-who"] == "x"
    assert seen[0].content == b'{"text":"say \\"x\\"","deep":["x",1]}'
    assert "status 500" in records[1]["error"]
    assert "`request` is not read here" in records[2]["error"] and len(seen) == 2


async def test_a_refusal_and_calls_of_tools_are_outputs(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path, "prompts: [hi]\nproviders: ['openai:m']\ntests: [{vars: {}, assert: [{type: is-refusal}]}]\n"
    )
    refused = await run(config, Gateway(Answer(refusal="I will not", call="c")))
    assert outputs(refused.records) == ["I will not"] and refused.outcomes[0].status == "passed"
    called = await run(config, Gateway(Answer(tool_calls=(ToolCall(name="f", arguments="{}"),), call="c")))
    assert outputs(called.records)[0][0]["function"] == {"name": "f", "arguments": "{}"}
    failed = await run(config, Gateway(Answer(error="rate_limit: later", error_code="rate_limit")))
    assert (failed.outcomes[0].status, failed.outcomes[0].answer.error_code) == ("unmeasured", "rate_limit")


async def test_an_answer_that_is_there_is_not_asked_for(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: [hi]
        providers: ['openai:m']
        tests: [{providerOutput: 'there', assert: [{type: equals, value: there}]}]
        """,
    )
    done = await run(config, models=frozenset())
    assert done.gateway.asked == [] and done.outcomes[0].status == "passed"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_columns_of_a_row_are_compared_whichever_is_waited_for_first(
    order: tuple[int, int], tmp_path: Path
) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: ['short', 'much longer']
        providers: [echo]
        tests:
          - assert:
              - {type: max-score}
              - {type: javascript, value: 'output.length / 20'}
        """,
    )
    loaded = load(config)
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=Gateway().ask, client=client, clock=SystemClock())
        tasks = list(Performing(loaded, kit).tasks())
        outcomes = {tasks[index].arm: await tasks[index].perform() for index in order}
    assert {arm: outcome.status for arm, outcome in outcomes.items()} == {
        "[echo] short": "failed",
        "[echo] much longer": "passed",
    }


async def test_a_case_that_takes_too_long_is_an_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: [hi]
        providers: [{id: echo, delay: 5000}, {id: echo, label: quick}]
        tests: [{vars: {}, threshold: 0}]
        evaluateOptions: {timeoutMs: 50}
        """,
    )
    done = await run(config)
    assert [outcome.status for outcome in done.outcomes] == ["unmeasured", "passed"]
    assert done.records[0]["error"] == "Evaluation timed out after 50ms"


async def test_extensions_are_named_and_leave_their_cases_unmeasured(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path, "prompts: [hi]\nproviders: [echo]\ntests: [{vars: {a: 1}}]\nextensions: ['file://x.py:hook']\n"
    )
    assert (await run(config)).outcomes[0].status == "unmeasured"
    assert (await run(config, ignore_extensions=True)).outcomes[0].status == "passed"


async def test_what_is_done_is_not_done_again_unless_rows_depend_on_each_other(tmp_path: Path) -> None:
    config = laid_out(tmp_path, "prompts: ['{{a}}']\nproviders: [echo]\ntests: [{vars: {a: [x, y]}}]\n")
    loaded = load(config)
    async with httpx.AsyncClient() as client:
        kit = kit_for(loaded, ask=Gateway().ask, client=client, clock=SystemClock())
        first, second = Performing(loaded, kit).tasks()
        done = {(first.arm, first.case, first.repeat)}
        assert [task.case for task in Performing(loaded, kit, done).tasks()] == [second.case] == ["1.2"]
