"""Pairs of assertions and outputs, made from a seed: the table on which promptfoo and Watchkeeper must agree."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SEED = 20261121
TEXTS = (
    "",
    " ",
    "Paris",
    "paris",
    "The capital of France is Paris.",
    "the capital of france is paris",
    "Hello, world!",
    "a,b",
    "x, y, z",
    '"quoted, text" and more',
    "Line one\nline two\nline three",
    "naïve café — déjà vu",
    "Straße İstanbul",
    "🙂 emoji 🙃 text",
    "42",
    "0",
    "3.14",
    "-1e3",
    "true",
    "null",
    "\tpadded \n",
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot comply.",
    "Sorry",
    "I apologise for nothing",
    "It’s illegal and unethical",
    "undefined",
    "the the the cat sat on the mat",
    "The cat sat on the mat. The dog barked.",
    "aaaaab",
    "It is 12:30, costs $5.00 & more (maybe)!",
)
JSONS = (
    '{"a": 1}',
    '{"a": "x", "b": [1, 2, {"c": null}]}',
    "[]",
    "[1, 2, 3]",
    '"text"',
    '{"a": 1,}',
    "{'a': 1}",
    '{"a": 1} trailing',
    'Here you go: {"a": 1} and {"b": 2}',
    '```json\n{"name": "Ann", "age": 30}\n```',
    '{"name": "Bob", "age": "30"}',
    "{a: 1}",
    "{broken",
    '{"a": {"b": {"c": [1, {"d": "}"}]}}}',
    '{"a": 1e400}',
    '{"a": NaN}',
    '{"email": "x@example.com"}',
    "{} {}",
    '{"name": "Ann", // her name\n "age": 31}',
    "nothing {here} at all",
    '{"a": 1, "a": 2}',
    '{"n": 1.0}',
    '{"t": true, "f": false}',
)
SCHEMAS: tuple[Any, ...] = (
    None,
    {"type": "object"},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}},
    {
        "type": "object",
        "required": ["name", "age"],
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    },
    {"type": "array", "items": {"type": "integer"}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
    {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}, "required": ["email"]},
    "type: object\nrequired: [a]",
    '{"type": "object", "required": ["b"]}',
    {"type": "object", "unknownKeyword": 1},
    {"type": "string", "pattern": "^t"},
    {"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 2}]},
    {"type": "object", "properties": {"a": {"type": "number", "nullable": True}}},
    {"enum": [[], {"a": 1}, "text"]},
)
XMLS = (
    "<a><b>1</b></a>",
    "<a><b>1</b>",
    "<a/>",
    "text <a>x</a>",
    "see: <r><i id='1'>x</i><i>y</i></r> done",
    "<a><b></a></b>",
    "<?xml version='1.0'?>\n<a>x</a>",
    '<a attr="1" flag>x</a>',
    "<a",
    "< a>x</a>",
    "<a><!-- c --><b/></a>",
    "<a><![CDATA[<x>]]></a>",
    "<a>&amp;</a>",
    "<a>1</a><b>2</b>",
    "</a>",
    "<a>x</a> tail",
    "<root><user><name>Ann</name></user></root>",
)
XML_VALUES: tuple[Any, ...] = (
    None,
    "a",
    "a.b",
    ["a"],
    ["root.user.name"],
    {"requiredElements": ["r.i"]},
    "a, b",
    ["a.b.c"],
    ["a.@_attr"],
)
HTMLS = (
    "<p>Hello</p>",
    "<div><span>x</span></div>",
    "plain",
    "<html><body>text</body></html>",
    "text <b>bold</b>",
    "<b>x</b> tail",
    "<custom-x>y</custom-x>",
    "<blah>x</blah>",
    "a < b and c > d",
    "<!DOCTYPE html><html><head><title>t</title></head><body><p>x</p></body></html>",
    "&nbsp;&amp;",
    "<br/>",
    "<header>x</header>",
    "<!-- only a comment -->",
    "<p>unclosed",
    "1 &lt; 2",
    '<a href="x">link</a>',
    "<?xml version='1.0'?><a/>",
    "<td>cell</td>",
    "<title>x</title>",
)
SQLS = (
    "SELECT id, name FROM users WHERE age > 18",
    "select * from orders",
    "INSERT INTO t (a) VALUES (1)",
    "UPDATE t SET a = 1 WHERE b = 2",
    "DELETE FROM t WHERE a = 1",
    "SELECT * FORM users",
    "hello world",
    "SELECT",
    "SELECT a b FROM t",
    "SELECT `a FROM t",
    "SELECT count(*) FROM t GROUP BY x HAVING count(*) > 1",
    "SELECT a FROM t WHERE",
    "CREATE TABLE t (id INT PRIMARY KEY)",
    "DROP TABLE users",
    "SELECT u.id FROM users u JOIN orders o ON u.id = o.user_id",
    "SELECT a, FROM t",
    "SELECT a FROM t; SELECT b FROM u",
    "SELECT a FROM t ORDER BY a DESC LIMIT 5",
    "WITH c AS (SELECT a FROM t) SELECT * FROM c",
    "SELECT generate_series(1,2)",
    "Use this:\n```sql\nSELECT a FROM t\n```\nthanks",
    "```\nSELECT b FROM t\n```",
    "The answer is SELECT a FROM t",
    "SELECT DISTINCT name FROM users",
    "SELECT max(price) FROM products WHERE name LIKE '%x%'",
)
SQL_VALUES: tuple[Any, ...] = (
    None,
    {"databaseType": "MySQL"},
    {"databaseType": "Postgresql"},
    {"allowedTables": ["select::null::users"]},
    {"allowedTables": ["(select|update)::(.*)::(.*)"]},
    {"allowedColumns": ["select::null::id", "select::null::name", "select::null::age"]},
    {
        "databaseType": "MySQL",
        "allowedTables": ["select::null::(users|orders)"],
        "allowedColumns": ["select::users::id", "select::orders::user_id"],
    },
)
PATTERNS = (
    "Paris",
    "^The",
    r"\d+",
    "paris$",
    "(?i)paris",
    "[",
    r"^\s*$",
    r"(?<year>\d{4})",
    r"\bcat\b",
    "a+b$",
    r"^[\w\s.]+$",
    r"\u00e9",
    r"[^\x00-\x7F]",
    "(?<!the )cat",
    ".*",
    r"line\ntwo|two\nline",
    "^line",
    r"\p{L}",
)
SCRIPTS = (
    "output.length > 3",
    "output === 'Paris'",
    "output.length",
    "0.5",
    "output.includes('a') ? 1 : 0",
    "({pass: true, score: 0.25, reason: 'so'})",
    "({pass: false, score: 0.9, reason: 'no', namedScores: {x: 0.5}})",
    "undefined",
    "'text'",
    "null",
    "throw new Error('x')",
    "JSON.parse(output).a === 1",
    "context.vars.topic === 'geo'",
    "const n = output.length;\nreturn n > 5;",
    "Math.max(...[1, 2])",
    "Promise.resolve(true)",
    "output.split(' ').length / 10",
    "context.test.vars.topic.length",
    "[1]",
    "-1",
)
PYTHONS = (
    "len(output) > 3",
    "output == 'Paris'",
    "len(output)",
    "0.5",
    "{'pass': True, 'score': 0.25, 'reason': 'so'}",
    "{'pass_': False, 'score': 0.9, 'reason': 'no'}",
    "None",
    "'true'",
    "'text'",
    "1/0",
    "import re\nreturn bool(re.search('a', output))",
    "context['vars']['topic'] == 'geo'",
    "'0.75'",
    "[1]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One output, and what is asserted of it."""

    output: str
    assertions: tuple[dict[str, Any], ...]
    threshold: float | None = None
    reply: tuple[tuple[str, Any], ...] = ()
    """What the provider says beside the output: `cost`, `finishReason`, `logProbs`, `guardrails`."""

    @property
    def kind(self) -> str:
        """The types that are asserted."""
        return "+".join(str(each["type"]) for each in self.assertions)


