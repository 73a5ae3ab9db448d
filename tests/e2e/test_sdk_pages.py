"""What the pages on prompts in the application and on replay show works as it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.e2e.test_sdk_and_replay import put_live

from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.testing import Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

DOCS = Path(__file__).parents[2] / "docs"
RECIPE = Recipe(
    feature="support",
    model="gpt-4o-mini",
    messages=(Message("system", "You answer for {{ company }}."), Message("user", "{{ question }}")),
    variables={"company": {"type": "string"}, "question": {"type": "string"}},
    parameters={"max_tokens": 50},
)
WRITTEN = """
feature: support
model: gpt-4o-mini
messages: [{role: user, content: "{{ company }}: {{ question }}"}]
variables: {company: {type: string}, question: {type: string}}
"""


@pytest.fixture
def installed(install: Callable[..., Installation], upstream: Upstream) -> Installation:
    upstream.always(Reply("On its way."))
    installation = install(routes="  gpt-4o: {targets: [scripted/gpt-4o]}")
    installation.key = installation.make_key("--feature", "support")
    put_live(installation, RECIPE, environments=("production", "staging"))
    return installation


def call_of_feature(installation: Installation) -> str | None:
    """Call the feature; return the call's id, None while the release is not yet served."""
    reply = httpx.post(
        f"{installation.base_url}/chat/completions",
        json={"model": "feature/support", "messages": [], "variables": {"company": "Acme", "question": "Where?"}},
        headers={"authorization": f"Bearer {installation.key}"},
    )
    return reply.headers["x-wk-call-id"] if reply.status_code == 200 else None


def test_the_program_on_the_page_runs(installed: Installation, tmp_path: Path, upstream: Upstream) -> None:
    wait_until(lambda: call_of_feature(installed))
    program = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / "sdk.md").read_text("utf-8"), re.DOTALL))
    origin = installed.base_url.removesuffix("/v1")
    program = program.replace("http://127.0.0.1:4000", origin).replace("sk-wk-...", installed.key)
    (tmp_path / "prompts" / "support").mkdir(parents=True)
    (tmp_path / "prompts" / "support" / "release.yaml").write_text(WRITTEN)
    told = {"WATCHKEEPER_URL": origin, "WATCHKEEPER_API_KEY": installed.key, "WATCHKEEPER_CACHE": str(tmp_path / "c")}
    told["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", program + "\nprint(reply.choices[0].message.content, answer.content[0].text)"],
        cwd=tmp_path, env=os.environ | told, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "On its way. On its way.\n", done.stderr


def test_the_commands_on_the_page_run(installed: Installation) -> None:
    served = wait_until(lambda: call_of_feature(installed))
    installed.call(served)
    (block,) = re.findall(r"```sh\n(.*?)```", (DOCS / "replay.md").read_text("utf-8"), re.DOTALL)
    for line in block.strip().splitlines():
        words = re.findall(r'"[^"]*"|\S+', line.replace("01M7ZJ93DCNGJEBCX44SGV75T3", served))
        done = installed.cli(*[word.strip('"') for word in words[1:]])
        assert done.returncode == 0, done.stderr
        assert ("nothing was sent" in done.stderr) == ("--dry-run" in line)
