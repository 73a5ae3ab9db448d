"""Every row that promptfoo makes of a configuration, we make too: the same prompt, place, test and verdict."""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tests.contract.promptfoo.conftest import Runs
from tests.contract.promptfoo.ours import figures_of, results_of

EVERY_KIND_OF_PROMPT = {
    "promptfooconfig.yaml": """
        description: every kind of prompt
        prompts:
          - file://prompts/chat.json
          - file://prompts/several.txt
          - id: file://prompts/page.md
            label: page
          - {raw: "Translate {{ text }} to {{lang}}", label: "group:a"}
          - raw: 'Say {% if lang == "fr" %}oui{% else %}no{% endif %} {{ missing }} {{ list }} {{ thing.a }}'
            label: "group:b"
            config: {temperature: 1}
          - file://prompts/lines.jsonl
          - file://prompts/talk.yaml
          - file://prompts/table.csv
          - file://prompts/loop.j2
          - file://prompts/made.py:make
          - "An open tag {{ text"
          - prompts/*.md
        providers:
          - echo
          - {id: echo, label: grouped, prompts: [group, page]}
          - file://providers.yaml
        env: {CITY: Graz}
        defaultTest:
          vars: {lang: de, city: "{{ env.CITY }}"}
        tests:
          - vars: {text: hello, lang: [fr, it], list: [{a: 1}, 2], thing: {a: 1}}
          - vars: {text: "{{ lang }} in {{ city }}"}
    """,
    "providers.yaml": "- {id: echo, label: from a file, prompts: [page]}\n- {id: echo, label: other}\n",
    "prompts/chat.json": '[{"role": "system", "content": "You {{lang}} \\"q\\" {{text}}"}, {"content": 1.0, "e": []}]',
    "prompts/several.txt": "first {{text}}\n\nmore\n---\nsecond {{lang}}\n---\n\n---\nthird\n",
    "prompts/page.md": "# Title {{text}}\n---\nbody {{city}}",
    "prompts/lines.jsonl": '[{"role":"user","content":"{{text}}"}]\n["b {{lang}}"]\n',
    "prompts/talk.yaml": '- role: user\n  content: "y {{text}}"\n- {role: x, on: yes, octal: 017, number: 1e3}\n',
    "prompts/table.csv": 'prompt,label\n"Say {{text}}",labelled\nSay again {{lang}},\n',
    "prompts/loop.j2": "{% for i in [1,2,3] %}{{ loop.index }}-{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "prompts/made.py": """
        def make(context):
            return [{"role": "user", "content": "made for " + context["vars"]["lang"]}]
    """,
}

EVERY_KIND_OF_TEST = {
    "promptfooconfig.yaml": """
        prompts: ["{{text}} {{lang}}", '{"q": "{{text}}", "n": 1 }']
        providers: [echo, {id: echo, label: loud, transform: output.toUpperCase()}]
        assertionTemplates:
          short: {type: contains, value: e}
        defaultTest:
          vars: {lang: de}
          assert: [{$ref: "#/assertionTemplates/short"}]
          metadata: {suite: x}
          options: {prefix: "<<", suffix: ">>"}
        tests:
          - description: lists
            vars: {text: [hello, "two\\nlines"], lang: [fr, it]}
            metadata: {k: v}
          - description: whole
            vars: {text: "{{ lang }} and more", n: 007, yes: no, "null": ~}
            options: {prefix: "", disableVarExpansion: true}
            assert: [{type: equals, value: "{{text}}", metric: m}]
            threshold: 0.5
          - vars: {text: [x, y]}
            options: {disableVarExpansion: true}
          - vars: "variables/*.yaml"
          - vars: {text: file://texts/*.txt}
          - file://more.yaml
          - more.jsonl
          - table.csv
          - path: made.py
          - vars: {text: abc}
            options: {transformVars: "{...vars, text: vars.text.toUpperCase(), extra: ['p', 'q']}"}
            providerOutput: "given {{text}}"
          - vars: {text: d}
            options: {transform: "output.length + context.vars.lang"}
        scenarios:
          - config:
              - {vars: {lang: es}, assert: [{type: contains, value: o}]}
              - {vars: {lang: pt}, options: {prefix: "no"}}
            tests: [{description: in a scenario, vars: {text: sc}}]
        evaluateOptions: {repeat: 2}
    """,
    "variables/a.yaml": "text: v1\nlang: aa\n",
    "variables/b.yaml": "text: v2\n",
    "texts/a.txt": " alpha \n",
    "texts/b.txt": "beta",
    "texts/c.txt": "gamma {{lang}}",
    "more.yaml": "- vars: {text: m1}\n- vars: {text: file://texts/a.txt}\n  description: from a file\n",
    "more.jsonl": '{"vars": {"text": "j1"}}\n\n{"vars": {"text": "j2"}, "description": "own"}\n',
    "table.csv": (
        "text, lang ,__expected1,__expected2,__metadata:tags[],__config:__expected2:threshold,__threshold\n"
        '"a, b",x,contains:a,levenshtein(3):abc,"p,q\\,r",0.9,\n'
        '"c ""q""",y,,"contains-any: a, b",,0.1,0.4\n'
    ),
    "made.py": """
        def generate_tests():
            return [{"vars": {"text": f"g{i}"}, "assert": [{"type": "contains", "value": "g"}]} for i in range(2)]
    """,
}

MORE = {"type": "javascript", "value": "output.length > 0"}

COMMON_SHAPES = {
    "promptfooconfig.yaml": """
        prompts: prompts.txt
        providers: echo
        tests: table.csv
    """,
    "prompts.txt": "Rephrase: {{body}}\n---\nBe {{tone}}: {{body}}",
    "table.csv": '\ufefftone,body,__expected,__description\nkind,"one\ntwo",fn:output.length > 1,first\n,three,,\n',
}