def pairs() -> list[Pair]:
    """Return the table; the same one every time."""
    draw = random.Random(SEED)
    return [*_single(draw), *_special(draw), *_together(draw)]


def _assertion(kind: str, value: Any = None, **more: Any) -> dict[str, Any]:
    given = {key: item for key, item in more.items() if item is not None}
    return {"type": kind, **({} if value is None else {"value": value}), **given}


def _values(kind: str, draw: random.Random, output: str) -> Any:
    words = output.split() or ["x"]
    match kind.removeprefix("not-"):
        case "equals":
            return draw.choice(
                [output, output.lower(), 42, 0, True, {"a": 1}, [1, 2, 3], [], "{{topic}}", "Paris", None, 3.14]
            )
        case "contains" | "icontains":
            return draw.choice(
                [draw.choice(words), output[1:4], "PARIS", "zzz", 42, 0, "", "é", "{{ topic }}", "the", 3.5, True]
            )
        case "contains-any" | "contains-all" | "icontains-any" | "icontains-all":
            return draw.choice(
                [
                    "Paris, France",
                    "a,b,c",
                    '"a,b", x',
                    '"Hello, world!"',
                    ["Paris", "zzz"],
                    ["the", "cat"],
                    [42, "x"],
                    "zzz",
                    ["{{topic}}", "geo"],
                    "  the ,  cat ",
                    ",,",
                    [],
                    "THE, CAT",
                ]
            )
        case "starts-with":
            return draw.choice([words[0], output[:3], "zzz", "{{topic}}", "T", "", " "])
        case "regex":
            return draw.choice(PATTERNS)
        case "levenshtein":
            return draw.choice([output, output + "x", "Paris", "kitten", "🙂", output[::-1], ""])
        case _:
            return draw.choice(
                [
                    output,
                    "The cat sat on the mat.",
                    "the capital of France",
                    ["Paris is big", output or "x"],
                    "a cat is on the mat",
                    "cats sitting on mats",
                    "geo",
                ]
            )


