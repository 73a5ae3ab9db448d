"""What an application gets: what is live, from memory, and marked where somebody may have changed it since."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.sdk.giving import Giver, bundle_of, recipe

from watchkeeper import Prompts
from watchkeeper.releases.recipe import Limits, Message, Retrieval, Tool, canonical, release_id
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.sdk.errors import AccessRefused, CannotRender, NotServed, Unavailable
from watchkeeper.testing import FakeClock, wait_until

Application = Callable[..., Prompts]


def test_what_is_live_is_rendered_and_says_which_release_it_is(application: Application) -> None:
    rendered = application().prompt("support").render(question="Where is my parcel?")
    assert rendered.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Answer: Where is my parcel?"},
    ]
    assert (rendered.model, rendered.environment, rendered.is_stale, rendered.is_fallback) == (
        "gpt-4o-mini",
        "production",
        False,
        False,
    )
    assert rendered.headers == {
        "x-wk-feature": "support",
        "x-wk-release": release_id(recipe()),
        "x-wk-environment": "production",
    }


def test_rendering_again_asks_nobody_and_a_promotion_arrives_after_the_ttl(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    prompt = application().prompt("support")
    for _ in range(100):
        prompt.render(question="?")
    assert len(giver.asked) == 1
    giver.gives("support", bundle_of(recipe("New: {{ question }}")))
    clock.advance(10)
    assert prompt.render(question="?").messages[1]["content"] == "Answer: ?"  # served while it is looked at again
    wait_until(lambda: prompt.render(question="?").messages[1]["content"] == "New: ?")
    assert len(giver.asked) == 2


def test_an_unchanged_bundle_is_confirmed_by_its_etag(application: Application, giver: Giver, clock: FakeClock) -> None:
    prompt = application().prompt("support")
    clock.advance(11)
    prompt.render(question="?")
    wait_until(lambda: len(giver.asked) == 2)
    assert giver.asked[1][1]
    wait_until(lambda: not prompt.is_stale)


def test_however_many_threads_render_there_is_one_look_at_a_time(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    giver.delay_s = 0.05
    prompts = application()

    def work() -> None:
        for _ in range(20):
            prompts.prompt("support").render(question="?")

    for _ in range(3):
        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.advance(11)
    assert giver.most_at_once == 1
    assert len(giver.asked) <= 4


def test_while_the_gateway_is_down_the_last_release_is_served_marked_with_since_when(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    prompt = application().prompt("support")
    known_at = clock.unix_ns()
    giver.stop()
    clock.advance(11)
    prompt.render(question="?")
    rendered = wait_until(lambda: found if (found := prompt.render(question="?")).is_stale else None)
    assert rendered.messages[1]["content"] == "Answer: ?"
    assert rendered.stale_since is not None
    assert int(rendered.stale_since.timestamp() * 1e9) == known_at
    assert rendered.headers["x-wk-meta-prompt"] == "stale"
    giver.start()
    clock.advance(11)
    wait_until(lambda: not prompt.render(question="?").is_stale)


def test_after_an_hour_of_silence_the_first_rendering_is_marked_stale(
    application: Application, clock: FakeClock
) -> None:
    prompt = application().prompt("support")
    clock.advance(3600)
    assert prompt.render(question="?").is_stale
    wait_until(lambda: not prompt.render(question="?").is_stale)


def test_a_gateway_that_hears_nothing_from_its_keeper_makes_its_prompts_stale(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    prompt = application().prompt("support")
    known_at = clock.unix_ns()
    giver.is_behind = True
    clock.advance(11)
    rendered = wait_until(lambda: found if (found := prompt.render(question="?")).is_stale else None)
    assert rendered.stale_since is not None
    assert int(rendered.stale_since.timestamp() * 1e9) == known_at


def test_an_environment_and_a_pinned_release_are_asked_for_as_such(application: Application, giver: Giver) -> None:
    pinned = recipe("Pinned {{ question }}")
    giver.gives("support@staging", bundle_of(recipe("Staged {{ question }}"), environment="staging"))
    giver.gives(f"support@{release_id(pinned)}", bundle_of(pinned, environment=""))
    prompts = application()
    staged = prompts.prompt("support", "staging").render(question="?")
    assert (staged.environment, staged.messages[1]["content"]) == ("staging", "Staged ?")
    rendered = prompts.prompt("support", release_id(pinned)).render(question="?")
    assert (rendered.environment, rendered.release) == ("", release_id(pinned))


def test_a_bundle_of_something_else_is_refused_although_it_is_signed(application: Application, giver: Giver) -> None:
    giver.documents["support@staging"] = giver.documents["support"]
    with pytest.raises(Exception, match=r"support@staging was asked for, and support@production was given"):
        application().prompt("support", "staging")


def test_a_variable_that_is_missing_or_of_the_wrong_type_is_named(application: Application) -> None:
    prompt = application().prompt("support")
    for given in ({}, {"question": 3}, {"question": "?", "tone": "warm"}):
        with pytest.raises(CannotRender) as caught:
            prompt.render(variables=given)
        assert caught.value.variable == ("tone" if "tone" in given else "question")
        assert f"`{caught.value.variable}`" in str(caught.value)


def test_a_feature_that_is_taken_off_is_not_served_from_the_cache(
    application: Application, giver: Giver, clock: FakeClock
) -> None:
    prompt = application().prompt("support")
    del giver.documents["support"]
    clock.advance(11)
    prompt.render(question="?")
    with pytest.raises(NotServed, match="It serves nothing"):
        wait_until(lambda: prompt.render(question="?").release and None)
    giver.stop()
    with pytest.raises(Unavailable):
        application().prompt("support")


def test_a_stranger_on_the_way_who_says_404_takes_nothing_off(
    application: Application, giver: Giver, cache_dir: Path
) -> None:
    application().prompt("support")
    giver.is_stranger = True
    rendered = application().prompt("support").render(question="?")
    assert (rendered.is_stale, rendered.is_fallback) == (True, False)
    assert list(cache_dir.glob("support*"))


def test_a_key_that_is_not_known_is_told_so(application: Application) -> None:
    with pytest.raises(AccessRefused, match="HTTP 401"):
        application(key="sk-wk-abcdefghijkl-" + "x" * 40).prompt("support")


async def test_the_loop_goes_on_while_the_first_bundle_is_fetched(application: Application, giver: Giver) -> None:
    giver.delay_s = 0.2
    steps = 0

    async def count() -> None:
        nonlocal steps
        while True:
            await asyncio.sleep(0.01)
            steps += 1

    counting = asyncio.create_task(count())
    prompt = await application().aprompt("support")
    counting.cancel()
    assert steps >= 5
    assert prompt.render(question="?").release


def test_a_rollout_gives_each_person_the_arm_that_the_gateway_gives_them(
    application: Application, giver: Giver
) -> None:
    candidate = recipe("Candidate {{ question }}")
    rollout = Rollout("r1", "canary", (Arm(release_id(candidate), 0.3),))
    giver.gives("support", bundle_of(recipe(), candidate, rollout=rollout))
    prompt = application().prompt("support")
    people = [f"person-{number}" for number in range(300)]
    given = {person: prompt.render(question="?", subject=person) for person in people}
    assert all(given[person].release == (rollout.arm_of(person) or release_id(recipe())) for person in people)
    assert all(rendered.headers["x-wk-rollout"] == "r1" for rendered in given.values())
    assert 50 < sum(rendered.release == release_id(candidate) for rendered in given.values()) < 130
    by_call = {prompt.render(question="?").release for _ in range(100)}
    assert len(by_call) == 2


def test_a_shadow_changes_nothing_for_anybody(application: Application, giver: Giver) -> None:
    candidate = recipe("Candidate {{ question }}")
    rollout = Rollout("r1", "shadow", (Arm(release_id(candidate), 1.0),))
    giver.gives("support", bundle_of(recipe(), candidate, rollout=rollout))
    rendered = application().prompt("support").render(question="?", subject="ana")
    assert (rendered.release, rendered.rollout) == (release_id(recipe()), "")


def test_the_fallback_is_used_where_there_is_nothing_else_and_marked(
    application: Application, giver: Giver, clock: FakeClock, tmp_path: Path
) -> None:
    file = tmp_path / "support.json"
    file.write_bytes(canonical(recipe("Fallback {{ question }}")))
    giver.stop()
    prompt = application().prompt("support", fallback=file)
    rendered = prompt.render(question="?")
    assert rendered.messages[1]["content"] == "Fallback ?"
    assert (rendered.is_fallback, rendered.environment) == (True, "")
    assert rendered.release == release_id(recipe("Fallback {{ question }}"))
    assert rendered.headers["x-wk-meta-prompt"] == "fallback"
    giver.start()
    clock.advance(11)
    prompt.render(question="?")
    wait_until(lambda: not prompt.render(question="?").is_fallback)


@pytest.mark.parametrize("named", ["", "release.yaml"])
def test_the_fallback_may_be_the_folder_that_people_push(
    application: Application, giver: Giver, tmp_path: Path, named: str
) -> None:
    folder = tmp_path / "prompts" / "support"
    folder.mkdir(parents=True)
    (folder / "system.md").write_text("From a file.")
    (folder / "release.yaml").write_text(
        "feature: support\nmodel: m\nmessages:\n  - {role: system, content: {file: system.md}}\n"
        '  - {role: user, content: "{{ question }}"}\nvariables: {question: {type: string}}\n'
    )
    giver.stop()
    rendered = application().prompt("support", fallback=folder / named).render(question="?")
    assert [message["content"] for message in rendered.messages] == ["From a file.", "?"]
    (folder / "release.yaml").write_text("feature: support\nmodle: m\n")
    with pytest.raises(CannotRender, match="modle"):
        application().prompt("support", fallback=folder / named)


def test_a_fallback_of_another_feature_is_refused_before_it_is_needed(application: Application, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(canonical(recipe(feature="search")))
    with pytest.raises(CannotRender, match="of `search`, not of `support`"):
        application().prompt("support", fallback=file)


def test_retrieval_of_the_gateway_must_be_done_by_who_renders_elsewhere(application: Application, giver: Giver) -> None:
    found = recipe("{{ documents[0].text }} {{ question }}", retrieval=Retrieval("{{ question }}", "handbook"))
    giver.gives("support", bundle_of(found))
    prompt = application().prompt("support")
    with pytest.raises(CannotRender, match="give what was found as `documents`"):
        prompt.render(question="?")
    rendered = prompt.render(question="?", documents=[{"id": "d%1", "text": "Tü", "score": 0.5}])
    assert rendered.messages[1]["content"] == "Tü ?"
    assert rendered.headers["x-wk-hits"] == '[{"collection":"handbook","document":"d\\u00251","score":0.5}]'


def test_a_conversation_stands_where_the_release_has_a_place_for_it(application: Application, giver: Giver) -> None:
    said = [{"role": "user", "content": "Hi"}]
    prompt = application().prompt("support")
    assert prompt.render(question="?", messages=said).messages[2:] == said
    placed = recipe()
    with_place = type(placed)(
        feature="placed",
        model="m",
        messages=(Message("system", "S"), Message("conversation"), Message("system", "Now answer.")),
    )
    giver.gives("placed", bundle_of(with_place))
    roles = [message["role"] for message in application().prompt("placed").render(messages=said).messages]
    assert roles == ["system", "user", "system"]


def test_each_client_is_called_with_its_own_words(application: Application, giver: Giver) -> None:
    found = recipe(
        parameters={"temperature": 0, "max_tokens": 5, "stop": "END", "tool_choice": "required"},
        tools=(Tool("look", {"type": "object"}, "Looks."),),
        limits=Limits(timeout_s=7.0),
    )
    giver.gives("support", bundle_of(found))
    rendered = application().prompt("support").render(question="?", subject="Zoë", session="s")
    openai = rendered.openai()
    assert openai["tools"] == [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "description": "Looks."}}
    ]
    assert (openai["temperature"], openai["max_tokens"], openai["timeout"]) == (0, 5, 7.0)
    assert openai["extra_headers"]["x-wk-subject"] == "Zo%C3%AB"
    anthropic = rendered.anthropic()
    assert anthropic["system"] == "Be brief."
    assert anthropic["messages"] == [{"role": "user", "content": "Answer: ?"}]
    assert (anthropic["stop_sequences"], anthropic["tool_choice"]) == (["END"], {"type": "any"})
    assert anthropic["tools"] == [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}]
    giver.gives("seeded", bundle_of(recipe(feature="seeded", parameters={"seed": 1})))
    with pytest.raises(CannotRender, match="sets `seed`"):
        application().prompt("seeded").render(question="?").anthropic()


def test_a_forked_process_goes_on_by_itself(application: Application, giver: Giver, clock: FakeClock) -> None:
    prompts = application()
    prompt = prompts.prompt("support")
    giver.delay_s = 0.3
    clock.advance(11)
    prompt.render(question="?")  # a look is under way while the process forks
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            clock.advance(60)  # so long that only an answer of the gateway can make it fresh again
            prompt.render(question="?")
            wait_until(lambda: not prompt.is_stale)
            os.write(writing, prompts.prompt("support").render(question="?").release.encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    assert os.read(reading, 100).decode() == release_id(recipe())
    os.waitpid(pid, 0)
    wait_until(lambda: not prompt.is_stale)


def test_importing_watchkeeper_loads_nothing_until_it_is_used() -> None:
    program = (
        "import sys, watchkeeper; "
        "print([name for name in ('httpx', 'jinja2', 'cryptography', 'msgspec', 'asyncio') if name in sys.modules]); "
        "watchkeeper.hits; watchkeeper.Prompts; print('httpx' in sys.modules, 'pydantic' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["[]", "True False"]
