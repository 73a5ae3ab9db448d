"""The page about access: what it shows to whom, and that its forms do what the control API does."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.control.staffed import Recorded, Staffed, staffed

from watchkeeper.access.roles import Grant


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("page"))


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Staffed]:
    async with staffed(recorded, tmp_path) as found:
        yield found


async def test_an_admin_gives_and_takes_a_role_on_the_page(house: Staffed) -> None:
    admin = await house.user("ana", Grant("admin"))
    await house.user("cleo", Grant("viewer"))
    reply = await house.send_form("/access/grant", admin, user="cleo", role="approver", feature="support")
    assert (reply.status_code, reply.headers["location"]) == (303, "/access?find=cleo")
    page = (await house.ask("/access?find=cleo", admin)).text
    assert "<b>approver</b>" in page and 'title="support">of support' in page
    assert "Withdraw approver of support from cleo" in page
    await house.send_form("/access/withdraw", admin, user="cleo", role="approver", feature="support")
    assert [str(row.grant) for row in await house.control.grants.of("cleo")] == ["viewer of every feature"]
    for fields, status in (
        ({"user": "nobody", "role": "viewer"}, 404),
        ({"user": "cleo", "role": "emperor"}, 400),
        ({"user": "cleo", "role": "author", "feature": "support"}, 404),
    ):
        path = "/access/withdraw" if "feature" in fields else "/access/grant"
        assert (await house.send_form(path, admin, **fields)).status_code == status


async def test_a_form_from_elsewhere_gives_nobody_a_role(house: Staffed) -> None:
    admin = await house.user("ana", Grant("admin"))
    await house.user("cleo")
    fields = {"user": "cleo", "role": "admin"}
    assert (await house.ask("/access/grant", admin, method="POST", data=fields)).status_code == 403
    assert await house.control.grants.of("cleo") == []


async def test_users_and_tokens_are_shown_to_admins_and_auditors_only(house: Staffed) -> None:
    await house.token("night-shift", "read")
    for name, grant, is_shown, may_give in (
        ("ana", Grant("admin"), True, True),
        ("ben", Grant("auditor"), True, False),
        ("cleo", Grant("operator"), False, False),
        ("max", Grant("admin", "support"), False, False),
    ):
        page = (await house.ask("/access", await house.user(name, grant))).text
        assert ("night-shift" in page) is is_shown, name
        assert ("Give the role" in page) is may_give, name
        assert ("Revoke this token" in page) is may_give, name


async def test_who_may_approve_where_is_told_to_everybody_for_the_features_they_know(house: Staffed) -> None:
    await house.user("ana", Grant("approver", "support"))
    await house.user("ben", Grant("approver", "payroll"))
    await house.user("out", Grant("approver", "support"))
    await house.control.people.disable("out", actor="local")
    page = (await house.ask("/access", await house.user("cleo", Grant("author", "support")))).text
    assert "<bdi>ana</bdi>" in page and "support" in page
    assert "ben" not in page and "payroll" not in page, "of another feature"
    assert "out" not in page.partition("<table")[2].partition("</table>")[0]


async def test_an_admin_ends_a_token_on_the_page(house: Staffed) -> None:
    admin, token = await house.user("ana", Grant("admin")), await house.token("ci", "read")
    [row] = await house.control.people.list_tokens()
    assert (await house.send_form(f"/access/tokens/{row.id}/revoke", admin)).status_code == 303
    assert (await house.ask("/api/v1/calls", token)).status_code == 401


async def test_names_are_never_markup(house: Staffed) -> None:
    admin = await house.user("ana", Grant("admin", "*"), Grant("author", "<b>bold</b>"))
    page = await house.ask("/access?find=<i>", admin)
    assert "<b>bold" not in page.text and '<i>"' not in page.text
    page = await house.ask("/patterns/access", admin)
    assert page.status_code == 200
    assert "<script>alert" not in page.text


async def test_many_users_make_no_large_page(house: Staffed) -> None:
    admin = await house.user("ana", Grant("admin"))
    for number in range(120):
        grants = [Grant("author", f"feature-{number}"), Grant("approver", f"feature-{number}")]
        await house.control.people.add_user(f"user{number:03}@example.com", "hash", actor="local", grants=grants)
    page = await house.ask("/access", admin)
    assert len(page.content) < 100_000
    assert "85 more; find them by name" in page.text
    assert "user111@example.com" in (await house.ask("/access?find=USER111", admin)).text


async def test_somebody_from_the_provider_is_offered_no_password(house: Staffed) -> None:
    await house.user("cleo", Grant("viewer"))
    local = await house.ask("/account", await house.user("max", Grant("author", "support")))
    assert "You are author of support." in local.text and "Present password" in local.text
    await house.control.people.hand_over("cleo", actor="local")
    await house.control.people.begin_session(house.services.token_hasher.hash("again"), "cleo")
    page = await house.ask("/account", {"cookie": "wk_session=again"})
    assert "You sign in with the provider" in page.text and 'password"' not in page.text