LEGACY = {
    "promptfooconfig.json": json.dumps(
        {
            "prompts": {"one.txt": "first", "two.txt": "second"},
            "providers": [{"echo": {"prompts": ["first"], "label": "renamed"}}],
            "tests": [{"vars": {"a": "1"}}, {}][:1],
        }
    ),
    "one.txt": "A {{a}}",
    "two.txt": "B {{a}}",
}

MANY_ECHOES = {
    "promptfooconfig.json": json.dumps(
        {
            "description": "what promptfoo's own example with a thousand echoes does, in small",
            "prompts": ["{{input}}"],
            "providers": ["echo"],
            "outputPath": "file://output.csv",
            "tests": [
                {"description": f"number {n}", "vars": {"input": text}, "assert": [dict(assertion), MORE][: 1 + n % 2]}
                for n, (text, assertion) in enumerate(
                    (text, assertion)
                    for text in ("Hello", "What is your name?", "10 * 5", '{"request": "a poem"}', "user@example.com")
                    for assertion in (
                        {"type": "equals", "value": "Hello"},
                        {"type": "contains", "value": "?"},
                        {"type": "icontains", "value": "HELLO"},
                        {"type": "regex", "value": "^[A-Z].*"},
                        {"type": "javascript", "value": "output === '10 * 5'"},
                        {"type": "javascript", "value": "output.length / 100", "threshold": 0.05, "metric": "length"},
                        {"type": "python", "value": "len(output) == 5"},
                        {"type": "is-json"},
                        {"type": "not-is-json", "weight": 3},
                    )
                )
            ],
        }
    ),
}

CONVERSATION = {
    "promptfooconfig.yaml": """
        prompts:
          - "{% for turn in _conversation %}[{{ turn.input }}|{{ turn.output }}]{% endfor %}{{ question }}{{ kept }}"
        providers: [echo]
        tests:
          - {vars: {question: one}, options: {storeOutputAs: kept}}
          - {vars: {question: two}}
          - {vars: {question: three}, metadata: {conversationId: other}}
          - {vars: {question: four}, options: {disableConversationVar: true}}
    """,
}


def laid_out(files: Mapping[str, str], folder: Path) -> Path:
    """Write the files and return the configuration, which is the first."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n") if name.endswith((".yaml", ".py")) else text, "utf-8")
    return folder / next(iter(files))


def seen(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of a result."""
    keys = ("testIdx", "promptIdx", "promptId", "provider", "prompt", "vars", "testCase", "success", "score")
    return {
        **{key: record[key] for key in keys},
        "output": (record.get("response") or {}).get("output"),
    }


@pytest.mark.parametrize(
    "files",
    [EVERY_KIND_OF_PROMPT, EVERY_KIND_OF_TEST, COMMON_SHAPES, LEGACY, CONVERSATION, MANY_ECHOES],
    ids=["prompts", "tests", "common", "legacy", "conversation", "echoes"],
)
async def test_the_same_rows_are_made_as_promptfoo_makes(
    files: Mapping[str, str], promptfoo: Runs, tmp_path: Path
) -> None:
    config = laid_out(files, tmp_path)
    theirs = [seen(record) for record in promptfoo(config)["results"]["results"]]
    ours = [seen(record) for record in await results_of(config)]
    assert [(each["testIdx"], each["promptIdx"]) for each in ours] == [
        (each["testIdx"], each["promptIdx"]) for each in theirs
    ]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other
    assert ours


@pytest.mark.parametrize(
    ("filters", "options"),
    [
        ({"firstN": 2}, {"first": 2}),
        ({"pattern": "^(whole|from)"}, {"pattern": "^(whole|from)"}),
        ({"metadata": "k=v"}, {"metadata": ("k", "v")}),
    ],
    ids=["first", "pattern", "metadata"],
)
async def test_filters_leave_the_tests_that_promptfoo_leaves(
    filters: dict[str, Any], options: dict[str, Any], promptfoo: Runs, tmp_path: Path
) -> None:
    config = laid_out(EVERY_KIND_OF_TEST, tmp_path)
    without = config.read_text("utf-8").partition("scenarios:")[0]
    config.write_text(without, "utf-8")
    theirs = [seen(record) for record in promptfoo(config, {"filters": filters})["results"]["results"]]
    assert [seen(record) for record in await results_of(config, **options)] == theirs
    assert theirs


async def test_columns_add_up_as_promptfoo_adds_them_up(promptfoo: Runs, tmp_path: Path) -> None:
    config = laid_out(
        {
            "promptfooconfig.yaml": """
                prompts: ["{{a}}", "longer {{a}}"]
                providers: [echo]
                derivedMetrics: [{name: twice, value: "m * 2 + max(m, n) ^ 2"}]
                tests:
                  - vars: {a: [x, longer]}
                    assert:
                      - {type: contains, value: longer, metric: m, weight: 2}
                      - {type: contains, value: x, metric: n}
                  - vars: {a: y}
                    assert: [{type: contains, value: y, metric: m}, {type: contains, value: z, metric: m}]
            """
        },
        tmp_path,
    )
    theirs = promptfoo(config)["results"]
    prompts, stats = await figures_of(config)
    keys = ("score", "testPassCount", "testFailCount", "testErrorCount", "assertPassCount", "assertFailCount")
    for mine, other in zip(prompts, theirs["prompts"], strict=True):
        assert {key: mine[key] for key in ("raw", "label", "id", "provider")} == {
            key: other[key] for key in ("raw", "label", "id", "provider")
        }
        for key in (*keys, "namedScores", "namedScoresCount", "cost", "tokenUsage"):
            assert mine["metrics"][key] == other["metrics"][key], key
    assert stats == theirs["stats"]
