"""Every change says what was before and what is after, and for which feature; nothing in it is a secret."""

from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.roles import Grant
from watchkeeper.store.changes import Change, ChangeFilter
from watchkeeper.store.control import ControlStore
from watchkeeper.store.faults import FaultDraft
from watchkeeper.store.keys import KeyDraft
from watchkeeper.store.people import TokenDraft
from watchkeeper.store.purges import PurgeDraft
from watchkeeper.testing import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = (START - timedelta(days=1), START + timedelta(days=1))
HASHER = KeyHasher(b"s" * 32)
AT = START.isoformat()


async def told(store: ControlStore) -> list[tuple[str, str, Any, Any]]:
    found = await store.changes.between(*ALWAYS)
    return [(one.kind, one.feature, one.detail["before"], one.detail["after"]) for one in found]


async def test_a_change_of_a_key_tells_what_it_was_and_is(store: ControlStore) -> None:
    made = await store.keys.create(HASHER, KeyDraft(feature="support", tenant="acme", name="shop"), actor="ana")
    new = await store.keys.rotate(HASHER, made.row.public_id, overlap=timedelta(0), actor="ana")
    await store.keys.revoke(new.row.public_id, actor="ana")
    first = {"name": "shop", "feature": "support", "tenant": "acme", "environment": "production", "expires_at": None,
             "revoked_at": None, "replaced_by": None}  # fmt: skip
    assert await told(store) == [
        ("key", "support", None, first),
        ("key", "support", first, first | {"expires_at": AT, "replaced_by": new.row.public_id}),
        ("key", "support", first, first | {"revoked_at": AT}),
    ]
    details = str([change.detail for change in await store.changes.between(*ALWAYS)])
    assert made.key not in details and new.key not in details


async def test_a_change_of_a_user_tells_what_they_were_and_no_password(store: ControlStore) -> None:
    await store.people.add_user("cleo", "hash-of-it", actor="ana", grants=[Grant("viewer")])
    for _ in range(2):
        await store.people.disable("cleo", actor="ana")
    await store.people.set_password("cleo", "hash-of-another", actor="ana")
    out, in_ = ({"origin": "local", "is_disabled": is_out, "has_password": True} for is_out in (True, False))
    assert await told(store) == [
        ("user", "", None, in_ | {"grants": ["viewer of every feature"]}),
        ("user", "", in_, out),
        ("user", "", out, out),
        ("user", "", out, out),
    ]
    assert "hash" not in str(await store.changes.between(*ALWAYS))


async def test_a_change_of_a_token_tells_what_it_is_good_for_and_until_when(store: ControlStore) -> None:
    draft = TokenDraft(name="ci", scopes=("read",), features=("support",), expires_at=START + timedelta(hours=1))
    row = await store.people.add_token("hash-of-it", draft, actor="ana")
    await store.people.revoke_token(row.id, actor="ana")
    after = {"name": "ci", "scopes": ["read"], "features": ["support"], "expires_at": "2026-01-01T01:00:00+00:00"}
    assert await told(store) == [
        ("token", "", None, after),
        ("token", "", {"revoked_at": None}, {"revoked_at": AT}),
    ]
    assert "hash" not in str(await store.changes.between(*ALWAYS))


async def test_a_drill_tells_how_it_was_started_and_ended(store: ControlStore, clock: FakeClock) -> None:
    draft = FaultDraft(kind="server_error", route="chat", lasts=timedelta(minutes=10), share=0.25, status=503)
    row = await store.faults.start(draft, actor="ana")
    clock.advance(60)
    stopped = await store.faults.stop(row.id, actor="ben")
    assert stopped == await store.faults.get(row.id)
    (_, _, nothing, started), (_, _, before, after) = await told(store)
    assert nothing is None
    assert before == started
    assert (before["ends_at"], after["ends_at"]) == ("2026-01-01T00:10:00+00:00", "2026-01-01T00:01:00+00:00")
    assert {name for name in after if after[name] != before[name]} == {"ends_at", "stopped_by"}


async def test_a_purge_and_a_signature_tell_what_they_are(store: ControlStore) -> None:
    await store.purges.add(PurgeDraft(tenant="acme"), actor="ana")
    await store.cost_reviews.sign("2026-W01", "finance", {"cost": "1.5"}, actor="ana", remark="fine")
    assert await told(store) == [
        ("cache", "", None, {"tenant": "acme", "release": "", "subject": ""}),
        ("review", "", None, {"note": "fine", "figures": {"cost": "1.5"}}),
    ]


async def test_changes_are_found_by_all_that_is_asked_for_at_once(store: ControlStore) -> None:
    for feature in ("support", "payroll"):
        await store.keys.create(HASHER, KeyDraft(feature=feature), actor="ana")
    await store.people.add_user("cleo", "hash", actor="ana")
    await store.changes.note("config", "configuration 2", actor="file")
    await store.changes.note_reading("call", actor="cleo", feature="support")

    async def found(**chosen: Any) -> list[str]:
        return [_brief(one) for one in await store.changes.between(*ALWAYS, ChangeFilter(**chosen))]

    assert await found() == ["key support", "key payroll", "user ", "config ", "access support"]
    assert await found(kind="key", feature="payroll") == ["key payroll"]
    assert await found(actor="cleo") == ["access support"]
    assert await found(features=frozenset({"support", ""})) == ["key support", "config ", "access support"]
    assert await found(features=frozenset(), without=("access",)) == ["config "]


def _brief(change: Change) -> str:
    return f"{change.kind} {change.feature}"
