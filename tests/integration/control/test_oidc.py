"""Signing in with a provider: whoever it really signed in for this browser gets in, and nobody else does."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from oidc_provider_mock import User, run_server_in_thread
from tests.integration.control.provider import CLIENT, SECRET, Forge, LoopbackProvider, new_keys
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.access.roles import Grant
from watchkeeper.api.auth import SESSION_COOKIE
from watchkeeper.api.newcomers import grants_of
from watchkeeper.api.oidc import KEYS_AGAIN_S, TICKET_S
from watchkeeper.config.sign_in import ClaimRole, Oidc
from watchkeeper.console.federated import TICKET_COOKIE
from watchkeeper.core.clock import SystemClock
from watchkeeper.testing import FakeClock

HERE = "http://watchkeeper.test"
OPS = ClaimRole(claim="groups", equals="ops", role="operator")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("oidc"))


@pytest.fixture
def clock() -> FakeClock:
    """Held at the present, because cookies end by the time that the browser has."""
    return FakeClock(SystemClock().unix_ns())


@pytest.fixture
def provider(clock: FakeClock) -> Iterator[LoopbackProvider]:
    with LoopbackProvider(clock) as started:
        yield started


@pytest.fixture
async def house(
    recorded: Recorded, provider: LoopbackProvider, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path, oidc=lambda: settings(provider), clock=clock) as found:
        yield found


def settings(provider: LoopbackProvider, **more: Any) -> Oidc:
    given = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "default_role": "viewer"}
    return Oidc(**(given | more))


@asynccontextmanager
async def browser(house: Staffed) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies, and goes where it is sent: to the console in this process, to the provider over a socket."""
    mounts = {HERE: httpx.ASGITransport(house.app, raise_app_exceptions=False)}
    async with httpx.AsyncClient(mounts=mounts, base_url=HERE, follow_redirects=True) as client:
        yield client


async def sign_in(house: Staffed) -> httpx.Response:
    """Sign in with a fresh browser; 401 and the sign-in page where that is refused, else the page of keys."""
    async with browser(house) as client:
        page = await client.get("/login/oidc?back=/keys")
        assert page.status_code != 200 or str(page.url) == f"{HERE}/keys"
        return page


async def names(house: Staffed) -> list[str]:
    return [user.name for user in await house.control.people.list_users()]


async def held(house: Staffed, user: str = "ana@example.com") -> list[str]:
    return [f"{row.grant} ({row.origin})" for row in await house.control.grants.of(user)]


# The way in


async def test_whoever_the_provider_signs_in_gets_in_and_where_they_wanted_to_go(
    house: Staffed, provider: LoopbackProvider
) -> None:
    async with browser(house) as client:
        page = await client.get("/keys")
        assert 'href="/login/oidc?back=%2Fkeys">Sign in with single sign-on</a>' in page.text
        page = await client.get("/login/oidc?back=%2Fkeys")
        assert (page.status_code, str(page.url)) == (200, f"{HERE}/keys")
        assert "ana@example.com" in page.text
        assert {cookie.name for cookie in client.cookies.jar} == {SESSION_COOKIE}, "the ticket is used up"
    user = await house.control.people.user("ana@example.com")
    assert user is not None
    assert (user.origin, user.identity, user.password_hash) == ("oidc", f"{provider.issuer} 42", "")
    assert await held(house) == ["viewer of every feature (oidc)"]


async def test_what_goes_to_the_provider_names_no_secret_and_is_new_each_time(
    house: Staffed, provider: LoopbackProvider
) -> None:
    asked = []
    for _ in range(2):
        reply = await house.ask("/login/oidc", {})
        query = parse_qs(urlsplit(reply.headers["location"]).query)
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert query["scope"] == ["openid email profile"]
        asked.append({query[name][0] for name in ("state", "nonce", "code_challenge")})
        cookie = reply.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/login/oidc" in cookie
        assert SECRET not in reply.headers["location"] and not any(one in cookie for one in asked[-1])
    assert len(asked[0] | asked[1]) == 6