_NEGATABLE = (
    "equals",
    "contains",
    "icontains",
    "contains-any",
    "icontains-any",
    "contains-all",
    "icontains-all",
    "starts-with",
    "regex",
    "levenshtein",
    "rouge-n",
    "bleu",
    "gleu",
    "meteor",
)


def _single(draw: random.Random) -> Iterator[Pair]:
    for kind in _NEGATABLE:
        for _ in range(26):
            output = draw.choice(TEXTS)
            name = draw.choice(["", "", "not-"]) + kind
            value = _values(kind, draw, output)
            if kind == "rouge-n" and isinstance(value, list):
                value = value[0]
            threshold = draw.choice([None, None, 0, 0.3, 1, 3]) if kind in _NEGATABLE[9:] else None
            yield Pair(output=output, assertions=(_assertion(name, value, threshold=threshold),))
    for kinds, outputs, values in (
        (("is-json", "contains-json"), JSONS + TEXTS[:4], SCHEMAS),
        (("is-xml", "contains-xml"), XMLS + TEXTS[:4], XML_VALUES),
        (("is-html", "contains-html"), HTMLS + TEXTS[:4], (None,)),
        (("is-sql", "contains-sql"), SQLS, SQL_VALUES),
        (("is-refusal",), TEXTS, (None,)),
        (("javascript",), TEXTS + JSONS[:3], SCRIPTS),
        (("python",), TEXTS[:6], PYTHONS),
    ):
        for kind in kinds:
            for _ in range(8 if kind == "python" else 44):
                name = draw.choice(["", "", "not-"]) + kind
                threshold = draw.choice([None, None, 0.5]) if kind in ("javascript", "python") else None
                yield Pair(
                    output=draw.choice(outputs),
                    assertions=(_assertion(name, draw.choice(values), threshold=threshold),),
                )


def _special(draw: random.Random) -> Iterator[Pair]:
    """What rests on more than the text."""
    logprobs: tuple[list[float], ...] = ([-0.1, -0.2], [-2.0, -3.0, -0.5], [0.0], [])
    for name in ("perplexity", "perplexity-score", "not-perplexity", "not-perplexity-score"):
        for limit in (None, 0.4, 1.5, 5):
            reply = (("logProbs", draw.choice(logprobs)),)
            yield Pair(output="x", assertions=(_assertion(name, threshold=limit),), reply=reply)
    for name in ("cost", "not-cost"):
        for limit in (None, 0.001, 0.01, 0):
            for spent in (0.002, None):
                yield Pair(output="x", assertions=(_assertion(name, threshold=limit),), reply=(("cost", spent),))
    for name in ("finish-reason", "not-finish-reason"):
        for wanted in ("stop", "STOP", "length", None):
            for came in ("stop", "tool_calls", None):
                yield Pair(output="x", assertions=(_assertion(name, wanted),), reply=(("finishReason", came),))
    for name in ("guardrails", "not-guardrails"):
        for said in (
            None,
            {"flagged": True},
            {"flagged": False},
            {"flagged": True, "flaggedInput": True, "reason": "r"},
        ):
            for purpose in (None, {"purpose": "redteam"}):
                yield Pair(output="x", assertions=(_assertion(name, config=purpose),), reply=(("guardrails", said),))
    for name in ("latency", "not-latency"):
        for limit in (None, 60_000, -1):
            yield Pair(output="x", assertions=(_assertion(name, threshold=limit),))
    for name in ("no-such-type", "min-length", "not-nothing"):
        yield Pair(output="x", assertions=(_assertion(name, 1),))


def _together(draw: random.Random) -> Iterator[Pair]:
    """Several assertions: weights, thresholds, metrics, sets."""
    for _ in range(60):
        output = draw.choice(TEXTS[2:8] + TEXTS[-4:])
        members = [_weighted(draw, output) for _ in range(draw.randint(2, 4))]
        if draw.random() < 0.5:
            inner = tuple(_weighted(draw, output) for _ in range(draw.randint(1, 3)))
            members.append(
                _assertion(
                    "assert-set",
                    threshold=draw.choice([None, 0, 0.5]),
                    weight=draw.choice([None, 2]),
                    metric=draw.choice([None, "set"]),
                    **{"assert": list(inner)},
                )
            )
        yield Pair(output=output, assertions=tuple(members), threshold=draw.choice([None, None, 0, 0.4, 0.75]))


def _weighted(draw: random.Random, output: str) -> dict[str, Any]:
    kind = draw.choice(["contains", "icontains", "starts-with", "bleu", "not-contains", "javascript"])
    value = {"bleu": "the cat sat on the mat", "javascript": "output.length / 20"}.get(kind) or draw.choice(
        [output[:3], "zzz"]
    )
    return _assertion(
        kind, value, weight=draw.choice([None, None, 0, 0.5, 3]), metric=draw.choice([None, "m", "n", "{{topic}}"])
    )
