"""The pages about reports and imports name what there is, and nothing else."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.unit.evals.reported import report

from watchkeeper import evals
from watchkeeper.evals.importing import deepeval, formats, graders, ragas
from watchkeeper.evals.reports.json_files import json_lines
from watchkeeper.evals.reports.writing import FORMATS

DOCS = Path(__file__).parents[3] / "docs"


def test_every_format_of_a_report_is_on_its_page() -> None:
    named = re.findall(r"^\| `(\.\w+)`", (DOCS / "evals-reports.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(FORMATS)


def test_every_key_of_a_run_and_of_an_outcome_is_on_the_page() -> None:
    text = (DOCS / "evals-reports.md").read_text("utf-8")
    head, line, *_ = (msgspec.json.decode(line) for line in b"".join(json_lines(report())).splitlines())
    assert [key for key in (*head, *line) if f"`{key}`" not in text and f"`{key}:" not in text] == []


def test_every_format_that_can_be_imported_is_on_its_page() -> None:
    text = (DOCS / "evals-import.md").read_text("utf-8")
    assert [form for form in formats.FORMATS if f"| `{form}` |" not in text] == []


@pytest.mark.parametrize("known", [deepeval.METRICS, ragas.METRICS])
def test_every_metric_stands_beside_its_scorer(known: dict[str, tuple[str, str]]) -> None:
    lines = (DOCS / "evals-import.md").read_text("utf-8").splitlines()
    assert [
        name
        for name, (kind, _) in known.items()
        if not any(f"`{name}`" in line and line.endswith(f"| `{kind}` |") for line in lines)
    ] == []


def test_every_similarity_of_openai_has_its_scorer_on_the_page() -> None:
    text = (DOCS / "evals-import.md").read_text("utf-8")
    assert [kind for kind, _, _ in graders.SIMILARITIES.values() if f"`{kind}`" not in text] == []


def test_every_name_for_tests_is_on_its_page() -> None:
    text = (DOCS / "evals-python.md").read_text("utf-8")
    functions = [name for name in evals.__all__ if name.islower()]
    assert [name for name in functions if f"`{name}(" not in text] == []