async def test_somebody_is_known_by_number_and_stays_the_same_under_another_address(
    house: Staffed, provider: LoopbackProvider
) -> None:
    await sign_in(house)
    provider.person = {"sub": "42", "email": "ana.married@example.com"}
    await sign_in(house)
    assert await names(house) == ["ana@example.com"]
    provider.person = {"sub": "43", "email": "ana@example.com"}
    page = await sign_in(house)
    assert page.status_code == 401
    assert "There is a user ana@example.com already who is not known to be you" in page.text


async def test_roles_follow_the_claims_at_every_sign_in_and_those_given_here_stay(
    recorded: Recorded, provider: LoopbackProvider, clock: FakeClock, tmp_path: Path
) -> None:
    rules = [OPS, ClaimRole(claim="team", equals="support", role="author", feature="support")]
    chosen = settings(provider, roles=rules, default_role="none")
    async with staffed(recorded, tmp_path, oidc=lambda: chosen, clock=clock) as house:
        provider.person |= {"groups": ["staff", "ops"], "team": "support"}
        assert (await sign_in(house)).status_code == 200
        assert await held(house) == ["operator of every feature (oidc)", "author of support (oidc)"]
        await house.control.grants.give("ana@example.com", Grant("auditor"), actor="local")
        provider.person |= {"groups": []}
        assert (await sign_in(house)).status_code == 200
        assert await held(house) == ["auditor of every feature (local)", "author of support (oidc)"]
        provider.person |= {"team": "sales"}
        assert (await sign_in(house)).status_code == 200
        assert await held(house) == ["auditor of every feature (local)"]


async def test_whoever_has_no_role_is_not_let_in_and_is_no_user(
    recorded: Recorded, provider: LoopbackProvider, clock: FakeClock, tmp_path: Path
) -> None:
    chosen = settings(provider, roles=[OPS], default_role="none")
    async with staffed(recorded, tmp_path, oidc=lambda: chosen, clock=clock) as house:
        page = await sign_in(house)
        assert page.status_code == 401
        assert "you have no role here" in page.text
        assert await names(house) == []
        provider.person |= {"groups": "ops"}
        assert (await sign_in(house)).status_code == 200
        provider.person |= {"groups": "none"}
        assert (await sign_in(house)).status_code == 401
        assert await held(house) == []


async def test_who_is_kept_out_here_stays_out_whatever_the_provider_says(house: Staffed) -> None:
    await sign_in(house)
    await house.control.people.disable("ana@example.com", actor="local")
    page = await sign_in(house)
    assert page.status_code == 401
    assert "is kept out here" in page.text


async def test_a_user_who_was_handed_over_comes_with_the_roles_given_here(house: Staffed) -> None:
    await house.user("ana@example.com", Grant("admin"))
    assert (await sign_in(house)).status_code == 401
    reply = await house.ask_locally("/api/v1/users/ana@example.com/hand-over", method="POST")
    assert reply.json()["origin"] == "oidc"
    assert (await sign_in(house)).status_code == 200
    assert await held(house) == ["admin of every feature (local)", "viewer of every feature (oidc)"]
    reply = await house.ask_locally(
        "/api/v1/users/ana@example.com/password", method="POST", json={"password": "correct horse battery"}
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "user_elsewhere")
    login = await house.ask("/login", {}, method="POST", data={"name": "ana@example.com", "password": ""})
    assert login.status_code == 401, "no password is the password of nobody"


async def test_what_the_token_leaves_out_is_asked_for(house: Staffed, provider: LoopbackProvider) -> None:
    provider.person = {"sub": "42"}
    provider.userinfo = {"sub": "42", "email": "ana@example.com"}
    assert (await sign_in(house)).status_code == 200
    assert await names(house) == ["ana@example.com"]
    provider.userinfo = {"sub": "666", "email": "max@example.com"}
    page = await sign_in(house)
    assert page.status_code == 401
    assert "somebody else" in page.text


