"""Who has which role: kept, noted, taken away, and given to those who could do everything before there were roles."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.databases import at_revision

from watchkeeper.access.roles import EVERYTHING, Grant
from watchkeeper.store.control import ControlStore
from watchkeeper.store.grants import GrantUnknown
from watchkeeper.store.people import TokenDraft
from watchkeeper.testing import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
AUTHOR = Grant("author", "support")
VIEWER = Grant("viewer")


async def held(store: ControlStore, user: str = "cleo") -> list[str]:
    return [f"{row.grant} ({row.origin})" for row in await store.grants.of(user)]


async def test_whoever_could_do_everything_before_there_were_roles_still_can(url: str, clock: FakeClock) -> None:
    at_revision(
        url,
        "0006",
        f"INSERT INTO users VALUES ('cleo', 'hash', '{START:%Y-%m-%d %H:%M:%S}', FALSE)",
        f"INSERT INTO api_tokens VALUES ('t1', 'hash', 'ci', '{START:%Y-%m-%d %H:%M:%S}', 'ana', NULL)",
    )
    store = await ControlStore.open(url, clock)
    assert await held(store) == ["admin of every feature (local)"]
    token = await store.people.valid_token("hash")
    assert token is not None
    assert token.rights == EVERYTHING
    assert (await store.people.list_users())[0].origin == "local"
    await store.close()


async def test_a_role_is_given_once_and_taken_away(store: ControlStore) -> None:
    await store.people.add_user("cleo", "hash", actor="ana", grants=[VIEWER])
    assert await store.grants.give("cleo", AUTHOR, actor="ana")
    assert not await store.grants.give("cleo", AUTHOR, actor="ben"), "the second time changes nothing"
    assert await held(store) == ["viewer of every feature (local)", "author of support (local)"]
    await store.grants.take("cleo", VIEWER, actor="ana")
    assert await held(store) == ["author of support (local)"]
    with pytest.raises(GrantUnknown, match="is not viewer of every feature; nothing was changed"):
        await store.grants.take("cleo", VIEWER, actor="ana")
    assert await held(store, "nobody") == []


async def test_a_change_of_roles_is_noted_with_before_and_after_and_once(store: ControlStore) -> None:
    await store.people.add_user("cleo", "hash", actor="ana", grants=[VIEWER])
    await store.grants.give("cleo", AUTHOR, actor="ana")
    await store.grants.give("cleo", AUTHOR, actor="ana")
    await store.grants.take("cleo", VIEWER, actor="ben")
    found = await store.changes.between(START - timedelta(1), START + timedelta(1))
    assert [(change.actor, change.summary, change.feature) for change in found] == [
        ("ana", "added user cleo", ""),
        ("ana", "made cleo author of support", "support"),
        ("ben", "took from cleo: viewer of every feature", ""),
    ]
    assert [change.detail for change in found[1:]] == [
        {
            "user": "cleo",
            "before": {"grants": ["viewer of every feature"]},
            "after": {"grants": ["viewer of every feature", "author of support"]},
        },
        {
            "user": "cleo",
            "before": {"grants": ["viewer of every feature", "author of support"]},
            "after": {"grants": ["author of support"]},
        },
    ]


async def test_what_a_provider_grants_is_replaced_and_what_was_given_here_stays(store: ControlStore) -> None:
    await store.people.add_user("cleo", "", actor="oidc", grants=[VIEWER], identity="issuer 1")
    await store.grants.give("cleo", AUTHOR, actor="ana")
    await store.grants.refresh("cleo", [Grant("operator"), AUTHOR], actor="oidc")
    assert await held(store) == ["operator of every feature (oidc)", "author of support (local)",
                                 "author of support (oidc)"]  # fmt: skip
    with pytest.raises(GrantUnknown, match="because the sign-in provider says so"):
        await store.grants.take("cleo", Grant("operator"), actor="ana")
    await store.grants.refresh("cleo", [], actor="oidc")
    assert await held(store) == ["author of support (local)"]
    before = await store.changes.between(START - timedelta(1), START + timedelta(1))
    await store.grants.refresh("cleo", [], actor="oidc")
    assert await store.changes.between(START - timedelta(1), START + timedelta(1)) == before, "nothing has changed"


async def test_two_who_give_the_same_role_at_once_give_it_once(store: ControlStore) -> None:
    await store.people.add_user("cleo", "hash", actor="ana")
    given = await asyncio.gather(*(store.grants.give("cleo", AUTHOR, actor="ana") for _ in range(5)))
    assert sorted(given) == [False] * 4 + [True]
    assert await held(store) == ["author of support (local)"]


async def test_those_who_can_help_are_named_and_nobody_who_is_kept_out(store: ControlStore) -> None:
    for name, grant in (("ana", Grant("admin")), ("ben", Grant("admin", "support")), ("cleo", AUTHOR)):
        await store.people.add_user(name, "hash", actor="local", grants=[grant])
    await store.people.add_user("max", "hash", actor="local", grants=[Grant("admin")])
    await store.people.disable("max", actor="local")
    assert await store.grants.holders("administer", feature="support") == ["ana", "ben"]
    assert await store.grants.holders("administer") == ["ana"]
    assert await store.grants.holders("write_releases", feature="support", limit=2) == ["ana", "ben"]


async def test_a_token_ends_by_itself(store: ControlStore, clock: FakeClock) -> None:
    draft = TokenDraft(name="ci", scopes=("read",), features=("support",), expires_at=START + timedelta(days=1))
    row = await store.people.add_token("hash", draft, actor="ana")
    assert await store.people.valid_token("hash") == row
    assert row.rights.may("read", "support") and not row.rights.may("read", "search")
    clock.advance(86_400)
    assert await store.people.valid_token("hash") is None
