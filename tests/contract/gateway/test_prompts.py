"""Applications that render prompts themselves get what is live, signed, and their calls are stamped with it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import call_of
from tests.contract.gateway.test_features import RENDERED, SUPPORT, VARIABLES, ask

import watchkeeper
from watchkeeper import Prompts
from watchkeeper.core.call import Hit
from watchkeeper.core.errors import CallerError
from watchkeeper.gateway.live import Live, Standing
from watchkeeper.releases.bundle import verify
from watchkeeper.releases.recipe import Message, Recipe, canonical, release_id
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.sdk.errors import AccessRefused, CannotRender, NotServed
from watchkeeper.testing import Reply, Upstream

OTHER = Recipe(feature="search", model="gpt-4o-mini", messages=(Message("user", "Find."),))


@pytest.fixture
def release(gateway: Gateway) -> Iterator[str]:
    yield gateway.push(SUPPORT)
    gateway.features.follow(Live(0, {}))
    gateway.features.is_stale = False


@pytest.fixture
def prompts(gateway: Gateway, tmp_path: Path) -> Prompts:
    return Prompts(gateway.base_url, gateway.key, cache_dir=tmp_path / "cache")


def test_what_is_given_out_is_what_is_live_and_signed(gateway: Gateway, http: httpx.Client, release: str) -> None:
    reply = http.get("/prompts/support")
    bundle = verify(reply.content, gateway.signer.public_key)
    assert (bundle.feature, bundle.environment, bundle.release) == ("support", "production", release)
    assert bundle.recipes == {release: SUPPORT}
    assert bundle.since_ns > 0
    assert http.get("/prompts/support@production").content == reply.content
    assert http.head("/prompts/support").content == b""


def test_what_still_holds_is_not_sent_again(gateway: Gateway, http: httpx.Client, release: str) -> None:
    etag = http.get("/prompts/support").headers["etag"]
    again = http.get("/prompts/support", headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    gateway.push(Recipe(feature="support", model="alias", messages=SUPPORT.messages, variables=SUPPORT.variables,
                        blocks=SUPPORT.blocks))  # fmt: skip
    assert http.get("/prompts/support", headers={"if-none-match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("support@nowhere", 404, "feature_not_live"),
        ("support@wk1-abc", 404, "release_not_found"),
        ("search", 403, "prompt_refused"),
        ("search@{other}", 403, "prompt_refused"),
        ("support@{other}", 404, "release_not_found"),
        ("", 403, "prompt_refused"),
        ("%2e%2e/%00@x", 403, "prompt_refused"),
    ],
)
def test_a_key_gets_the_prompts_of_its_own_feature_and_no_others(
    gateway: Gateway, http: httpx.Client, release: str, path: str, status: int, code: str
) -> None:
    other = gateway.push(OTHER)
    reply = http.get(f"/prompts/{path.format(other=other)}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_nobody_gets_a_prompt_without_a_key(gateway: Gateway, release: str) -> None:
    assert httpx.get(f"{gateway.base_url}/prompts/support").status_code == 401
    revoked = {"authorization": f"Bearer {gateway.keys['revoked'].key}"}
    assert httpx.get(f"{gateway.base_url}/prompts/support", headers=revoked).status_code == 401
    assert httpx.post(f"{gateway.base_url}/prompts/support", headers=revoked).status_code == 405


def test_a_call_of_the_official_client_is_stamped_with_the_release(
    gateway: Gateway, client: OpenAI, upstream: Upstream, prompts: Prompts, release: str
) -> None:
    upstream.always(Reply("On its way."))
    rendered = prompts.prompt("support").render(variables=VARIABLES, subject="ana@example.com", session="s-1")
    raw = client.chat.completions.with_raw_response.create(**rendered.openai())
    assert upstream.received[-1].json["messages"] == RENDERED
    call = gateway.call(raw.headers["x-wk-call-id"])
    assert (call.feature, call.environment, call.release, call.session) == ("support", "production", release, "s-1")
    assert call.subject == gateway.pseudonym("", "ana@example.com")
    assert call.rollout == ""
    # The same request that the gateway itself makes of the release.
    own = upstream.received[-1].json
    ask(httpx.Client(base_url=gateway.base_url, headers={"authorization": f"Bearer {gateway.key}"}))
    assert upstream.received[-1].json == own


async def test_the_asynchronous_client_as_well(
    gateway: Gateway, async_client: AsyncOpenAI, prompts: Prompts, release: str
) -> None:
    prompt = await prompts.aprompt("support", "production")
    raw = await async_client.chat.completions.with_raw_response.create(**prompt.render(variables=VARIABLES).openai())
    assert gateway.call(raw.headers["x-wk-call-id"]).release == release


def test_anthropics_client_is_called_with_its_own_words(gateway: Gateway, claude: Anthropic, prompts: Prompts) -> None:
    recipe = Recipe(
        feature="support",
        model="sonnet",
        messages=(Message("system", "Be kind."), Message("user", "{{ question }}")),
        variables={"question": {"type": "string"}},
        parameters={"max_tokens": 20, "stop": "END"},
    )
    release = gateway.push(recipe)
    raw = claude.messages.with_raw_response.create(**prompts.prompt("support").render(question="Hi").anthropic())
    assert raw.parse().content
    assert gateway.call(raw.headers["x-wk-call-id"]).release == release


def test_who_is_on_which_arm_does_not_depend_on_who_renders(
    gateway: Gateway, client: OpenAI, http: httpx.Client, upstream: Upstream, prompts: Prompts
) -> None:
    upstream.always(Reply("Yes."))
    candidate = Recipe(
        feature="support", model="alias", messages=SUPPORT.messages, variables=SUPPORT.variables, blocks=SUPPORT.blocks
    )
    gateway.recipes[release_id(candidate)] = canonical(candidate)
    gateway.push(SUPPORT, rollout=Rollout("canary-1", "canary", (Arm(release_id(candidate), 0.5),)))
    prompt = prompts.prompt("support")
    seen = set()
    for number in range(12):
        person = f"person-{number}@example.com"
        rendered = prompt.render(variables=VARIABLES, subject=person)
        by_gateway = call_of(gateway, ask(http, headers={"x-wk-subject": person}))
        raw = client.chat.completions.with_raw_response.create(**rendered.openai())
        by_sdk = gateway.call(raw.headers["x-wk-call-id"])
        assert rendered.release == by_gateway.release == by_sdk.release
        assert by_gateway.rollout == by_sdk.rollout == "canary-1"
        as_user = call_of(gateway, ask(http, user=person))
        assert as_user.release == rendered.release
        seen.add(rendered.release)
    assert len(seen) == 2


def test_a_shadow_is_nobodys_business_outside(gateway: Gateway, http: httpx.Client) -> None:
    gateway.push(SUPPORT, rollout=Rollout("shadow-1", "shadow", (Arm(release_id(OTHER), 1.0),)))
    assert verify(http.get("/prompts/support").content, gateway.signer.public_key).rollout is None


def test_a_gateway_that_hears_nothing_from_its_keeper_says_so(gateway: Gateway, prompts: Prompts, release: str) -> None:
    gateway.features.is_stale = True
    rendered = prompts.prompt("support").render(variables=VARIABLES)
    assert rendered.is_stale
    assert rendered.stale_since is None  # this application has never known it to be live


def test_what_is_refused_is_said_in_the_applications_terms(prompts: Prompts, release: str) -> None:
    with pytest.raises(AccessRefused, match="is one of the feature `support`"):
        prompts.prompt("search")
    with pytest.raises(NotServed, match="It serves in production"):
        prompts.prompt("support", "staging")


def test_a_standing_of_the_future_is_not_given_out_yet(gateway: Gateway, http: httpx.Client, release: str) -> None:
    later = Recipe(feature="support", model="later", messages=SUPPORT.messages, variables=SUPPORT.variables,
                   blocks=SUPPORT.blocks)  # fmt: skip
    gateway.recipes[release_id(later)] = canonical(later)
    now = gateway.clock.unix_ns()
    standings = (Standing(now - 1, release), Standing(now + 60_000_000_000, release_id(later)))
    gateway.run(lambda: gateway.features.follow(Live(9, {"support@production": standings})))
    assert verify(http.get("/prompts/support").content, gateway.signer.public_key).release == release
    gateway.clock.added_s = 61
    assert verify(http.get("/prompts/support").content, gateway.signer.public_key).release == release_id(later)


def test_feedback_and_hits_reach_the_gateway_in_its_own_words(
    gateway: Gateway, client: OpenAI, prompts: Prompts, release: str
) -> None:
    rendered = prompts.prompt("support").render(
        variables=VARIABLES, documents=[{"id": "100% süß", "collection": "kb", "version": "3", "score": 0.5}]
    )
    raw = client.chat.completions.with_raw_response.create(**rendered.openai())
    call_id = raw.headers["x-wk-call-id"]
    assert gateway.call(call_id).hits == [Hit("kb", "100% süß", "3", 0.5)]
    said = prompts.feedback(call_id, name="helpful", score=1, label="thumbs_up", comment="Thanks!", value=1, id="f-1")
    assert said == {"id": "f-1", "status": "accepted"}
    with pytest.raises(CannotRender, match="between 0 and 1"):
        prompts.feedback(call_id, score=5)
    with pytest.raises(CallerError, match="not the id of a call"):
        prompts.feedback("nonsense", score=1)
    with pytest.raises(CannotRender, match="one of the two"):
        prompts.feedback(score=1)


def test_the_documents_that_an_application_found_are_named_in_a_header() -> None:
    named = watchkeeper.hits([{"id": "d1", "collection": "kb", "version": "3", "score": 0.5}, {"document": "d2"}])
    assert named["x-wk-hits"] == ('[{"collection":"kb","document":"d1","version":"3","score":0.5},{"document":"d2"}]')