@pytest.mark.parametrize(
    ("person", "says"),
    [
        ({"sub": "1"}, "must be 1 to 100 letters"),
        ({"sub": "1", "email": "local"}, "must be 1 to 100 letters"),
        ({"sub": "1", "email": "token:ci"}, "must be 1 to 100 letters"),
        ({"sub": "1", "email": "<b>bold</b>"}, "must be 1 to 100 letters"),
        ({"sub": "1", "email": ["ana@example.com"]}, "must be 1 to 100 letters"),
        ({"sub": "1", "email": "ana@example.com", "email_verified": False}, "has not verified your address"),
        ({"sub": "1", "email": "ana@example.com", "email_verified": "false"}, "has not verified your address"),
    ],
)
async def test_a_name_that_cannot_be_one_is_refused_in_words(
    house: Staffed, provider: LoopbackProvider, person: dict[str, Any], says: str
) -> None:
    provider.person = person
    page = await sign_in(house)
    assert page.status_code == 401
    assert says in page.text
    assert await names(house) == []


# Hostile


def unsigned(_: LoopbackProvider, claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def signed_with_the_public_key(provider: LoopbackProvider, claims: dict[str, Any]) -> str:
    key = provider.keys.keys[0]
    assert isinstance(key, RSAKey)
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "first"}, claims))
    head = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.digest(key.as_pem(private=False), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def signed_with_the_client_secret(_: LoopbackProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), ["HS256"])


def signed_by_another(provider: LoopbackProvider, claims: dict[str, Any]) -> str:
    return provider.sign(claims, key=new_keys("first", of="another").keys[0])  # type: ignore[arg-type]  # an RSA key


def bringing_its_own_key(provider: LoopbackProvider, claims: dict[str, Any]) -> str:
    own = new_keys("own").keys[0]
    return provider.sign(claims, key=own, kid="own", jwk=own.as_dict(private=False))  # type: ignore[arg-type]  # an RSA key


def altered(provider: LoopbackProvider, claims: dict[str, Any]) -> str:
    head, _, signature = provider.sign(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "1"}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


def saying(**changes: Any) -> Forge:
    def forge(provider: LoopbackProvider, claims: dict[str, Any]) -> str:
        now_s = claims["iat"]
        is_time = {name: name in ("exp", "iat", "nbf") and value is not None for name, value in changes.items()}
        meant = {name: now_s + value if is_time[name] else value for name, value in changes.items()}
        return provider.sign({name: value for name, value in (claims | meant).items() if value is not None})

    return forge


