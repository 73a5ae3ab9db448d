"""Who is calling, and on whose behalf: checks the key and reads the attribution headers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from watchkeeper.access.keys import KeyHasher, public_id_of
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.plan import KNOWN_KEYS_MAX, Plan
from watchkeeper.gateway.refusals import KeyMissing, KeyRefused, TenantMismatch
from watchkeeper.gateway.snapshot import KeyEntry
from watchkeeper.releases.recipe import is_release_id

CREDENTIAL_WORDS = (
    b"authorization",
    b"api-key",
    b"apikey",
    b"auth-",
    b"-auth",
    b"cookie",
    b"password",
    b"secret",
    b"token",
)
"""A header with one of them in its name is never recorded. No header of a client's is sent upstream."""

Header = tuple[bytes, bytes]
"""Name in lower case, value."""

SORTINGS_MAX = 1_000
"""Orders of header names that are remembered; the next one starts over with none."""
NAMES_BYTES_MAX = 2_000
"""Longer orders are sorted anew each time."""
REMEMBERED_MAX = 10_000
"""Sets of attributing headers whose meaning is remembered; the next one starts over with none."""
REMEMBERED_BYTES_MAX = 1_000
"""Longer sets are read anew each time."""
TAGS_MAX = 32
METADATA_MAX = 32
VALUE_LENGTH_MAX = 200
"""Longer names and values are cut, further ones are left out: attribution is for grouping, not for payloads."""


class Attribution:
    """What one request's headers say of feature, tenant, subject, session, tags, metadata and value."""

    __slots__ = (
        "environment", "feature", "metadata", "person", "release", "rollout", "session", "subject", "tags", "tenant",
        "value_milli",
    )  # fmt: skip

    def __init__(self) -> None:
        self.feature = ""
        self.tenant = ""
        self.subject = ""
        self.session = ""
        self.tags: list[str] = []
        self.metadata: dict[str, str] = {}
        self.value_milli: int | None = None
        self.release = ""
        """Of a prompt that the client has rendered itself."""
        self.rollout = ""
        """Which chose it."""
        self.person = ""
        """Whom the subject stands for, as the client names them."""
        self.environment = ""


def _field(name: str) -> Callable[[Attribution, str], None]:
    def put(found: Attribution, value: str) -> None:
        setattr(found, name, value[:VALUE_LENGTH_MAX])

    return put


def _tags(found: Attribution, value: str) -> None:
    found.tags += [tag.strip()[:VALUE_LENGTH_MAX] for tag in value.split(",") if tag.strip()][
        : TAGS_MAX - len(found.tags)
    ]


def _value(found: Attribution, value: str) -> None:
    """Read units of value; what is not plain digits with at most three decimals is left out."""
    if said := _UNITS.fullmatch(value.strip()):
        found.value_milli = int(said[1]) * 1000 + int((said[2] or "").ljust(3, "0"))


def _release(found: Attribution, value: str) -> None:
    """Take what has the form of a release's id; anything else says nothing."""
    if is_release_id(value.strip()):
        found.release = value.strip()


def _rollout(found: Attribution, value: str) -> None:
    """Take what has the form of a rollout's id."""
    if _ROLLOUT.fullmatch(value.strip()):
        found.rollout = value.strip()


_ROLLOUT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNITS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")


def _json_metadata(found: Attribution, value: str) -> None:
    try:
        pairs = _pairs(value)
    except UNREADABLE:
        return
    for name, item in pairs.items():
        text = item if isinstance(item, str) else _write(item).decode()
        if name == "_user":
            found.subject = found.subject or text[:VALUE_LENGTH_MAX]
        elif len(found.metadata) < METADATA_MAX:
            found.metadata[name[:VALUE_LENGTH_MAX]] = text[:VALUE_LENGTH_MAX]


_pairs = msgspec.json.Decoder(dict[str, Any]).decode
_write = msgspec.json.Encoder().encode
_subject = _field("subject")
_PERSONAL = frozenset({_subject, _json_metadata})
"""Headers read by these may name a person; what they say is recorded apart, the person under a pseudonym."""

