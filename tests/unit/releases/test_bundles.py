"""A signed bundle is used whole, as it was signed, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.releases.bundle import Bundle, BundleRefused, Signer, public_key_of, verify
from watchkeeper.releases.recipe import Message, Recipe, release_id
from watchkeeper.releases.standing import Arm, Rollout

SIGNER = Signer(b"1" * 32)
RECIPE = Recipe(feature="support", model="m", messages=(Message("user", "{{ question }} – süß"),))
OTHER = Recipe(feature="support", model="m2", messages=(Message("user", "other"),))
BUNDLE = Bundle(
    feature="support",
    environment="production",
    release=release_id(RECIPE),
    recipes={release_id(RECIPE): RECIPE, release_id(OTHER): OTHER},
    since_ns=5,
    rollout=Rollout("r1", "ab", (Arm(release_id(OTHER), 0.5),)),
)
DOCUMENT = SIGNER.sign(BUNDLE)


def test_what_was_signed_is_read_as_it_was() -> None:
    assert verify(DOCUMENT, SIGNER.public_key) == BUNDLE
    assert public_key_of(DOCUMENT) == SIGNER.public_key
    assert BUNDLE.name == "support@production"


@given(place=st.integers(0, len(DOCUMENT) - 1), letter=st.integers(0, 255))
def test_no_byte_can_be_changed(place: int, letter: int) -> None:
    changed = DOCUMENT[:place] + bytes([letter]) + DOCUMENT[place + 1 :]
    try:
        assert verify(changed, SIGNER.public_key) == BUNDLE
    except BundleRefused:
        return
    # What was not refused says the same: only white space or an escape outside what is signed may differ.
    assert json.loads(changed)["bundle"] == json.loads(DOCUMENT)["bundle"]


@pytest.mark.parametrize("cut", [0, 1, len(DOCUMENT) // 2, len(DOCUMENT) - 1])
def test_a_part_is_refused(cut: int) -> None:
    with pytest.raises(BundleRefused):
        verify(DOCUMENT[:cut], SIGNER.public_key)


def test_a_bundle_of_another_signer_is_refused_even_if_it_names_our_key() -> None:
    forged = json.loads(Signer(b"2" * 32).sign(BUNDLE)) | {"public_key": SIGNER.public_key}
    with pytest.raises(BundleRefused, match="does not fit"):
        verify(json.dumps(forged).encode(), SIGNER.public_key)


def test_a_recipe_under_an_id_that_is_not_its_own_is_refused_although_it_is_signed() -> None:
    wrong = Bundle(feature="support", release=release_id(RECIPE), recipes={release_id(RECIPE): OTHER})
    with pytest.raises(BundleRefused, match="not those of its releases"):
        verify(SIGNER.sign(wrong), SIGNER.public_key)


@pytest.mark.parametrize("key", ["", "not base 64!", "QUJD", SIGNER.public_key[:-4]])
def test_a_key_that_is_none_verifies_nothing(key: str) -> None:
    with pytest.raises(BundleRefused):
        verify(DOCUMENT, key)
