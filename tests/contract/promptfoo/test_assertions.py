"""Assertions give the verdicts that promptfoo gives, on a table made from a seed."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.promptfoo.conftest import Runs
from tests.contract.promptfoo.pairs import pairs
from tests.contract.promptfoo.verdicts import configuration, marking_of, ours, theirs

from watchkeeper.evals.promptfoo.model import Compat

RECORDED = Path(__file__).with_name("verdicts-0.123.1.json")
"""What promptfoo 0.123.1 said, which needs a newer Node than most machines have; the README beside it says how."""
PAIRS_MIN = 500
EXCEPTIONS: dict[Compat, tuple[str, ...]] = {"0.118": (), "latest": ("meteor", "not-meteor")}
"""Types on which we decide otherwise, on purpose: docs/promptfoo.md says why."""


async def test_verdicts_are_those_of_promptfoo_itself(promptfoo: Runs, tmp_path: Path) -> None:
    config, env = configuration(tmp_path)
    await _assert_agreement(theirs(promptfoo(config, {"evaluate": {"maxConcurrency": 8}}, env)), "0.118")


async def test_verdicts_are_those_of_the_newest_promptfoo_as_it_was_recorded() -> None:
    await _assert_agreement(json.loads(RECORDED.read_text("utf-8")), "latest")


async def _assert_agreement(expected: list[Any], compat: Compat) -> None:
    table = pairs()
    assert len(table) == len(expected)
    assert len(table) >= PAIRS_MIN
    differing: list[str] = []
    with marking_of() as marking:
        for at, (pair, their) in enumerate(zip(table, expected, strict=True)):
            if pair.kind in EXCEPTIONS[compat]:
                continue
            if (our := await ours(pair, at, marking, compat)) != their:
                differing.append(f"{pair.assertions} of {pair.output!r}: promptfoo {their}, ours {our}")
    assert not differing, f"{len(differing)} of {len(table)}:\n" + "\n".join(differing[:20])


def test_the_table_has_every_deterministic_type_negated_too() -> None:
    kinds = {assertion["type"] for pair in pairs() for assertion in pair.assertions}
    plain = {
        "contains",
        "contains-all",
        "contains-any",
        "contains-html",
        "contains-json",
        "contains-sql",
        "contains-xml",
    }
    plain |= {
        "equals",
        "icontains",
        "icontains-all",
        "icontains-any",
        "is-html",
        "is-json",
        "is-refusal",
        "is-sql",
        "is-xml",
    }
    plain |= {"bleu", "cost", "finish-reason", "gleu", "guardrails", "javascript", "latency", "levenshtein", "meteor"}
    plain |= {"perplexity", "perplexity-score", "python", "regex", "rouge-n", "starts-with"}
    missing = {name for kind in plain for name in (kind, f"not-{kind}") if name not in kinds}
    assert not missing


@pytest.mark.parametrize("compat", ["0.118", "latest"])
async def test_an_unknown_type_is_an_error_and_not_skipped(compat: Compat) -> None:
    table = [(at, pair) for at, pair in enumerate(pairs()) if pair.kind == "no-such-type"]
    assert table
    with marking_of() as marking:
        assert [await ours(pair, at, marking, compat) for at, pair in table] == ["error"]
