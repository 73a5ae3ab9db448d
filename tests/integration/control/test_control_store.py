"""The control database: what is promised of keys, people and changes holds on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from watchkeeper.access.keys import KeyHasher, public_id_of
from watchkeeper.core.clock import SystemClock
from watchkeeper.store.control import ControlStore, ControlUnusable
from watchkeeper.store.keys import KeyDraft, KeyOver, KeyUnknown, NewKeyRow
from watchkeeper.store.people import TokenDraft, TokenUnknown, UserTaken, UserUnknown
from watchkeeper.store.tables import REVISION, metadata
from watchkeeper.testing import FakeClock

HASHER = KeyHasher(b"s" * 32)
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL_TIME = (START - HOUR, START + 1_000 * HOUR)


async def make_key(store: ControlStore, *, expires_at: datetime | None = None) -> NewKeyRow:
    return await store.keys.create(
        HASHER, KeyDraft(feature="support", tenant="acme", expires_at=expires_at), actor="ana"
    )


async def summaries(store: ControlStore) -> list[str]:
    return [change.summary for change in await store.changes.between(*ALL_TIME)]


async def test_a_new_key_is_kept_without_its_secret(store: ControlStore) -> None:
    made = await make_key(store)
    [kept] = await store.keys.valid()
    assert public_id_of(made.key) == made.row.public_id == kept.row.public_id
    assert HASHER.matches(made.key, kept.secret_hash)
    assert made.key.encode() not in kept.secret_hash
    assert kept.row == made.row
    assert (kept.row.feature, kept.row.tenant, kept.row.created_at) == ("support", "acme", START)


async def test_keys_are_listed_newest_first(store: ControlStore, clock: FakeClock) -> None:
    first = await make_key(store)
    clock.advance(1)
    second = await make_key(store)
    assert await store.keys.all() == [second.row, first.row]


async def test_a_revoked_key_is_gone_for_the_gateway_and_stays_in_the_list(store: ControlStore) -> None:
    made = await make_key(store)
    await store.keys.revoke(made.row.public_id, actor="ana")
    assert await store.keys.valid() == []
    assert [row.revoked_at for row in await store.keys.all()] == [START]
    with pytest.raises(KeyOver):
        await store.keys.revoke(made.row.public_id, actor="ana")


async def test_a_rotated_key_is_accepted_until_the_overlap_ends(store: ControlStore) -> None:
    old = await make_key(store)
    new = await store.keys.rotate(HASHER, old.row.public_id, overlap=HOUR, actor="ana")
    kept = await store.keys.get(old.row.public_id)
    assert (kept.expires_at, kept.replaced_by) == (START + HOUR, new.row.public_id)
    assert kept.is_valid_at(START + HOUR - timedelta(seconds=1))
    assert not kept.is_valid_at(START + HOUR)
    assert (new.row.feature, new.row.tenant, new.row.expires_at) == ("support", "acme", None)


async def test_without_an_overlap_the_old_key_ends_at_once(store: ControlStore) -> None:
    old = await make_key(store)
    await store.keys.rotate(HASHER, old.row.public_id, overlap=timedelta(0), actor="ana")
    assert not (await store.keys.get(old.row.public_id)).is_valid_at(START)


async def test_rotation_prolongs_nothing(store: ControlStore) -> None:
    old = await make_key(store, expires_at=START + HOUR)
    new = await store.keys.rotate(HASHER, old.row.public_id, overlap=5 * HOUR, actor="ana")
    assert (await store.keys.get(old.row.public_id)).expires_at == START + HOUR
    assert new.row.expires_at == START + HOUR


async def test_of_two_who_rotate_a_key_at_once_only_one_succeeds(store: ControlStore) -> None:
    old = await make_key(store)
    rotations = (store.keys.rotate(HASHER, old.row.public_id, overlap=HOUR, actor="ana") for _ in range(2))
    done = await asyncio.gather(*rotations, return_exceptions=True)
    [new] = [result for result in done if isinstance(result, NewKeyRow)]
    assert [type(result) for result in done if result is not new] == [KeyOver]
    assert {row.public_id for row in await store.keys.all()} == {old.row.public_id, new.row.public_id}
    assert len(await summaries(store)) == 2


@pytest.mark.parametrize("ending", ["revoked", "expired"])
async def test_a_key_that_has_ended_cannot_be_rotated(store: ControlStore, clock: FakeClock, ending: str) -> None:
    made = await make_key(store, expires_at=START + HOUR)
    if ending == "revoked":
        await store.keys.revoke(made.row.public_id, actor="ana")
    else:
        clock.advance(3600)
    with pytest.raises(KeyOver):
        await store.keys.rotate(HASHER, made.row.public_id, overlap=HOUR, actor="ana")


async def test_a_key_nobody_made_is_unknown(store: ControlStore) -> None:
    for ask in (
        store.keys.get("nosuchkey"),
        store.keys.revoke("nosuchkey", actor="ana"),
        store.keys.rotate(HASHER, "nosuchkey", overlap=HOUR, actor="ana"),
    ):
        with pytest.raises(KeyUnknown):
            await ask


async def test_every_change_says_who_made_it_and_when(store: ControlStore, clock: FakeClock) -> None:
    made = await make_key(store)
    clock.advance(60)
    await store.keys.revoke(made.row.public_id, actor="ben")
    await store.people.add_user("cleo", "hash", actor="ben")
    await store.people.disable("cleo", actor="ben")
    await store.people.set_password("cleo", "other", actor="ben")
    await store.people.enable("cleo", actor="ben")
    token = await store.people.add_token("hash", TokenDraft(name="ci"), actor="ben")
    await store.people.revoke_token(token.id, actor="ben")
    found = await store.changes.between(*ALL_TIME)
    assert [(change.at, change.actor, change.kind) for change in found[:2]] == [
        (START, "ana", "key"),
        (START + timedelta(seconds=60), "ben", "key"),
    ]
    assert [change.summary for change in found[2:]] == [
        "added user cleo",
        "disabled user cleo",
        "changed the password of cleo",
        "enabled user cleo",
        f"made API token {token.id} (ci)",
        f"revoked API token {token.id}",
    ]
    assert await store.changes.between(START + timedelta(seconds=60), START + HOUR) == found[1:]


async def test_a_change_that_fails_leaves_no_note(store: ControlStore) -> None:
    await store.people.add_user("cleo", "hash", actor="ana")
    with pytest.raises(UserTaken):
        await store.people.add_user("cleo", "other", actor="ana")
    with pytest.raises(UserUnknown):
        await store.people.disable("nobody", actor="ana")
    with pytest.raises(TokenUnknown):
        await store.people.revoke_token("none", actor="ana")
    assert await summaries(store) == ["added user cleo"]


async def test_a_session_ends_by_itself(store: ControlStore, clock: FakeClock) -> None:
    ends_at = await store.people.begin_session("hash", "cleo")
    assert await store.people.session_user("hash") == "cleo"
    clock.advance((ends_at - START).total_seconds())
    assert await store.people.session_user("hash") is None


@pytest.mark.parametrize("act", ["disable", "set_password"])
async def test_who_is_disabled_or_gets_a_new_password_is_signed_out(store: ControlStore, act: str) -> None:
    await store.people.add_user("cleo", "hash", actor="ana")
    await store.people.begin_session("of cleo", "cleo")
    await store.people.begin_session("of ben", "ben")
    if act == "disable":
        await store.people.disable("cleo", actor="ana")
    else:
        await store.people.set_password("cleo", "other", actor="ana")
    assert await store.people.session_user("of cleo") is None
    assert await store.people.session_user("of ben") == "ben"


async def test_a_link_signs_in_once_and_not_late(store: ControlStore, clock: FakeClock) -> None:
    await store.people.add_link("early")
    assert await store.people.is_link_good("early")
    assert await asyncio.gather(*(store.people.use_link("early") for _ in range(2))) in ([True, False], [False, True])
    assert not await store.people.is_link_good("early")
    ends_at = await store.people.add_link("late")
    clock.advance((ends_at - START).total_seconds())
    assert not await store.people.use_link("late")


async def test_a_revoked_token_names_nobody(store: ControlStore) -> None:
    row = await store.people.add_token("hash", TokenDraft(name="ci"), actor="ana")
    assert await store.people.valid_token("hash") == row
    await store.people.revoke_token(row.id, actor="ana")
    assert await store.people.valid_token("hash") is None
    assert [(token.name, token.revoked_at) for token in await store.people.list_tokens()] == [("ci", START)]


async def test_what_was_kept_is_there_at_the_next_start(url: str, clock: FakeClock) -> None:
    first = await ControlStore.open(url, clock)
    made = await make_key(first)
    await first.close()
    second = await ControlStore.open(url, clock)
    assert await second.keys.all() == [made.row]
    await second.close()


async def test_of_several_who_open_a_new_database_at_once_each_can_use_it(url: str, clock: FakeClock) -> None:
    stores = await asyncio.gather(*(ControlStore.open(url, clock) for _ in range(4)))
    await asyncio.gather(*(make_key(store) for store in stores))
    assert [len(await store.keys.all()) for store in stores] == [4, 4, 4, 4]
    for store in stores:
        await store.close()


async def test_many_write_at_once_and_nobody_is_turned_away(store: ControlStore) -> None:
    await asyncio.gather(*(make_key(store) for _ in range(40)))
    assert len(await store.keys.all()) == len(await summaries(store)) == 40


def _differences(url: str) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        found: list[object] = compare_metadata(MigrationContext.configure(connection), metadata)
        return found

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = compare(connection)
    engine.dispose()
    return found


async def test_the_migrations_make_the_tables_that_are_declared(store: ControlStore, url: str) -> None:
    assert await asyncio.to_thread(_differences, url) == []


async def test_the_revision_that_is_written_down_is_that_of_the_last_migration(
    store: ControlStore, url: str, clock: FakeClock
) -> None:
    """It is written down so that the migrations need not be loaded where there is nothing to migrate."""
    assert await store.answers()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == REVISION
    engine.dispose()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str, clock: FakeClock) -> None:
    await (await ControlStore.open(url, clock)).close()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ControlUnusable, match="newer version"):
        await ControlStore.open(url, clock)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


@pytest.mark.parametrize("content", [b"this is not a database" * 100, None], ids=["no database", "no folder"])
async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "missing" / "control.db" if content is None else tmp_path / "control.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ControlUnusable, match=r"control\.db"):
        await ControlStore.open(f"sqlite:///{path}", SystemClock())


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(ControlUnusable) as caught:
        await ControlStore.open("postgresql://watchkeeper:hush@127.0.0.1:1/watchkeeper", SystemClock())
    assert "127.0.0.1" in str(caught.value)
    assert "hush" not in str(caught.value)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode for path in folder.iterdir()}


async def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    store = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", SystemClock())
    await make_key(store)
    assert {name: mode & 0o777 for name, mode in modes_in(tmp_path).items()} == {
        "control.db": 0o600,
        "control.db-shm": 0o600,
        "control.db-wal": 0o600,
    }
    await store.close()


async def test_a_database_that_goes_away_answers_no_more(tmp_path: Path) -> None:
    store = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", SystemClock())
    assert await store.answers()
    await store.close()
    (tmp_path / "control.db").write_bytes(b"this is not a database" * 100)
    assert not await store.answers()
    await store.close()


async def test_a_migration_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE changes (id INTEGER)")
    with pytest.raises(ControlUnusable):
        await ControlStore.open(f"sqlite:///{path}", SystemClock())
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("changes",)]
