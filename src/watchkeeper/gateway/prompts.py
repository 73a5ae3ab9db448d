"""Gives out what features serve, signed, to applications that render prompts themselves."""

from collections import OrderedDict
from hashlib import blake2b
from http import HTTPStatus
from typing import NamedTuple

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.live import Standing
from watchkeeper.gateway.refusals import PromptRefused, ReleaseMissing
from watchkeeper.gateway.serving import Features
from watchkeeper.gateway.shelf import Shelf
from watchkeeper.gateway.snapshot import KeyEntry
from watchkeeper.releases.bundle import Bundle, Signer
from watchkeeper.releases.recipe import ID_PREFIX, Recipe

KEPT_MAX = 1_000
"""Signed bundles in one worker; the one that was not asked for the longest goes first."""
_HEAD = b"content-type: application/json\r\ncache-control: private, no-cache\r\n"
_STALE = b"x-wk-stale: true\r\n"


class _Kept(NamedTuple):
    standing: Standing
    document: bytes
    etag: bytes


class Bundles:
    """The signed bundles of one worker: each is signed once for every change of what is live."""

    def __init__(self, features: Features, shelf: Shelf, signer: Signer, clock: Clock) -> None:
        self._features = features
        self._shelf = shelf
        self._signer = signer
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def answer(self, entry: KeyEntry, named: str, has: bytes) -> tuple[int, bytes, bytes]:
        """Return status, headers and body for whoever asks with a key.

        Args:
            entry: The key's.
            named: `feature`, `feature@environment` or `feature@wk1-...`; the environment is the key's unless it is
                named.
            has: `if-none-match` as sent; what still holds is not sent again.

        Raises:
            PromptRefused: the key is another feature's.
            NothingLive: the feature serves nothing there.
            ReleaseMissing: the release is not at hand.
        """
        feature, _, where = named.partition("@")
        if entry.feature not in ("", feature):
            raise PromptRefused(
                f"The key {entry.public_id} is one of the feature `{entry.feature}` and gets no prompts of "
                f"`{feature[:100]}`. Use a key of that feature."
            )
        kept = self._found(feature, where or entry.environment)
        stale = _STALE if self._features.is_stale else b""
        headers = b"%betag: %b\r\n%b" % (_HEAD, kept.etag, stale)
        if kept.etag in [one.strip().removeprefix(b"W/") for one in has.split(b",")]:
            return HTTPStatus.NOT_MODIFIED, headers, b""
        return HTTPStatus.OK, headers, kept.document

    def _found(self, feature: str, where: str) -> _Kept:
        name = f"{feature}@{where}"
        if where.startswith(ID_PREFIX):
            environment, standing = "", Standing(0, where)
        else:
            environment, standing = where, self._features.standing(feature, where, self._clock.unix_ns())
        kept = self._kept.get(name)
        if kept is None or kept.standing != standing:
            document = self._signer.sign(self._bundle(feature, environment, standing))
            kept = _Kept(standing, document, b'"%b"' % blake2b(document, digest_size=16).hexdigest().encode())
            self._kept[name] = kept
        self._kept.move_to_end(name)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return kept

    def _bundle(self, feature: str, environment: str, standing: Standing) -> Bundle:
        rollout = standing.rollout if standing.rollout is not None and standing.rollout.kind != "shadow" else None
        arms = [] if rollout is None else [arm.release for arm in rollout.arms]
        return Bundle(
            feature=feature,
            environment=environment,
            release=standing.release,
            recipes={release: self._recipe(feature, release) for release in (standing.release, *arms)},
            since_ns=standing.since_ns,
            rollout=rollout,
        )

    def _recipe(self, feature: str, release: str) -> Recipe:
        stocked = self._shelf.get(release)
        if stocked is None or stocked.prepared.recipe.feature != feature:
            raise ReleaseMissing(
                f"There is no release {release[:60]} of the feature `{feature[:100]}` here. "
                "`watchkeeper release history FEATURE` lists them."
            )
        return stocked.prepared.recipe
