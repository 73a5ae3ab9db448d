"""The shape of `notifications`: who is told of alerts, and of which."""

import base64
import binascii
import re
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from watchkeeper.config.credentials import TEXT_OR_FILE, header_safe
from watchkeeper.config.problems import did_you_mean
from watchkeeper.config.routes import Name
from watchkeeper.core.alert import AlertKind, Severity

SECRET_PREFIX = "whsec_"  # noqa: S105 - how such a secret begins, not one
SECRET_BYTES = range(24, 65)
"""Of a signing secret, by the specification of Standard Webhooks."""
DESTINATIONS_MAX = 50


def _apprise_url(text: str) -> str:
    if re.match(r"[a-z][a-z0-9+.-]*://.", text, re.IGNORECASE) is None:
        raise ValueError("must be an address as apprise reads it, such as `slack://...` or `mailto://...`")
    return text


def _webhook(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or a password; the signature shows who sends")
    return text


def _signing_secret(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError(
            f"must be `{SECRET_PREFIX}` and, in base64, {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} random bytes; "
            f'`echo "{SECRET_PREFIX}$(openssl rand -base64 32)"` makes one'
        )
    return text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Destination(_Section):
    """Somewhere alerts are sent: by `url` through apprise, or by `webhook`, signed."""

    name: Annotated[Name, Field(description="What commands and messages call it.", examples=["ops"])]
    url: Annotated[
        str | None,
        StringConstraints(max_length=8192),
        AfterValidator(lambda text: text if text is None else _apprise_url(header_safe(text))),
        TEXT_OR_FILE,
        Field(
            repr=False,
            description="An address of any service that apprise knows: Slack, Teams, e-mail and a hundred more. "
            "Secret, for it carries credentials.",
            examples=["${OPS_SLACK_URL}", {"file": "/run/secrets/ops-mail"}],
        ),
    ] = None
    webhook: Annotated[
        str | None,
        StringConstraints(max_length=2048),
        AfterValidator(lambda text: text if text is None else _webhook(header_safe(text))),
        Field(
            description="An address that is posted to by the rules of Standard Webhooks; it needs a `secret`.",
            examples=["https://siem.example.com/watchkeeper"],
        ),
    ] = None
    secret: Annotated[
        str | None,
        StringConstraints(max_length=200),
        AfterValidator(lambda text: text if text is None else _signing_secret(text)),
        TEXT_OR_FILE,
        Field(
            repr=False,
            description="What a webhook's messages are signed with: `whsec_` and 24 to 64 random bytes in base64.",
            examples=["${WEBHOOK_SECRET}"],
        ),
    ] = None
    kinds: Annotated[
        list[AlertKind],
        Field(description="Alerts of these kinds only; by default of all.", examples=[["cost_anomaly"]]),
    ] = []
    severities: Annotated[
        list[Severity],
        Field(description="Alerts of these severities only; by default of all.", examples=[["critical"]]),
    ] = []
    resolutions: Annotated[bool, Field(description="Whether it is also told when an alert is over.")] = True

    @model_validator(mode="after")
    def _is_one_address(self) -> Self:
        if (self.url is None) == (self.webhook is None):
            raise ValueError("must have either a `url` or a `webhook`")
        if (self.webhook is None) != (self.secret is None):
            raise ValueError("a `webhook` needs a `secret` to sign with, and nothing else does")
        return self

    def takes(self, kind: AlertKind, severity: Severity) -> bool:
        """Tell whether it is told of such an alert."""
        return (not self.kinds or kind in self.kinds) and (not self.severities or severity in self.severities)


def _with_distinct_names(destinations: list[Destination]) -> list[Destination]:
    names = [destination.name for destination in destinations]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the name `{name}` occurs twice")
    return destinations


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError(f"there is no time zone `{text[:60]}`{did_you_mean(text, sorted(available_timezones()))}")
    return text


class Notifications(_Section):
    """Who is told of alerts."""

    tz: Annotated[
        str,
        AfterValidator(_zone),
        Field(
            description="Time zone of the hours and days that your traffic follows: a cost is compared with that of "
            "such hours.",
            examples=["Europe/Berlin"],
        ),
    ] = "UTC"
    destinations: Annotated[
        list[Destination],
        Field(max_length=DESTINATIONS_MAX, description="Each gets every alert of the kinds and severities it takes."),
        AfterValidator(_with_distinct_names),
    ] = []

    def named(self, name: str) -> Destination | None:
        """Return a destination; None when there is none of this name."""
        return next((destination for destination in self.destinations if destination.name == name), None)

    def takers(self, kind: AlertKind, severity: Severity) -> tuple[str, ...]:
        """Name the destinations that are told of such an alert."""
        return tuple(found.name for found in self.destinations if found.takes(kind, severity))

    def asking_for_resolutions(self) -> frozenset[str]:
        """Name the destinations that are also told when an alert is over."""
        return frozenset(found.name for found in self.destinations if found.resolutions)
