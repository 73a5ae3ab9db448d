"""What whoever asks may see and do, over every route there is: their features, their permissions, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from tests.integration.control.staffed import MARKS, Recorded, Staffed, staffed

from watchkeeper.access.roles import ROLES, Grant
from watchkeeper.api.permits import need_of
from watchkeeper.config.notifications import Notifications
from watchkeeper.console.pages.review import NO_OWNER
from watchkeeper.console.shell import PLACES
from watchkeeper.core.alert import AlertDraft
from watchkeeper.store.keys import KeyDraft
from watchkeeper.testing import FakeClock

OPEN = {
    ("GET", "/api/docs"),
    ("GET", "/api/openapi.json"),
    ("GET", "/login"),
    ("GET", "/login/oidc"),
    ("GET", "/login/oidc/return"),
    ("GET", "/share/{token}"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("POST", "/theme"),
}
"""What needs nothing: the way in and out, and what says how to ask."""
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("access"))


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        for feature, mark in MARKS.items():
            draft = KeyDraft(feature=feature, name=f"{mark} key")
            await found.control.keys.create(found.services.key_hasher, draft, actor="local")
        yield found


def routes(app: FastAPI) -> Iterator[BaseRoute]:
    """Every route, those of routers that were included as well."""
    for route in app.routes:
        router = getattr(route, "original_router", None)
        if isinstance(router, APIRouter):
            yield from router.routes
        else:
            yield route


def asked(route: BaseRoute) -> set[tuple[str, str]]:
    methods = getattr(route, "methods", None) or set()
    return {(method, getattr(route, "path", "")) for method in methods - {"HEAD"}}


# Every route


async def test_every_route_says_what_it_needs(house: Staffed) -> None:
    without = {one for route in routes(house.app) if need_of(route) is None for one in asked(route)}
    assert without == OPEN
    assert sum(len(asked(route)) for route in routes(house.app)) > 80, "the routes were found"


async def test_what_changes_something_needs_more_than_to_read(house: Staffed) -> None:
    tries = {
        ("POST", f"/api/v1/{path}")
        for path in (
            "prices/diff",
            "releases/check",
            "releases/preview",
            "judges/resolve",
            "cases/preview",
            "drift/features/{feature}/calibrate",
        )
    }
    own = {("POST", "/account"), *tries}
    for route in routes(house.app):
        need = need_of(route)
        for method, path in asked(route) - OPEN - own:
            assert need is not None
            if method in CHANGING:
                assert need.any_of and not {"read", "read_bodies", "audit"} & set(need.any_of), (method, path)


async def test_who_has_no_role_gets_nowhere(house: Staffed) -> None:
    nobody = await house.user("nobody")
    for route in routes(house.app):
        need = need_of(route)
        for method, path in asked(route) - OPEN:
            reply = await house.ask(path.replace("{", "").replace("}", ""), nobody, method=method)
            assert need is not None
            if need.any_of:
                assert reply.status_code == 403, (method, path, reply.text)
                assert "it needs the permission" in reply.text


def readable(house: Staffed) -> list[str]:
    """Everything that can be read, with the other feature's call where a path names one."""
    theirs = house.calls["payroll"][0].id
    plain = {
        path
        for route in routes(house.app)
        for method, path in asked(route)
        if method == "GET" and "{" not in path and isinstance(route, APIRoute) and (method, path) not in OPEN
    }
    mark = MARKS["payroll"]
    wide = [
        "/api/v1/calls?since=30d",
        f"/api/v1/calls?tenant={mark} gmbh",
        f"/api/v1/calls?search={mark}",
        "/api/v1/calls?session=shared",
        "/api/v1/calls/follow?after=0-",
        "/api/v1/cost?since=30d&by=tenant,feature",
        "/api/v1/cost/export?since=30d",
        "/api/v1/cost/export?since=30d&by=tenant",
        "/api/v1/cost/compare?first=2025-12-01..2025-12-15&second=2025-12-20..2026-01-20&by=tenant",
        "/api/v1/changes?since=30d",
        "/?window=all",
        "/calls?window=all",
        f"/calls?window=all&q={mark}",
        "/calls/tail?after=0-",
        "/cost?window=30d&by=tenant",
        "/charts/calls?window=all",
        f"/calls/{house.calls['support'][0].id}",
    ]
    about = [f"/calls/{theirs}{more}" for more in ("", "?view=raw", "/request", "/response", "/images/0")]
    about += [f"/api/v1{path}" for path in (f"/calls/{theirs}", f"/calls/{theirs}/charges", f"/calls/{theirs}/request")]
    return sorted(plain) + wide + about


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
async def test_nothing_of_another_feature_is_ever_shown(house: Staffed, role: str) -> None:
    """Whatever is asked: what only the other feature's calls and keys say comes in no answer."""
    grant = next(Grant(one, "support") for one in ROLES if one == role)
    somebody = await house.user("cleo", grant)
    for path in readable(house):
        reply = await house.ask(path, somebody)
        assert reply.status_code < 500, (path, reply.text)
        if f"q={MARKS['payroll']}" in path:  # the page repeats what was searched for, and must have found nothing
            assert "No call matches" in reply.text or reply.status_code == 403
        else:
            assert MARKS["payroll"] not in reply.text, (path, reply.status_code)


