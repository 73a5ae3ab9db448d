"""JavaScript of configurations runs, and stays where it is."""

import math
import time
from collections.abc import Iterator

import pytest

from watchkeeper.evals.promptfoo.javascript import UNDEFINED, Engine, ScriptFailed

MEMORY = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(memory_bytes=MEMORY, timeout_s=0.5)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("output.length > 3", True),
        ("const n = output.length;\nreturn n * 2;", 10),
        ("context.vars.list[1]", "b"),
        ("({pass: true, score: 0.5})", {"pass": True, "score": 0.5}),
        ("Promise.resolve(output)", "hello"),
        ("null", None),
        ("undefined", UNDEFINED),
        ("1 / 0", math.inf),
        ("'\\ud800'", "\ud800"),
        ("console.log('x') || 1", 1),
    ],
)
def test_expressions_and_bodies_return_their_value(engine: Engine, code: str, value: object) -> None:
    assert engine.evaluate(code, output="hello", context={"vars": {"list": ["a", "b"]}}) == value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("(() => { while (true) {} })()", "time"),
        ("new Promise(() => {})", "time"),
        ("/(a+)+$/.test('a'.repeat(40) + 'b')", "time"),
        ("(() => { const a = []; while (true) a.push(new Array(1000).fill(1)); })()", None),
        ("(() => { const b = []; for (let i = 0; i < 100; i++) b.push(new Uint8Array(1e8).fill(1)); })()", None),
        ("'x'.repeat(5e8)", None),
        ("new Array(1e9).fill(0)", None),
        ("(() => { throw new Error('no'); })()", "code"),
        ("return return", "code"),
        ("require('fs')", "code"),
        ("process.exit()", "code"),
        ("fetch('http://127.0.0.1')", "code"),
        ("(() => { const a = {}; a.a = a; return a; })()", "code"),
        ("() => 1", "code"),
    ],
)
def test_what_goes_wrong_ends_with_an_error_and_the_engine_goes_on(engine: Engine, code: str, kind: str | None) -> None:
    started = time.monotonic()
    with pytest.raises(ScriptFailed) as failed:
        engine.evaluate(code)
    assert kind is None or failed.value.kind == kind
    assert time.monotonic() - started < 20
    assert engine.evaluate("1 + 1") == 2


def test_a_file_gives_its_function_by_name_alone_or_as_its_default(engine: Engine) -> None:
    assert engine.call("module.exports = (a, b) => a + b;", "", [1, 2]) == 3
    assert engine.call("exports.twice = (a) => a * 2;", "twice", [4]) == 8
    assert engine.call("export default function named(a) { return [a]; }", "", ["x"]) == ["x"]
    assert (
        engine.call("export const one = () => 1;\nconst two = () => 2;\nexport { two as second };", "second", []) == 2
    )


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("const fs = require('fs'); module.exports = () => 1;", "require"),
        ("import fs from 'fs';\nexport default () => 1;", "import"),
        ("module.exports = 5;", "function"),
    ],
)
def test_a_file_that_needs_more_than_itself_is_refused_by_name(engine: Engine, source: str, word: str) -> None:
    with pytest.raises(ScriptFailed, match=word):
        engine.call(source, "", [])


def test_patterns_are_those_of_javascript(engine: Engine) -> None:
    assert engine.search(r"(?<year>\d{4})", "in 2026")
    assert not engine.search(r"^b$", "a\nb")
    assert not engine.search(r"^\d$", "\u0663")
    with pytest.raises(ScriptFailed) as failed:
        engine.search("[", "x")
    assert failed.value.kind == "code"
