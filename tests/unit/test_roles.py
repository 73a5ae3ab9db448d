"""Roles and what they come to: a right is held only where somebody was given it."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.access.roles import (
    ALL,
    EVERYTHING,
    HELD,
    PERMISSIONS,
    ROLES,
    Grant,
    Permission,
    Rights,
    Role,
    rights_of,
    rights_within,
    roles_with,
)

FEATURES = ["support", "search", "payroll", ""]
grants = st.lists(st.builds(Grant, st.sampled_from(ROLES), st.sampled_from([*FEATURES[:3], ALL])), max_size=6)
permissions = st.sampled_from(PERMISSIONS)
features = st.sampled_from([*FEATURES, ALL, "unheard of"])


@given(grants, permissions, features)
def test_a_right_is_held_exactly_where_a_grant_for_the_feature_or_for_all_permits_it(
    held: list[Grant], permission: Permission, feature: str
) -> None:
    wanted = any(permission in HELD[one.role] and one.feature in (feature, ALL) for one in held)
    assert rights_of(held).may(permission, feature) is wanted


@given(grants, grants, permissions, features)
def test_another_grant_takes_nothing_away(
    first: list[Grant], second: list[Grant], permission: Permission, feature: str
) -> None:
    assert rights_of(first + second).may(permission, feature) >= rights_of(first).may(permission, feature)


@given(grants, permissions)
def test_the_features_of_a_permission_are_those_it_is_held_for(held: list[Grant], permission: Permission) -> None:
    rights = rights_of(held)
    found = rights.features(permission)
    assert (found is None) is rights.may(permission)
    assert all(rights.may(permission, feature) is (found is None or feature in found) for feature in FEATURES)
    assert rights.may_somewhere(permission) is (found is None or bool(found))


def test_nobody_may_do_anything_and_the_owner_of_the_machine_everything() -> None:
    assert not any(Rights().may_somewhere(permission) for permission in PERMISSIONS)
    assert all(EVERYTHING.may(permission, feature) for permission in PERMISSIONS for feature in ("support", "", ALL))


def test_a_token_can_do_what_its_scopes_say_and_no_more() -> None:
    rights = rights_within(["promote", "read", "of a later version"], ["support"])
    assert {one for one in PERMISSIONS if rights.may(one, "support")} == {"promote", "read"}
    assert not any(rights.may(one, "search") or rights.may(one) for one in PERMISSIONS)
    assert rights_within([ALL], [ALL]) == EVERYTHING


def test_only_an_admin_can_make_others_more_than_they_are() -> None:
    assert roles_with("administer") == ("admin",)
    assert HELD["admin"] == frozenset(PERMISSIONS)


def test_who_writes_a_release_cannot_approve_it_by_the_same_role() -> None:
    apart: list[Role] = [role for role in ROLES if role != "admin"]
    assert not any({"write_releases", "approve"} <= HELD[role] for role in apart)