async def test_everything_of_both_features_is_there_for_who_may_read_all(house: Staffed) -> None:
    """The same questions do find it: they are not empty because they were asked wrongly."""
    somebody = await house.user("ana", Grant("admin"))
    found = [path for path in readable(house) if MARKS["payroll"] in (await house.ask(path, somebody)).text]
    assert len(found) >= 12, found


# What was asked and answered


async def test_who_may_not_read_the_text_sees_the_call_without_it(house: Staffed) -> None:
    viewer = await house.user("cleo", Grant("viewer", "support"))
    call = house.calls["support"][0].id
    found = (await house.ask(f"/api/v1/calls/{call}", viewer)).json()
    assert (found["request"], found["response"], found["input_preview"]) == (None, None, "")
    assert found["is_text_withheld"]
    assert found["cost"]["status"] == "measured"
    for path in ("/api/v1/calls", "/calls?window=all", f"/calls/{call}", f"/calls/{call}?view=raw", "/"):
        reply = await house.ask(path, viewer)
        assert reply.status_code == 200
        assert f"{MARKS['support']}?" not in reply.text
    assert "that needs the permission read_bodies for support" in (await house.ask(f"/calls/{call}", viewer)).text
    for path in (f"/api/v1/calls/{call}/request", f"/calls/{call}/response", f"/calls/{call}/images/0"):
        assert (await house.ask(path, viewer)).status_code == 403
    assert await house.changes("access") == []


async def test_words_of_a_text_that_may_not_be_read_cannot_be_searched_for(house: Staffed) -> None:
    viewer = await house.user("cleo", Grant("viewer"), Grant("author", "payroll"))
    for feature, count in (("support", 0), ("payroll", 2)):
        found = (await house.ask(f"/api/v1/calls/count?search={MARKS[feature]}", viewer)).json()
        assert found == {"count": count}
    nothing = await house.user("max", Grant("viewer", "support"))
    for feature in MARKS:
        assert (await house.ask(f"/api/v1/calls?search={MARKS[feature]}", nothing)).json()["calls"] == []


