"""docs/judges.md says of types, kinds and judges of one's own what the code says."""

import json
import re
from pathlib import Path

import yaml

from watchkeeper.evals.judging.kinds import KINDS, PREPARING
from watchkeeper.evals.judging.shipped import lacking, recipe
from watchkeeper.evals.judging.table import KNOWN, build, kinds_of, threshold_of
from watchkeeper.evals.suite import Scorer
from watchkeeper.releases.authoring import read_authored
from watchkeeper.testing import ScriptedJudge

PAGE = (Path(__file__).parents[3] / "docs/judges.md").read_text("utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins so, by what stands in their first cell."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_type_is_on_the_page_with_its_threshold_and_what_it_asks() -> None:
    found = rows("type | what passes")
    assert set(found) == set(KNOWN)
    for name, (_, asks, _, passes_from) in found.items():
        made = Scorer(type=name, value="x", judge="m")
        assert set(kinds_of(made)) <= set(re.findall(r"`(\w+)`", asks)) <= set(KINDS)
        assert float(passes_from) == threshold_of(made)


def test_every_kind_is_on_the_page_with_its_variables_and_keys() -> None:
    found = rows("kind")
    assert set(found) == set(KINDS)
    for kind, (variables, answer) in found.items():
        made = recipe(kind, "m")
        assert made.output is not None and made.output.schema is not None
        assert re.findall(r"`(\w+)`", variables) == list(made.variables)
        assert re.findall(r"`(\w+)`", answer) == list(made.output.schema["properties"])
    for kind in PREPARING:
        assert f"`{kind}`" in PAGE[PAGE.index("The steps before a verdict") :]


def test_the_judge_of_ones_own_on_the_page_can_be_asked_for_rubrics() -> None:
    blocks = re.findall(r"```(?:yaml|json)\n(.*?)```", PAGE, re.DOTALL)
    [written] = [yaml.safe_load(block) for block in blocks if "release.yaml" in block]
    [schema] = [json.loads(block) for block in blocks if block.startswith("{")]
    written["output"]["schema"] = schema
    assert lacking(read_authored(written), "rubric") == []


def test_the_scorers_of_the_suite_on_the_page_can_be_used() -> None:
    [suite] = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "suites/" in block
    ]
    for written in suite["scorers"]:
        build(Scorer(**{"judge": suite["judge"], **written}), ScriptedJudge({}))
