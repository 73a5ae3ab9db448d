"""`watchkeeper eval`: what a command loads, what it refuses, and runs that are under way."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.integration.control.commands import Command, Keeper

from watchkeeper.cli import client
from watchkeeper.evals.suite import Case, Suite

ECHO = """
prompts: ["Say: {{word}}"]
providers: [echo]
tests: [{vars: {word: apple}, assert: [{type: contains, value: apple}]}]
"""
DEAR = (
    "certifi",
    "numpy",
    "pydantic",
    "scipy",
    "sqlalchemy",
    "watchkeeper.cli.evaluating",
    "watchkeeper.evals.judging.asking",
    "watchkeeper.evals.promptfoo.convert",
    "watchkeeper.evals.reports.building",
)
"""What a configuration that asks nobody has no use for; `certifi` comes with the certificates of all authorities."""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(ECHO)
    return path


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path / "data", lambda ids, clock: {})
    keeper.start()
    assert keeper.is_ready.wait(30)
    yield keeper
    keeper.stop()


def test_a_configuration_that_asks_nobody_loads_little_and_reads_no_certificates(echo: Path, tmp_path: Path) -> None:
    check = (
        "import sys; from watchkeeper.cli.main import main\n"
        f"try: main(['eval', 'run', {str(echo)!r}, '-q', '--data', {str(tmp_path / 'nobody')!r}])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print(sorted(set({DEAR!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert "1 passed" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_report_of_a_run_that_would_not_be_kept_is_refused_before_anything_is_asked(
    echo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wk = Command(capsys)
    page = tmp_path / "report.html"
    assert wk("eval", "run", str(echo), "--out", str(page), data=tmp_path / "nobody") != 0
    assert "passed" not in wk.out and not page.exists()


def test_runs_are_listed_while_one_is_under_way(keeper: Keeper, capsys: pytest.CaptureFixture[str]) -> None:
    data = keeper.folder.root
    suite = Suite(feature="support", name="answers", cases=(Case(id="a", answer="yes"),))
    kept = client.post(data, "/api/v1/evals/suites", suite=msgspec.to_builtins(suite))
    begun = client.post(data, "/api/v1/evals/runs", suite=kept["id"], columns=[{"name": "candidate", "title": "echo"}])
    wk = Command(capsys)
    assert wk("eval", "list", data=data) == 0, wk.err
    assert begun["id"] in wk.out and "running" in wk.out


def test_a_run_without_a_baseline_asks_the_keeper_for_nothing_case_by_case(
    keeper: Keeper, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    cases = "".join(f'{{"id": "c{number}", "answer": "yes", "reference": "yes"}}\n' for number in range(60))
    (tmp_path / "answers.jsonl").write_text(cases)
    path = tmp_path / "answers.yaml"
    path.write_text("feature: support\ncases: answers.jsonl\nscorers: [contains]\n")
    wk = Command(capsys)
    caplog.set_level("INFO", logger="uvicorn.access")
    assert wk("eval", "run", str(path), "-q", data=keeper.folder.root) == 0, wk.err
    assert "60 passed" in wk.out
    asked = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert not any("/outcomes?case=" in one for one in asked)