_OWN: dict[bytes, Callable[[Attribution, str], None]] = {
    b"x-wk-feature": _field("feature"),
    b"x-wk-tenant": _field("tenant"),
    b"x-wk-subject": _subject,
    b"x-wk-session": _field("session"),
    b"x-wk-tags": _tags,
    b"x-wk-value": _value,
    b"x-wk-release": _release,
    b"x-wk-rollout": _rollout,
    b"x-wk-environment": _field("environment"),
}
_ALIASES: dict[bytes, Callable[[Attribution, str], None]] = {
    # the headers that clients of other gateways already send
    b"x-litellm-tags": _tags,
    b"x-litellm-end-user-id": _subject,
    b"x-litellm-customer-id": _subject,
    b"x-litellm-session-id": _field("session"),
    b"x-litellm-trace-id": _field("session"),
    b"x-litellm-spend-logs-metadata": _json_metadata,
    b"x-portkey-metadata": _json_metadata,
    b"x-portkey-trace-id": _field("session"),
    b"helicone-user-id": _subject,
    b"helicone-session-id": _field("session"),
    b"x-bf-customer-id": _subject,
}
_PREFIXES = (b"x-wk-meta-", b"helicone-property-", b"x-bf-dim-")


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """What to do with a header of one name."""

    put: Callable[[Attribution, str], None] | None = None
    is_own: bool = False
    """Ours wins over another gateway's alias, wherever it stands."""
    is_kept: bool = True
    """What names a person or proves who is calling is not recorded."""


_PLAIN = HeaderRule()
_SECRET = HeaderRule(is_kept=False)
_TRACE = HeaderRule()


@dataclass(frozen=True, slots=True)
class _Sorting:
    """Where in a request's headers what stands; the same client sends the same names in the same order every time."""

    dropped: tuple[int, ...]
    """What is not recorded, the last first."""
    telling: tuple[int, ...]
    traceparent: int | None


class HeaderReader:
    """Sorts a request's headers by their names."""

    def __init__(self) -> None:
        self._sortings: dict[tuple[bytes, ...], _Sorting] = {}

    def read(self, headers: list[Header]) -> tuple[list[Header], tuple[Header, ...], bytes]:
        """Return the headers that may be recorded, those that attribute the call, and `traceparent`."""
        names = tuple([name for name, _ in headers])
        found = self._sortings.get(names) or self._sort(names)
        kept = headers.copy()
        for place in found.dropped:
            del kept[place]
        telling = tuple([headers[place] for place in found.telling]) if found.telling else ()
        return kept, telling, b"" if found.traceparent is None else headers[found.traceparent][1]

    def _sort(self, names: tuple[bytes, ...]) -> _Sorting:
        rules = [_rule_for(name) for name in names]
        places = range(len(names))
        traces = [place for place in places if rules[place] is _TRACE]
        found = _Sorting(
            dropped=tuple(place for place in reversed(places) if not rules[place].is_kept),
            telling=tuple(place for place in places if rules[place].put is not None),
            traceparent=traces[0] if traces else None,
        )
        if sum(map(len, names)) <= NAMES_BYTES_MAX:
            if len(self._sortings) >= SORTINGS_MAX:
                self._sortings.clear()
            self._sortings[names] = found
        return found

    def attribution(self, telling: tuple[Header, ...]) -> Attribution:
        """Read what headers say; ours have the last word."""
        found = Attribution()
        ruled = [(_rule_for(name), value) for name, value in telling]
        for rule, value in sorted(ruled, key=lambda item: item[0].is_own):
            if rule.put is not None:
                rule.put(found, _text(value))
        return found


def _rule_for(name: bytes) -> HeaderRule:
    if name == b"traceparent":
        return _TRACE
    put = _OWN.get(name) or _ALIASES.get(name)
    if put is not None:
        return HeaderRule(put=put, is_own=name in _OWN, is_kept=put not in _PERSONAL)
    if any(word in name for word in CREDENTIAL_WORDS):
        return _SECRET
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return HeaderRule(put=_metadata_field(name[len(prefix) :].decode("latin-1")[:VALUE_LENGTH_MAX]))
    return _PLAIN


def _metadata_field(name: str) -> Callable[[Attribution, str], None]:
    def put(found: Attribution, value: str) -> None:
        if len(found.metadata) < METADATA_MAX:
            found.metadata[name] = value[:VALUE_LENGTH_MAX]

    return put


def _text(value: bytes) -> str:
    """Header values are UTF-8 here, percent-encoded where a client could not send them otherwise."""
    text = value.decode("utf-8", "replace")
    return unquote(text) if "%" in text else text


