"""Keys: who may call, as which feature, for which tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.console import figures
from watchkeeper.console.pages.validity import state_of
from watchkeeper.store.keys import KeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One row of the list."""

    public_id: str
    feature: str
    tenant: str
    name: str
    environment: str
    made_at: str
    made_by: str
    state: str
    """`valid`, `ending`, `expired` or `revoked`."""
    state_at: str
    """When a key ends, expired or was revoked; empty for one that is simply valid."""
    calls_href: str

    @property
    def can_end(self) -> bool:
        """Whether there is still something to revoke or rotate."""
        return self.state in ("valid", "ending")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A key at the only moment it can be seen."""

    key: str
    feature: str
    name: str
    replaces: str
    """Public id of the key it follows; empty for a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """The page."""

    made: MadeKey | None
    lines: tuple[KeyLine, ...]
    """Valid ones first, each group newest first."""
    ended: int
    """How many of them are valid no more."""
    features: tuple[str, ...]
    """To choose from; others may be typed when the configuration declares none."""
    gateway_url: str


def keys_page(
    rows: Sequence[KeyRow],
    features: Iterable[str],
    *,
    now: datetime,
    gateway_url: str,
    made: MadeKey | None = None,
) -> KeysPage:
    """Build the page.

    Args:
        rows: All keys, in any order.
        features: Those that are declared or have a key.
        now: The present.
        gateway_url: With `/v1`.
        made: A key that has just been made.
    """
    lines = [_line(row, now) for row in sorted(rows, key=lambda row: row.created_at, reverse=True)]
    return KeysPage(
        made=made,
        lines=tuple(sorted(lines, key=lambda line: not line.can_end)),
        ended=sum(not line.can_end for line in lines),
        features=tuple(sorted(set(features))),
        gateway_url=gateway_url,
    )


def _line(row: KeyRow, now: datetime) -> KeyLine:
    at = row.revoked_at or row.expires_at
    return KeyLine(
        public_id=row.public_id,
        feature=row.feature,
        tenant=row.tenant,
        name=row.name,
        environment=row.environment,
        made_at=figures.iso(row.created_at),
        made_by=row.created_by,
        state=state_of(row, now),
        state_at=figures.iso(at) if at is not None else "",
        calls_href=f"/calls?window=all&key={row.public_id}",
    )
