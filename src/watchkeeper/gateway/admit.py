"""Who is calling, and on whose behalf: checks the key and reads the attribution headers."""

import json
from collections.abc import Callable
from urllib.parse import unquote

from watchkeeper.access.keys import KeyHasher, public_id_of
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.plan import KNOWN_KEYS_MAX, Plan
from watchkeeper.gateway.refusals import KeyMissing, KeyRefused, TenantMismatch
from watchkeeper.gateway.snapshot import KeyEntry

CREDENTIAL_HEADERS = frozenset(
    {b"authorization", b"x-api-key", b"api-key", b"cookie", b"proxy-authorization", b"helicone-auth"}
)
"""Never recorded and never sent upstream."""

TAGS_MAX = 32
METADATA_MAX = 32
VALUE_LENGTH_MAX = 200
"""Longer names and values are cut, further ones are left out: attribution is for grouping, not for payloads."""


class Attribution:
    """What one request's headers say of feature, tenant, subject, session, tags and trace."""

    __slots__ = ("feature", "metadata", "session", "subject", "tags", "tenant", "trace")

    def __init__(self) -> None:
        self.feature = ""
        self.tenant = ""
        self.subject = ""
        self.session = ""
        self.trace = ""
        self.tags: list[str] = []
        self.metadata: dict[str, str] = {}


def _field(name: str) -> Callable[[Attribution, str], None]:
    def put(found: Attribution, value: str) -> None:
        setattr(found, name, value[:VALUE_LENGTH_MAX])

    return put


def _tags(found: Attribution, value: str) -> None:
    found.tags += [tag.strip()[:VALUE_LENGTH_MAX] for tag in value.split(",") if tag.strip()][
        : TAGS_MAX - len(found.tags)
    ]


def _json_metadata(found: Attribution, value: str) -> None:
    try:
        pairs = json.loads(value)
    except ValueError:
        return
    if not isinstance(pairs, dict):
        return
    for name, item in pairs.items():
        if name == "_user":
            found.subject = found.subject or str(item)[:VALUE_LENGTH_MAX]
        elif len(found.metadata) < METADATA_MAX:
            found.metadata[str(name)[:VALUE_LENGTH_MAX]] = str(item)[:VALUE_LENGTH_MAX]


_FIELDS: dict[bytes, Callable[[Attribution, str], None]] = {
    b"x-wk-feature": _field("feature"),
    b"x-wk-tenant": _field("tenant"),
    b"x-wk-subject": _field("subject"),
    b"x-wk-session": _field("session"),
    b"x-wk-tags": _tags,
    b"traceparent": _field("trace"),
    # the headers that clients of other gateways already send
    b"x-litellm-tags": _tags,
    b"x-litellm-end-user-id": _field("subject"),
    b"x-litellm-customer-id": _field("subject"),
    b"x-litellm-session-id": _field("session"),
    b"x-litellm-trace-id": _field("session"),
    b"x-litellm-spend-logs-metadata": _json_metadata,
    b"x-portkey-metadata": _json_metadata,
    b"x-portkey-trace-id": _field("session"),
    b"helicone-user-id": _field("subject"),
    b"helicone-session-id": _field("session"),
    b"x-bf-customer-id": _field("subject"),
}
_PREFIXES = (b"x-wk-meta-", b"helicone-property-", b"x-bf-dim-")
_OWN = b"x-wk-"


def read_attribution(headers: list[tuple[bytes, bytes]]) -> Attribution:
    """Read the attribution that a request carries; an `x-wk-` header wins over another gateway's alias."""
    found = Attribution()
    own: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        put = _FIELDS.get(name)
        if put is not None:
            if name.startswith(_OWN):
                own.append((name, value))
            else:
                put(found, _text(value))
        elif name.startswith(_PREFIXES) and len(found.metadata) < METADATA_MAX:
            prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
            found.metadata[name[len(prefix) :].decode("latin-1")[:VALUE_LENGTH_MAX]] = _text(value)[:VALUE_LENGTH_MAX]
    for name, value in own:
        _FIELDS[name](found, _text(value))
    return found


def _text(value: bytes) -> str:
    """Header values are UTF-8 here, percent-encoded where a client could not send them otherwise."""
    text = value.decode("utf-8", "replace")
    return unquote(text) if "%" in text else text


class Admission:
    """Lets a request in under its key, and writes into the call who it is for."""

    def __init__(self, keys: KeyHasher, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._hash = keys.hash
        self._pseudonym = pseudonyms.of
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

    def attribute(self, call: Call, entry: KeyEntry, headers: list[tuple[bytes, bytes]]) -> None:
        """Write into the call for whom it is made: what the key is bound to, refined by the headers.

        Raises:
            TenantMismatch: the key belongs to one tenant and a header names another.
        """
        found = read_attribution(headers)
        call.key_id = entry.public_id
        call.environment = entry.environment
        call.feature = found.feature or entry.feature
        call.tenant = entry.tenant or found.tenant
        call.session = found.session
        call.tags = found.tags
        call.metadata = found.metadata
        if found.subject:
            call.subject = self._pseudonym(call.tenant, found.subject)
        if found.trace:
            call.trace_id, call.parent_span_id = _trace(found.trace)
        if found.tenant and found.tenant != call.tenant:
            raise TenantMismatch(
                f"The key {entry.public_id} belongs to the tenant `{entry.tenant}` and the request names `{found.tenant}`. "
                "Leave the header out, or use a key that is bound to no tenant."
            )

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
        if entry is None or not self._hash.matches(key, entry.secret_hash):
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