async def test_reading_a_text_is_noted_once_an_hour_for_each_who_reads_it(house: Staffed) -> None:
    ana, ben = await house.user("ana", Grant("author")), await house.user("ben", Grant("author", "support"))
    call, other = house.calls["support"][0].id, house.calls["payroll"][0].id
    for path in (f"/calls/{call}", f"/calls/{call}?view=raw", f"/api/v1/calls/{call}", f"/api/v1/calls/{call}/request"):
        for headers in (ana, ben):
            assert (await house.ask(path, headers)).status_code == 200
    assert (await house.ask(f"/calls/{other}", ana)).status_code == 200
    assert (await house.ask(f"/calls/{other}", ben)).status_code == 403
    assert (await house.ask_locally(f"/api/v1/calls/{call}?text=false")).json()["request"] is None
    assert (await house.ask_locally(f"/api/v1/calls/{call}")).json()["request"] is not None
    await house.ask(f"/calls/{other}?view=timing", await house.user("max", Grant("author")))
    noted = [(change.actor, change.feature, change.detail) for change in await house.changes("access")]
    assert noted == [
        ("ana", "support", {"call": call}),
        ("ben", "support", {"call": call}),
        ("ana", "payroll", {"call": other}),
        ("local", "support", {"call": call}),
    ]


async def test_reading_again_in_the_next_hour_is_noted_again(house: Staffed, recorded: Recorded) -> None:
    call = house.calls["support"][0].id
    for _ in range(3):
        await house.control.changes.note_reading(call, actor="ana", feature="support")
    recorded.clock.advance(3_600)
    await asyncio.gather(*(house.control.changes.note_reading(call, actor="ana", feature="support") for _ in range(5)))
    assert len(await house.changes("access")) == 2


async def test_who_has_read_what_is_told_to_auditors_only(house: Staffed) -> None:
    call = house.calls["support"][0].id
    await house.control.changes.note_reading(call, actor="ana", feature="support")
    for name, grant, count in (
        ("auditor", Grant("auditor"), 1),
        ("operator", Grant("operator"), 0),
        ("author", Grant("author", "support"), 0),
    ):
        found = await house.ask("/api/v1/changes?kind=access", await house.user(name, grant))
        assert len(found.json()["changes"]) == count, name
    assert call not in (await house.ask("/health", await house.user("max", Grant("admin")))).text, "it changes nothing"


async def test_changes_can_be_asked_for_by_kind_by_who_and_by_feature(house: Staffed) -> None:
    for query, summaries in (
        ("kind=key", 2),
        ("kind=key&feature=support", 1),
        ("actor=local&kind=key&feature=payroll", 1),
        ("actor=nobody", 0),
    ):
        found = (await house.ask_locally(f"/api/v1/changes?{query}")).json()["changes"]
        assert len(found) == summaries, query


# Doing


async def test_a_key_is_made_and_ended_by_who_operates_its_feature(house: Staffed) -> None:
    operator = await house.user("cleo", Grant("operator", "support"))
    keys = {row.feature: row.public_id for row in await house.control.keys.all()}
    assert (await house.send_form("/keys", operator, feature="support")).status_code == 303
    assert (await house.send_form("/keys", operator, feature="payroll")).status_code == 403
    for verb in ("rotate", "revoke"):
        assert (await house.send_form(f"/keys/{keys['payroll']}/{verb}", operator)).status_code == 403
        assert (await house.send_form(f"/keys/{keys['support']}/{verb}", operator)).status_code == 303
    token = await house.token("ci", "operate", features=["support"])
    for feature, status in (("support", 201), ("payroll", 403)):
        reply = await house.ask("/api/v1/keys", token, method="POST", json={"feature": feature})
        assert reply.status_code == status, reply.text
    reply = await house.ask(f"/api/v1/keys/{keys['payroll']}/revoke", token, method="POST")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "not_allowed")


async def test_a_question_that_cannot_be_limited_is_refused_with_the_reason(house: Staffed) -> None:
    somebody = await house.user("cleo", Grant("cost_owner", "support"))
    reply = await house.ask("/api/v1/budgets", somebody)
    assert reply.status_code == 403
    assert "A budget may count calls of any feature" in reply.json()["error"]["message"]
    page = await house.ask("/budgets", somebody)
    assert page.status_code == 403
    assert "A budget may count calls of any feature" in page.text


