"""What the pages on evaluation show works as it stands there."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.test_sdk_and_replay import put_live

from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.testing import Reply, Upstream
from watchkeeper.testing.harness import Installation

DOCS = Path(__file__).parents[2] / "docs"
RECIPE = Recipe(
    feature="support",
    model="gpt-4o-mini",
    messages=(Message("system", "You answer for {{ company }}."), Message("user", "{{ question }}")),
    variables={"company": {"type": "string"}, "question": {"type": "string"}},
)
ANSWER = "Paris. I have looked up your order, and it says hello."
REGISTRY = """
sums: {id: sums.dev, metrics: [accuracy]}
sums.dev: {class: "evals.elsuite.basic.match:Match", args: {samples_jsonl: sums.jsonl}}
"""


@pytest.fixture
def installed(
    install: Callable[..., Installation], upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    upstream.always(Reply(ANSWER))
    installation = install(routes="  default: {targets: [scripted/gpt-4o-mini]}")
    monkeypatch.chdir(tmp_path)
    return installation


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def written(page: str) -> None:
    """Write the suite of a page where its first line says that it lies."""
    text = next(block for block in blocks(page, "yaml") if block.startswith("# suites/"))
    path = Path(text.splitlines()[0].removeprefix("# "))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def typed(installation: Installation, line: str) -> subprocess.CompletedProcess[str]:
    return installation.cli(*shlex.split(line)[1:])


def test_the_first_suites_run_and_every_command_beside_them(installed: Installation) -> None:
    written("start.md")
    (line,) = (one for block in blocks("start.md", "sh") for one in block.splitlines() if " eval " in one)
    done = typed(installed, line)
    assert done.returncode == 0 and "candidate: 2 passed" in done.stdout, done.stdout + done.stderr
    written("evals.md")
    for line in "".join(blocks("evals.md", "sh")).splitlines():
        done = typed(installed, line)
        assert done.returncode == 0 and "support/answers" in done.stdout, f"{line}: {done.stdout}{done.stderr}"


def test_reports_are_written_as_the_page_says_and_pytest_runs_the_suite(installed: Installation) -> None:
    put_live(installed, RECIPE)
    written("evals.md")
    gated, exported = "".join(blocks("evals-reports.md", "sh")).splitlines()
    assert typed(installed, gated).returncode == 4, "two cases cannot tell"
    run = installed.cli_json("eval", "list")["runs"][0]["id"]
    assert typed(installed, exported.replace("RUN", run)).returncode == 0
    for name in ("report.html", "report.junit.xml", "comment.md"):
        assert "capital" in Path(name).read_text("utf-8") or name == "comment.md", name
    chain = "def my_chain(question):\n    return 'Paris, and an order'\n"
    Path("test_answers.py").write_text("\n".join([chain, *blocks("evals-python.md", "python")]))
    told = {
        "WATCHKEEPER_URL": installed.base_url.removesuffix("/v1"),
        "WATCHKEEPER_API_KEY": installed.make_key("--feature", "support"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_answers.py"],
        env=os.environ | told, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout


def test_a_file_of_another_program_becomes_a_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("registry/evals").mkdir(parents=True)
    Path("registry/evals/sums.yaml").write_text(REGISTRY)
    sample = {"input": [{"role": "user", "content": "The capital of France?"}], "ideal": "Paris"}
    Path("registry/evals/sums.jsonl").write_text(json.dumps(sample))
    (line,) = "".join(blocks("evals-import.md", "sh")).splitlines()
    command = [sys.executable, "-c", "from watchkeeper.cli.main import main; main()", *shlex.split(line)[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "suites/maths/sums.yaml" in done.stdout, done.stderr
    by_command = Path("suites/maths/sums.yaml").read_text()
    (program,) = blocks("evals-import.md", "python")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("understood"), done.stderr
    assert Path("suites/maths/sums.yaml").read_text() == by_command


def test_options_that_a_configuration_of_promptfoo_would_not_heed_are_refused(installed: Installation) -> None:
    Path("promptfooconfig.yaml").write_text(
        'prompts: ["{{q}}", "Please: {{q}}"]\nproviders: [echo]\n'
        "tests:\n  - {vars: {q: hi}, assert: [{type: contains, value: hi}]}\n"
    )
    for option in ("--model=gpt-4o-mini", "--env=production", "--gate"):
        done = installed.cli("eval", "run", "promptfooconfig.yaml", option)
        assert done.returncode == 2 and "Nothing was asked" in done.stderr, done.stderr
    done = installed.cli("eval", "run", "promptfooconfig.yaml", "-o", "report.html", "--output", "out.json")
    assert done.returncode == 0, done.stderr
    assert Path("report.html").read_text().startswith("<!doctype") and json.loads(Path("out.json").read_text())
    run = installed.cli_json("eval", "list")["runs"][0]["id"]
    assert "stand side by side" in installed.cli("eval", "show", run).stdout
    done = installed.cli("eval", "run", "promptfooconfig.yaml", "--cap", "lots")
    assert done.returncode == 2 and "US dollars" in done.stderr