FORGED: dict[str, Forge] = {
    "unsigned": unsigned,
    "signed with the public key": signed_with_the_public_key,
    "signed with the client's secret": signed_with_the_client_secret,
    "signed by another": signed_by_another,
    "bringing its own key": bringing_its_own_key,
    "altered": altered,
    "none at all": lambda _, __: "",
    "no token": lambda _, __: "a.b.c",
    "of another issuer": saying(iss="https://evil.example"),
    "for another program": saying(aud="other"),
    "for others too, through another": saying(aud=[CLIENT, "other"], azp="other"),
    "for others too, through nobody": saying(aud=[CLIENT, "other"]),
    "with another nonce": saying(nonce="a nonce of another sign-in"),
    "without a nonce": saying(nonce=None),
    "expired": saying(exp=-61),
    "without an end": saying(exp=None),
    "of the future": saying(iat=600),
    "not yet valid": saying(nbf=600),
    "of nobody": saying(sub=None),
    "of an empty number": saying(sub=""),
    "of a number that is none": saying(sub=["42"]),
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_forged_token_lets_nobody_in(house: Staffed, provider: LoopbackProvider, kind: str) -> None:
    provider.forge = FORGED[kind]
    async with browser(house) as client:
        page = await client.get("/login/oidc?back=/keys")
        assert page.status_code == 401, page.text
        assert "Nobody was signed in" in page.text
        assert SESSION_COOKIE not in client.cookies
    assert await names(house) == []


async def test_a_token_for_several_programs_through_us_is_ours(house: Staffed, provider: LoopbackProvider) -> None:
    provider.forge = saying(aud=[CLIENT, "other"], azp=CLIENT)
    assert (await sign_in(house)).status_code == 200


async def gone(house: Staffed, client: httpx.AsyncClient, path: str = "/login/oidc?back=/keys") -> str:
    """Go to the provider and return the address that it sends the browser back to."""
    reply = await client.get(path, follow_redirects=False)
    async with httpx.AsyncClient() as outside:
        found = await outside.get(reply.headers["location"])
    return found.headers["location"]


async def test_an_answer_that_belongs_to_another_browser_is_refused_before_the_provider_is_asked(
    house: Staffed, provider: LoopbackProvider
) -> None:
    async with browser(house) as attacker, browser(house) as victim:
        address = await gone(house, attacker)
        for setting_out in (False, True):
            if setting_out:
                await gone(house, victim)
            page = await victim.get(address)
            assert page.status_code == 401
            assert "does not belong to a sign-in that began in this browser" in page.text
        assert "/token" not in provider.asked
        page = await attacker.get(address.replace("state=", "state=x"))
        assert page.status_code == 401
    assert await names(house) == []


async def test_a_code_is_good_once(house: Staffed) -> None:
    async with browser(house) as client:
        address = await gone(house, client)
        ticket = client.cookies[TICKET_COOKIE]
        assert (await client.get(address)).status_code == 200
        page = await client.get(address)
        assert "does not belong to a sign-in that began in this browser" in page.text, "the ticket is used up"
        client.cookies.set(TICKET_COOKIE, ticket, domain="watchkeeper.test", path="/login/oidc")
        page = await client.get(address)
        assert page.status_code == 401
        assert "does not take its own code back (invalid_grant no such code)" in page.text


async def test_who_takes_too_long_begins_again(house: Staffed, clock: FakeClock) -> None:
    async with browser(house) as client:
        address = await gone(house, client)
        ticket = client.cookies[TICKET_COOKIE]
        clock.advance(TICKET_S + 1)
        client.cookies.set(TICKET_COOKIE, ticket, domain="watchkeeper.test", path="/login/oidc")
        page = await client.get(address)
        assert page.status_code == 401
        assert "more than ten minutes" in page.text


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "%2F%2Fevil.example"]
)
async def test_nobody_is_sent_elsewhere_after_signing_in(house: Staffed, back: str) -> None:
    async with browser(house) as client:
        address = await gone(house, client, f"/login/oidc?back={back}")
        reply = await client.get(address, follow_redirects=False)
        assert (reply.status_code, reply.headers["location"]) == (303, "/")


async def test_where_to_go_cannot_be_changed_on_the_way(house: Staffed) -> None:
    async with browser(house) as client:
        address = await gone(house, client)
        ticket = client.cookies[TICKET_COOKIE].replace("%2Fkeys", "%2Fcalls")
        client.cookies.delete(TICKET_COOKIE)
        client.cookies.set(TICKET_COOKIE, ticket, domain="watchkeeper.test", path="/login/oidc")
        assert (await client.get(address)).status_code == 401


async def test_what_the_provider_refuses_is_told_in_its_words_and_as_text(
    house: Staffed, provider: LoopbackProvider
) -> None:
    provider.refuses = "access_denied"
    page = await sign_in(house)
    assert page.status_code == 401
    assert "access_denied &lt;b&gt;not today&lt;/b&gt;" in page.text


async def test_an_answer_of_another_issuer_is_refused(house: Staffed) -> None:
    async with browser(house) as client:
        page = await client.get(await gone(house, client) + "&iss=https://evil.example")
        assert "comes from another issuer" in page.text


# The provider changes, or is away