async def test_the_shell_leads_only_to_pages_that_would_be_shown(house: Staffed) -> None:
    for name, grant, hidden in (
        ("ana", Grant("admin"), set[str]()),
        ("cleo", Grant("viewer"), set[str]()),
        ("max", Grant("viewer", "support"), {"/budgets"}),
    ):
        headers = await house.user(name, grant)
        page = (await house.ask("/health", headers)).text
        for place in PLACES:
            is_shown = f'<a href="{place.href}" data-go' in page
            assert is_shown is (place.href not in hidden), (name, place.href)
            assert ((await house.ask(place.href, headers)).status_code == 200) is is_shown, (name, place.href)


async def test_a_review_is_seen_and_signed_by_who_is_in_charge_of_all_its_features(
    recorded: Recorded, tmp_path: Path
) -> None:
    """Both features have no cost owner, so that one sheet sums them up."""
    later = FakeClock(recorded.clock.unix_ns() + 10 * 86_400 * 10**9)
    async with staffed(recorded, tmp_path, clock=later) as house:
        partly = await house.user("cleo", Grant("cost_owner", "support"))
        wholly = await house.user("ana", Grant("cost_owner", "support"), Grant("cost_owner", "payroll"))
        reader = await house.user("max", Grant("viewer"))
        week = "/review?week=2026-W01"
        sheet = f"{week}&owner={NO_OWNER}"
        assert "no cost owner" not in (await house.ask(week, partly)).text
        assert (await house.ask(sheet, partly)).status_code == 403
        for headers, may_sign in ((wholly, True), (reader, False)):
            assert "no cost owner" in (await house.ask(week, headers)).text
            page = (await house.ask(sheet, headers)).text
            assert "payroll" in page
            assert ("Sign</button>" in page) is may_sign
        fields = {"week": "2026-W01", "owner": NO_OWNER, "seen": "other figures"}
        for headers, status in ((partly, 403), (reader, 403), (wholly, 409)):
            assert (await house.send_form("/review", headers, **fields)).status_code == status


async def test_forms_are_shown_to_those_whose_forms_are_taken(house: Staffed) -> None:
    viewer, operator = await house.user("cleo", Grant("viewer")), await house.user("max", Grant("operator", "support"))
    assert "Make a key" not in (await house.ask("/keys", viewer)).text
    assert "Revoke" not in (await house.ask("/keys", viewer)).text
    assert (await house.ask("/keys", operator)).text.count("Revoke this key") == 1
    assert "Add a budget" not in (await house.ask("/budgets", viewer)).text


async def test_units_of_value_are_reported_by_who_is_in_charge_of_the_money_of_the_feature(house: Staffed) -> None:
    token = await house.token("shop", "money", features=["support"])
    for number, (about, status) in enumerate(
        (
            ({"call_id": house.calls["support"][0].id}, 201),
            ({"call_id": house.calls["payroll"][0].id}, 403),
            ({"feature": "payroll"}, 403),
        )
    ):
        reply = await house.ask("/api/v1/value", token, method="POST", json={"id": f"v{number}", "units": "1", **about})
        assert reply.status_code == status, reply.text


async def test_a_token_says_what_it_may(house: Staffed) -> None:
    token = await house.token("ci", "read", "promote", features=["support"])
    found = (await house.ask("/api/v1/me", token)).json()
    assert found == {"name": "token:ci", "may": {"support": ["promote", "read"]}}


# Users and tokens


