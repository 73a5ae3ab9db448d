"""What a feature serves in an environment, signed, for applications that render prompts themselves.

A bundle travels as `{"bundle": {...}, "signature": ..., "public_key": ...}`. The signature (Ed25519, RFC 8032) is over
the bytes of `bundle` as they stand there, so that nobody has to write JSON the same way twice.
"""

import base64
import binascii

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from watchkeeper.core.errors import CallerError
from watchkeeper.releases.recipe import Recipe, release_id
from watchkeeper.releases.standing import Rollout

DOCUMENT_BYTES_MAX = 8_000_000
"""Of a signed bundle: a release and the arms of a rollout."""

_PURPOSE = b"watchkeeper bundle 1\n"
"""Stands before what is signed, so that the signature means nothing anywhere else."""


class BundleRefused(CallerError):
    """A bundle is not what the gateway has signed; nothing of it is used."""

    code = "bundle_refused"


class Bundle(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The releases that one feature serves, and to whom which."""

    feature: str
    environment: str = ""
    """Empty for a release that was asked for by its id."""
    release: str
    """What stands; who is on an arm of the rollout gets that arm's."""
    recipes: dict[str, Recipe]
    """By release: what stands, and the arms'."""
    since_ns: int = 0
    """Since when it stands (Unix time); 0 for a release that was asked for by its id."""
    rollout: Rollout | None = None

    @property
    def name(self) -> str:
        """What it was asked for as: `feature@environment`, or `feature@wk1-...`."""
        return f"{self.feature}@{self.environment or self.release}"

    def assigned(self, unit: str) -> tuple[str, str]:
        """Return the release that a unit gets, and the id of the rollout that says so; empty where none runs.

        A shadow changes nothing for anybody: only the gateway copies calls to it.
        """
        if self.rollout is None or self.rollout.kind == "shadow":
            return self.release, ""
        return self.rollout.arm_of(unit) or self.release, self.rollout.id


class _Signed(Struct, frozen=True):
    bundle: msgspec.Raw
    signature: str
    public_key: str


class Signer:
    """Signs bundles with the key of one data folder."""

    def __init__(self, seed: bytes) -> None:
        """Take the 32 bytes that `access.node` derives for this."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = _written(self._key.public_key().public_bytes_raw())
        """In base 64, as bundles name it."""

    def sign(self, bundle: Bundle) -> bytes:
        """Return the signed document."""
        content = msgspec.json.encode(bundle)
        signature = _written(self._key.sign(_PURPOSE + content))
        return msgspec.json.encode(_Signed(msgspec.Raw(content), signature, self.public_key))


def public_key_of(document: bytes) -> str:
    """Return the key that a document says it was signed with; nothing is verified.

    Raises:
        BundleRefused: it is no signed bundle.
    """
    return _read(document).public_key


def verify(document: bytes, public_key: str) -> Bundle:
    """Return the bundle of a document that was signed with a key, each recipe in it under the id of its content.

    Raises:
        BundleRefused: it was altered, signed with another key, or is none.
    """
    signed = _read(document)
    if signed.public_key != public_key:
        raise BundleRefused(f"The bundle is signed with the key {signed.public_key[:60]}, not with {public_key}.")
    content = bytes(signed.bundle)
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signed.signature, validate=True), _PURPOSE + content)
    except (InvalidSignature, binascii.Error, ValueError):
        raise BundleRefused("The bundle's signature does not fit: it has been altered since it was signed.") from None
    try:
        bundle = msgspec.json.decode(content, type=Bundle)
    except msgspec.MsgspecError as error:
        raise BundleRefused(
            f"The bundle is of a newer gateway than this version understands ({error}). Update watchkeeper here."
        ) from None
    wrong = [named for named, recipe in bundle.recipes.items() if release_id(recipe) != named]
    if wrong or bundle.release not in bundle.recipes:
        raise BundleRefused(
            f"The bundle's recipes are not those of its releases ({', '.join(wrong) or 'one is missing'})."
        )
    return bundle


def _read(document: bytes) -> _Signed:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise BundleRefused(f"The bundle is larger than {DOCUMENT_BYTES_MAX} bytes.")
    try:
        return msgspec.json.decode(document, type=_Signed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BundleRefused("This is no signed bundle, or only a part of one.") from None


def _written(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