async def test_new_keys_of_the_provider_are_fetched_and_not_too_often(
    house: Staffed, provider: LoopbackProvider, clock: FakeClock
) -> None:
    assert (await sign_in(house)).status_code == 200
    provider.keys = new_keys("second")
    assert (await sign_in(house)).status_code == 401, "keys were fetched a moment ago"
    clock.advance(KEYS_AGAIN_S)
    assert (await sign_in(house)).status_code == 200
    assert provider.asked.count("/keys") == 2


async def test_a_provider_that_is_away_is_told_on_the_sign_in_page(house: Staffed, provider: LoopbackProvider) -> None:
    provider.stop()
    page = await sign_in(house)
    assert page.status_code == 502
    assert "passwords and links of `watchkeeper users link` still work" in page.text
    assert "<h1>Sign in</h1>" in page.text
    provider.__enter__()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"issuer": "https://other.example"}, "calls itself https://other.example"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "token_endpoint is not under https"),
        ({"jwks_uri": None}, "does not describe itself as an OpenID provider"),
    ],
)
async def test_a_provider_that_does_not_keep_to_the_protocol_is_not_used(
    house: Staffed, provider: LoopbackProvider, document: dict[str, Any], says: str
) -> None:
    provider.document = document
    page = await sign_in(house)
    assert page.status_code == 502
    assert says in page.text


async def test_without_a_provider_there_is_no_such_way_in(recorded: Recorded, tmp_path: Path) -> None:
    async with staffed(recorded, tmp_path) as house:
        assert "Sign in with" not in (await house.ask("/login", {})).text
        for path in ("/login/oidc", "/login/oidc/return"):
            assert (await house.ask(path, {})).status_code == 404


async def test_another_implementation_of_the_protocol_signs_in_too(recorded: Recorded, tmp_path: Path) -> None:
    person = User(sub="7", claims={"email": "bea@example.com", "groups": ["ops"]})
    with run_server_in_thread(user_claims=[person], require_nonce=True) as server:
        issuer = f"http://localhost:{server.server_port}"
        chosen = Oidc(issuer=issuer, client_id=CLIENT, client_secret=SECRET, roles=[OPS])
        async with staffed(recorded, tmp_path, oidc=lambda: chosen, clock=SystemClock()) as house:
            async with browser(house) as client:
                form = await client.get("/login/oidc?back=/keys")
                assert "Authorize Client" in form.text
                page = await client.post(form.url, data={"sub": "7"})
                assert (page.status_code, str(page.url)) == (200, f"{HERE}/keys")
            assert await held(house, "bea@example.com") == ["operator of every feature (oidc)"]
            async with browser(house) as client:
                form = await client.get("/login/oidc")
                page = await client.post(form.url, data={"action": "deny"})
                assert page.status_code == 401
                assert "Nobody was signed in" in page.text, "this one refuses without the state, which is not believed"


# Claims


@pytest.mark.parametrize(
    ("claims", "grants"),
    [
        ({"groups": ["ops"]}, {Grant("operator")}),
        ({"groups": "ops"}, {Grant("operator")}),
        ({"groups": ["Ops", ["ops"], {"ops": 1}, None, 3]}, {Grant("viewer")}),
        ({"groups": {"ops": True}}, {Grant("viewer")}),
        ({"level": 3}, {Grant("auditor", "support")}),
        ({"staff": True, "groups": "ops"}, {Grant("operator"), Grant("author")}),
        ({}, {Grant("viewer")}),
    ],
)
def test_a_role_follows_only_from_the_exact_value_of_a_claim(claims: dict[str, Any], grants: set[Grant]) -> None:
    rules = [
        OPS,
        ClaimRole(claim="level", equals="3", role="auditor", feature="support"),
        ClaimRole(claim="staff", equals="true", role="author"),
    ]
    chosen = Oidc(issuer="https://a.example", client_id="c", roles=rules, default_role="viewer")
    assert grants_of(claims, chosen) == grants
