"""An application with prompts of its own and people who repeat calls, on a whole installation that comes and goes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from openai import OpenAI
from tests.e2e.conftest import ask

from watchkeeper import Prompts
from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.authoring import authored
from watchkeeper.releases.recipe import Message, Recipe, Retrieval
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingDraft
from watchkeeper.testing import Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

APPLICATION = """
import os, sys, watchkeeper
prompt = watchkeeper.prompt("support")
rendered = prompt.render(question="Where?")
print(rendered.release, rendered.is_stale, rendered.messages[-1]["content"])
"""


def recipe(text: str, model: str = "gpt-4o-mini") -> Recipe:
    return Recipe(
        feature="support",
        model=model,
        messages=(Message("system", "Be kind."), Message("user", text)),
        variables={"question": {"type": "string"}},
    )


def put_live(
    installation: Installation, *recipes: Recipe, environments: tuple[str, ...] = ("production",)
) -> list[str]:
    """Push releases, the last of which serves from now on."""

    async def act() -> list[str]:
        store = await ControlStore.open(f"sqlite:///{installation.data}/control.db", SystemClock())
        pushed = []
        for one in recipes:
            parent = await store.releases.head("support")
            row, _ = await store.releases.push(one, parent=parent, author="ana", message="tried")
            pushed.append(str(row.id))
        for environment in environments:
            draft = StandingDraft(
                feature="support", environment=environment, kind="promote", release=pushed[-1], by="ana"
            )
            await store.environments.put(draft)
        await store.close()
        return pushed

    return asyncio.run(act())


def run_application(installation: Installation, cache: Path) -> str:
    """Render in a process of its own, as an application does: told by its environment where the gateway is."""
    variables = {
        "WATCHKEEPER_URL": installation.base_url,
        "WATCHKEEPER_API_KEY": installation.key,
        "WATCHKEEPER_CACHE": str(cache),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr


@pytest.fixture
def installed(install: Callable[..., Installation], upstream: Upstream) -> Installation:
    """With the first key of the feature `support`."""
    installation = install(routes="  other: {targets: [scripted/gpt-4o]}")
    installation.key = installation.make_key("--feature", "support")
    wait_until(lambda: ask(installation).status_code == 200)
    return installation


def test_an_application_renders_on_while_the_installation_is_killed_and_started_again(
    installed: Installation, tmp_path: Path, upstream: Upstream
) -> None:
    first, second = recipe("One: {{ question }}"), recipe("Two: {{ question }}")
    (release,) = put_live(installed, first)
    prompts = Prompts(installed.base_url, installed.key, cache_dir=tmp_path / "cache", ttl_s=0.2)
    prompt = wait_until(lambda: _served(prompts), within_s=5)
    assert prompt.render(question="Where?").release == release
    assert run_application(installed, tmp_path / "own") == f"{release} False One: Where?\n"

    installed.stop()
    assert run_application(installed, tmp_path / "own") == f"{release} True One: Where?\n"
    prompt.render(question="Where?")
    rendered = wait_until(lambda: found if (found := prompt.render(question="Where?")).is_stale else None)
    assert rendered.release == release
    assert rendered.stale_since is not None

    installed.start()
    (newer,) = put_live(installed, second)
    wait_until(lambda: prompt.render(question="Where?").release == newer)
    assert not wait_until(lambda: found if not (found := prompt.render(question="?")).is_stale else None).is_fallback
    with OpenAI(base_url=installed.base_url, api_key=installed.key, max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(**prompt.render(question="Where?").openai())
    call = installed.call(raw.headers["x-wk-call-id"])
    assert (call["release"], call["environment"], call["feature"]) == (newer, "production", "support")


def _served(prompts: Prompts) -> Any:
    try:
        return prompts.prompt("support")
    except Exception:  # not yet
        return None


def test_a_call_is_repeated_under_another_release_and_by_another_model(
    installed: Installation, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = put_live(installed, recipe("Short: {{ question }}"), recipe("Long: {{ question }}", "other"))
    upstream.always(Reply("Your order is on its way to you."), model="gpt-4o-mini")
    upstream.always(Reply("Your parcel is on its way to you."), model="gpt-4o")
    served = wait_until(lambda: _asked(installed, f"feature/support@{old}"), within_s=5)

    found = installed.cli_json("replay", served, "--release", new)
    replay = found["replay"]
    assert upstream.received[-1].json["messages"][-1]["content"] == "Long: Where is it?"
    assert (replay["release"], replay["feature"], replay["tenant"]) == (new, "support", "acme")
    assert found["original"]["subject"] == replay["subject"] != ""
    assert (replay["key"], replay["tags"]) == ("keeperreplay", ["a", "b"])
    assert replay["metadata"]["replayed-by"] == "local"
    assert found["answers"] == {
        "original": "Your order is on its way to you.",
        "replay": "Your parcel is on its way to you.",
    }
    changed = [part["text"] for line in found["diff"] for part in line["parts"] if part["is_changed"]]
    assert changed == ["order", "parcel"]
    assert replay["cost"]["status"] == "measured"

    by_model = installed.cli_json("replay", served, "--model", "scripted/gpt-4o")
    assert by_model["replay"]["model"] == "gpt-4o"
    assert upstream.received[-1].json["messages"][-1]["content"] == "Short: Where is it?"

    shown = installed.cli("replay", served, "--release", new[:12], "--variables", "question=Why?", "--times", "2")
    assert shown.returncode == 0, shown.stderr
    assert upstream.received[-1].json["messages"][-1]["content"] == "Long: Why?"
    assert "- Your [-order-] is on its way to you." in shown.stdout
    assert "+ Your {+parcel+} is on its way to you." in shown.stdout
    assert "replay 2" in shown.stdout

    sent_before = len(upstream.received)
    dry = installed.cli_json("replay", served, "--model", "scripted/gpt-4o", "--dry-run")
    assert dry["estimate"]["target"] == "scripted/gpt-4o"
    assert dry["estimate"]["cost"]["status"] == "estimated"
    assert float(dry["estimate"]["cost"]["amount_usd"]) > 0
    nowhere = installed.cli("replay", served, "--model", "gpt-9")
    assert (nowhere.returncode, "Nothing was sent" in nowhere.stderr) == (3, True)
    assert len(upstream.received) == sent_before


def test_a_plain_call_is_repeated_under_a_release_once_its_variables_are_given(
    installed: Installation, upstream: Upstream
) -> None:
    (release,) = put_live(installed, recipe("Q: {{ question }}"))
    wait_until(lambda: _asked(installed, "feature/support"), within_s=5)
    plain = ask(installed).headers["x-wk-call-id"]
    installed.call(plain)
    refused = installed.cli("replay", plain, "--release", release)
    assert refused.returncode == 1
    assert "takes variable `question`" in refused.stderr
    assert "--variables question=..." in refused.stderr
    found = installed.cli_json("replay", plain, "--release", release, "--variables", "question=Why?")
    assert found["replay"]["release"] == release
    assert found["notes"]


def test_without_a_keeper_nothing_is_repeated_and_it_is_said(installed: Installation) -> None:
    served = ask(installed).headers["x-wk-call-id"]
    installed.call(served)
    installed.stop()
    refused = installed.cli("replay", served, "--model", "other")
    assert refused.returncode == 4
    assert "No keeper runs" in refused.stderr
    for wrong in (["--model", "a", "--release", "b"], [], ["--model", "a", "--times", "21"]):
        assert installed.cli("replay", served, *wrong).returncode == 2
    assert installed.cli("replay", served, "--model", "a", "--variables", "x").returncode == 2


def test_a_recipe_that_nobody_has_pushed_can_be_tried(installed: Installation, upstream: Upstream) -> None:
    (release,) = put_live(installed, recipe("Q: {{ question }}"))
    served = wait_until(lambda: _asked(installed, "feature/support"), within_s=5)
    draft = authored(recipe("Draft: {{ question }}"))
    found = post(installed, {"call": served, "recipe": draft})
    assert upstream.received[-1].json["messages"][-1]["content"] == "Draft: Where is it?"
    assert (found["replay"]["feature"], found["replay"]["release"]) == ("support", "")
    typed = post(installed, {"release": release, "variables": {"question": "Typed?"}})
    assert upstream.received[-1].json["messages"][-1]["content"] == "Q: Typed?"
    assert (typed["original"], typed["replay"]["release"]) == (None, release)
    assert post(installed, {"call": served, "recipe": {"feature": 3}})["error"]["code"] == "recipe_refused"
    assert post(installed, {"call": served})["error"]["code"] == "wish_unclear"
    assert post(installed, {"call": "01M7ZJ93DCNGJEBCX44SGV75T3", "model": "x"})["error"]["code"] == "call_not_found"


def test_a_recipe_that_looks_documents_up_finds_them_before_it_is_pushed(
    installed: Installation, upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "returns.md").write_text("# Returns\n\nParcels can be returned within thirty days.\n")
    built = installed.cli("index", "build", str(tmp_path / "handbook"))
    assert built.returncode == 0, built.stderr
    finding = recipe("{{ documents[0].text }} {{ question }}")
    draft = authored(structs.replace(finding, retrieval=Retrieval("{{ question }}", "handbook")))
    found = post(installed, {"recipe": draft, "variables": {"question": "When can parcels be returned?"}})
    assert found["replay"]["status"] == "ok", found
    assert "within thirty days" in upstream.received[-1].json["messages"][-1]["content"]


def post(installation: Installation, query: dict[str, Any]) -> dict[str, Any]:
    """Ask the control API with a token."""
    token = installation.cli("tokens", "create", "replayer").stdout.strip().splitlines()[-1]
    headers = {"authorization": f"Bearer {token}"}
    reply = httpx.post(f"{installation.console_url}/api/v1/replays", json=query, headers=headers, timeout=30)
    found: dict[str, Any] = reply.json()
    return found


def test_only_the_keeper_can_say_that_a_call_is_a_replay(installed: Installation, upstream: Upstream) -> None:
    served = ask(installed).headers["x-wk-call-id"]
    headers = {
        "authorization": f"Bearer {installed.key}",
        "x-wk-replay-of": served,
        "x-wk-replay-subject": "sub_" + "0" * 32,
    }
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    reply = httpx.post(f"{installed.base_url}/chat/completions", json=body, headers=headers)
    call = installed.call(reply.headers["x-wk-call-id"])
    assert call["subject"] == ""
    guessed = headers | {"authorization": "Bearer sk-wk-keeperreplay-" + "a" * 40}
    assert httpx.post(f"{installed.base_url}/chat/completions", json=body, headers=guessed).status_code == 401
    assert "keeperreplay" not in installed.cli("keys", "list").stdout


def _asked(installation: Installation, model: str) -> str | None:
    """Call a feature; return the call's id once it is stored, None while the release is not yet served."""
    reply = httpx.post(
        f"{installation.base_url}/chat/completions",
        json={"model": model, "messages": [], "variables": {"question": "Where is it?"}},
        headers={
            "authorization": f"Bearer {installation.key}",
            "x-wk-subject": "ana@example.com",
            "x-wk-tenant": "acme",
            "x-wk-tags": "a, b",
        },
    )
    if reply.status_code != 200:
        assert reply.status_code == 404, reply.text
        return None
    found: str = installation.call(reply.headers["x-wk-call-id"])["id"]
    json.dumps(found)
    return found