class Admission:
    """Lets a request in under its key, and writes into the call who it is for."""

    def __init__(self, keys: KeyHasher, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._keys = keys
        self._reader = HeaderReader()
        self._pseudonym = pseudonyms.of
        self._remembered: dict[tuple[str, tuple[Header, ...]], Attribution] = {}
        self._unix_ns = clock.unix_ns

    def identify(self, plan: Plan, headers: dict[bytes, bytes]) -> KeyEntry:
        """Find the key that a request presents.

        Raises:
            KeyMissing: no key was presented.
            KeyRefused: it is unknown, revoked or expired.
        """
        presented = headers.get(b"authorization") or headers.get(b"x-api-key") or headers.get(b"api-key")
        if not presented:
            raise KeyMissing(
                "No API key was presented. Send `Authorization: Bearer sk-wk-...` (or `x-api-key`); "
                "make one with `watchkeeper keys create`."
            )
        entry = plan.known_keys.get(presented)
        if entry is None:
            entry = self._verify(plan, presented)
        if entry.expires_ns is not None and entry.expires_ns <= self._unix_ns():
            raise KeyRefused(f"The key {entry.public_id} has expired. Make a new one or rotate it.")
        return entry

    def attribute(self, call: Call, entry: KeyEntry, headers: list[Header]) -> str:
        """Write into the call for whom it is made, by the key and the headers, and which headers may be kept.

        Returns:
            The person as the client names them, for as long as the call takes; empty where the headers name none.

        Raises:
            TenantMismatch: the key belongs to one tenant and a header names another.
        """
        call.key_id = entry.public_id
        call.environment = entry.environment
        call.feature = entry.feature
        call.tenant = entry.tenant
        call.request_headers, telling, traceparent = self._reader.read(headers)
        if traceparent:
            call.trace_id, call.parent_span_id = _trace(_text(traceparent))
        if not telling:
            return ""
        found = self._remembered.get((entry.tenant, telling)) or self._work_out(entry.tenant, telling)
        self._refine(call, found)
        return found.person

    def _refine(self, call: Call, found: Attribution) -> None:
        call.feature = found.feature or call.feature
        call.session = found.session
        call.tags = found.tags
        call.metadata = found.metadata
        call.subject = found.subject
        call.value_milli = found.value_milli
        call.release = found.release
        call.rollout = found.rollout or call.rollout
        call.environment = found.environment or call.environment
        bound_to = call.tenant
        call.tenant = bound_to or found.tenant
        if found.tenant and found.tenant != call.tenant:
            raise TenantMismatch(
                f"The key {call.key_id} belongs to the tenant `{bound_to}` and the request names `{found.tenant}`. "
                "Leave the header out, or use a key that is bound to no tenant."
            )

    def _work_out(self, bound_to: str, telling: tuple[Header, ...]) -> Attribution:
        """Read what headers say under a key that is bound to a tenant or to none, and remember it."""
        found = self._reader.attribution(telling)
        if found.subject:
            found.person = found.subject
            found.subject = self._pseudonym(bound_to or found.tenant, found.subject)
        if sum(len(value) for _, value in telling) <= REMEMBERED_BYTES_MAX:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[bound_to, telling] = found
        return found

    def attribute_user(self, call: Call, user: str | None) -> None:
        """Take the body's `user` as the subject when no header named one."""
        if user and not call.subject:
            call.subject = self._pseudonym(call.tenant, user[:VALUE_LENGTH_MAX])

    def _verify(self, plan: Plan, presented: bytes) -> KeyEntry:
        scheme, _, rest = presented.partition(b" ")
        credential = rest.strip() if scheme.lower() == b"bearer" else presented
        key = credential.decode("latin-1")
        public_id = public_id_of(key)
        if public_id is None:
            raise KeyRefused(
                "The presented key is not one of this gateway's: they look like `sk-wk-<id>-<secret>`. "
                "Use a key made with `watchkeeper keys create`, not the provider's."
            )
        entry = plan.snapshot.keys.get(public_id)
        if entry is None or not self._keys.matches(key, entry.secret_hash):
            raise KeyRefused(
                f"The key {public_id} is unknown or revoked. List the valid ones with `watchkeeper keys list`."
            )
        if len(plan.known_keys) >= KNOWN_KEYS_MAX:
            plan.known_keys.clear()
        plan.known_keys[presented] = entry
        return entry


def _trace(traceparent: str) -> tuple[str, str]:
    """Read trace id and parent span id (W3C Trace Context); both empty when malformed."""
    parts = traceparent.split("-")
    if len(parts) >= 4 and len(parts[1]) == 32 and len(parts[2]) == 16 and parts[1].strip("0"):
        try:
            int(parts[1], 16), int(parts[2], 16)
        except ValueError:
            return "", ""
        return parts[1].lower(), parts[2].lower()
    return "", ""
