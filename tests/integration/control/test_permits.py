"""Who is asking may do what they were given and nothing else; a refusal names what is missing and who can help."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.roles import Grant
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import API_TOKEN_PREFIX, TokenHasher
from watchkeeper.api.auth import SESSION_COOKIE, By, LocalDoor, Parts
from watchkeeper.api.errors import answer_errors
from watchkeeper.api.permits import needs, require
from watchkeeper.api.services import Services
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.store.people import TokenDraft
from watchkeeper.testing import FakeClock

REASON = "Figures of all features are one number."


async def promote(feature: str, parts: Parts, by: By) -> str:
    await require(parts, by, "promote", feature=feature)
    return "done"


async def anything() -> str:
    return "done"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    clock = FakeClock()
    control = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", clock)
    yield Services(
        control=control,
        analytics=AnalyticsStore("chdb:///nowhere"),
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=Pseudonyms(b"p" * 32),
        clock=clock,
        on_control_change=lambda: None,
        health=dict,
        declared_features=frozenset,
        gateway_url="",
        first_model=str,
        routing=lambda: None,
    )
    await control.close()


@pytest.fixture
def app(services: Services) -> FastAPI:
    """Three routes: for one feature, for all of them, for whoever is signed in."""
    made = FastAPI(
        routes=[
            APIRoute("/one/{feature}", promote, dependencies=[needs("promote", somewhere=True)]),
            APIRoute("/all", anything, dependencies=[needs("money", "operate", because=REASON)]),
            APIRoute("/own", anything, dependencies=[needs()]),
        ]
    )
    made.state.services = services
    answer_errors(made)
    return made


async def ask(app: FastAPI, path: str, **headers: str) -> tuple[int, str]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
        reply = await client.get(path, headers=headers)
    body = reply.json()
    return reply.status_code, body if isinstance(body, str) else f"{body['error']['code']}: {body['error']['message']}"


async def session(services: Services, user: str, *grants: Grant) -> dict[str, str]:
    await services.control.people.add_user(user, "hash", actor="local", grants=grants)
    await services.control.people.begin_session(services.token_hasher.hash(user), user)
    return {"cookie": f"{SESSION_COOKIE}={user}"}


async def token(services: Services, name: str, *scopes: str, feature: str) -> dict[str, str]:
    secret = f"{API_TOKEN_PREFIX}{name}"
    draft = TokenDraft(name=name, scopes=scopes, features=(feature,))
    await services.control.people.add_token(services.token_hasher.hash(secret), draft, actor="local")
    return {"authorization": f"Bearer {secret}"}


async def test_a_role_holds_for_its_feature_and_for_no_other(app: FastAPI, services: Services) -> None:
    cleo = await session(services, "cleo", Grant("approver", "support"))
    assert await ask(app, "/one/support", **cleo) == (200, "done")
    assert (await ask(app, "/one/search", **cleo))[0] == 403
    assert (await ask(app, "/all", **cleo))[0] == 403
    assert await ask(app, "/own", **cleo) == (200, "done")


async def test_a_refusal_names_what_is_missing_who_asks_and_who_can_help(app: FastAPI, services: Services) -> None:
    cleo = await session(services, "cleo", Grant("viewer"))
    assert await ask(app, "/one/support", **cleo) == (
        403,
        (
            "not_allowed: cleo may not do this: it needs the permission `promote` for a feature, which the roles "
            "approver, operator, admin have. Nothing was done. An admin can grant it with "
            "`watchkeeper users grant cleo approver`; only whoever holds the machine is one."
        ),
    )
    for name in ("ana", "ben", "dora", "eve"):
        await session(services, name, Grant("admin"))
    ci = await token(services, "ci", "promote", feature="search")
    assert await ask(app, "/one/support", **ci) == (
        403,
        (
            "not_allowed: token:ci may not do this: it needs the permission `promote` for the feature `support`, which "
            "the roles approver, operator, admin have. Nothing was done. A token keeps its scopes: an admin can make "
            "another with `watchkeeper tokens create NAME --scope promote --feature support`; admins are ana, ben, "
            "dora and others, and whoever holds the machine."
        ),
    )


async def test_what_cannot_be_limited_to_a_feature_says_why(app: FastAPI, services: Services) -> None:
    partly = await session(services, "cleo", Grant("cost_owner", "support"))
    assert REASON in (await ask(app, "/all", **partly))[1]
    never = await session(services, "max", Grant("viewer"))
    assert REASON not in (await ask(app, "/all", **never))[1], "that is not why they may not"


async def test_the_name_of_a_feature_cannot_make_a_command_of_its_own(app: FastAPI, services: Services) -> None:
    cleo = await session(services, "cleo", Grant("approver", "support"))
    assert "--feature 'x; rm -rf y'" in (await ask(app, "/one/x; rm -rf y", **cleo))[1]


async def test_rights_that_are_taken_away_are_gone_at_once(app: FastAPI, services: Services) -> None:
    cleo = await session(services, "cleo", Grant("approver", "support"))
    assert (await ask(app, "/one/support", **cleo))[0] == 200
    await services.control.grants.take("cleo", Grant("approver", "support"), actor="ana")
    assert (await ask(app, "/one/support", **cleo))[0] == 403


async def test_whoever_holds_the_machine_may_do_everything_and_a_stranger_nothing(
    app: FastAPI, services: Services
) -> None:
    door = httpx.ASGITransport(LocalDoor(app))
    async with httpx.AsyncClient(transport=door, base_url="http://watchkeeper") as local:
        assert [(await local.get(path)).status_code for path in ("/one/any", "/all", "/own")] == [200] * 3
    assert [(await ask(app, path))[0] for path in ("/one/any", "/all", "/own")] == [401] * 3