async def test_an_admin_gives_and_takes_roles_over_the_api(house: Staffed) -> None:
    await house.user("cleo", Grant("viewer"))
    token = await house.token("setup", "administer")
    reply = await house.ask("/api/v1/users/cleo/grant", token, method="POST", json={"role": "author", "feature": "a"})
    assert [(one["role"], one["feature"]) for one in reply.json()["grants"]] == [("viewer", "*"), ("author", "a")]
    reply = await house.ask("/api/v1/users/cleo/withdraw", token, method="POST", json={"role": "viewer"})
    assert [(one["role"], one["feature"]) for one in reply.json()["grants"]] == [("author", "a")]
    reply = await house.ask("/api/v1/users/cleo/withdraw", token, method="POST", json={"role": "viewer"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "grant_not_found")
    reply = await house.ask("/api/v1/users/nobody/grant", token, method="POST", json={"role": "viewer"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "user_not_found")
    reply = await house.ask("/api/v1/users/cleo/grant", token, method="POST", json={"role": "emperor"})
    assert reply.status_code == 422


async def test_the_admin_of_a_feature_gives_its_roles_and_no_others(house: Staffed) -> None:
    await house.user("cleo", Grant("viewer"))
    token = await house.token("team", "administer", features=["support"])
    for feature, status in (("support", 200), ("payroll", 403), ("*", 403)):
        wish = {"role": "author", "feature": feature}
        assert (await house.ask("/api/v1/users/cleo/grant", token, method="POST", json=wish)).status_code == status
    for path, body in (("users", {"name": "max", "password": "correct horse"}), ("tokens", {"name": "x"})):
        assert (await house.ask(f"/api/v1/{path}", token, method="POST", json=body)).status_code == 403


async def test_the_first_user_is_an_admin_and_the_next_a_viewer_unless_it_is_said(house: Staffed) -> None:
    for name, more, role in (("ana", {}, "admin"), ("ben", {}, "viewer"), ("cleo", {"role": "auditor"}, "auditor")):
        wish = {"name": name, "password": "correct horse battery", **more}
        reply = await house.ask_locally("/api/v1/users", method="POST", json=wish)
        assert [(one["role"], one["feature"]) for one in reply.json()["grants"]] == [(role, "*")]


async def test_a_token_is_made_with_scopes_and_an_end(house: Staffed, recorded: Recorded) -> None:
    wish = {"name": "ci", "scopes": ["read", "promote", "read"], "features": ["support"], "expires_in_s": 60}
    made = (await house.ask_locally("/api/v1/tokens", method="POST", json=wish)).json()
    assert (made["scopes"], made["features"], made["is_valid"]) == (["read", "promote"], ["support"], True)
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await house.ask("/api/v1/calls", headers)).status_code == 200
    assert (await house.ask("/api/v1/users", headers)).status_code == 403
    recorded.clock.advance(61)
    assert (await house.ask("/api/v1/calls", headers)).status_code == 401
    [listed] = (await house.ask_locally("/api/v1/tokens")).json()["tokens"]
    assert (listed["is_valid"], listed["revoked_at"]) == (False, None)
    wrongs: list[dict[str, object]] = [{"scopes": ["fly"]}, {"scopes": []}, {"features": [""]}, {"expires_in_s": 0}]
    for wrong in wrongs:
        reply = await house.ask_locally("/api/v1/tokens", method="POST", json={"name": "x", **wrong})
        assert reply.status_code == 422, wrong


async def test_what_becomes_of_an_alert_is_noted_with_who_said_so(house: Staffed) -> None:
    alerts = house.control.alerts
    draft = AlertDraft(kind="price_unknown", key="k", severity="warning", title="t", text="t")
    raised = await alerts.raise_alert(draft, Notifications())
    assert raised is not None
    token = await house.token("watch", "operate")
    assert (await house.ask(f"/api/v1/alerts/{raised.id}/resolve", token, method="POST")).status_code == 200
    body = {"feedback": "noise"}
    reply = await house.ask(f"/api/v1/alerts/{raised.id}/feedback", token, method="POST", json=body)
    assert reply.status_code == 200
    noted = [(one.actor, one.detail["before"], one.detail["after"]) for one in await house.changes("alert")]
    assert noted == [
        ("token:watch", {"state": "open"}, {"state": "resolved"}),
        ("token:watch", {"feedback": None}, {"feedback": "noise"}),
    ]
