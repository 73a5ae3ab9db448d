"""The shape of `sign_in`: how people get into the console other than with a password of their own."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from watchkeeper.config.credentials import TEXT_OR_FILE
from watchkeeper.core.roles import Role

RULES_MAX = 200
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which nothing need be encrypted."""


def is_safe_address(text: str) -> bool:
    """Tell whether an address is one of https, or one of this machine, where secrets may be sent to."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.password is not None or not text.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _address(text: str) -> str:
    if not is_safe_address(text) or "?" in text or "#" in text or " " in text:
        raise ValueError("must begin with https:// and a host, without user, query or fragment")
    return text


Claim = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimRole(_Section):
    """A role for those of whom the provider says something."""

    claim: Annotated[Claim, Field(description="What the provider says it of.", examples=["groups"])]
    equals: Annotated[
        Line, Field(description="The claim's value, or one of its values where it is a list.", examples=["ops"])
    ]
    role: Role
    feature: Annotated[Line, Field(max_length=200, description="For which feature; `*` for every one.")] = "*"


class Oidc(_Section):
    """A provider of OpenID Connect, with which people sign in."""

    issuer: Annotated[
        str,
        AfterValidator(_address),
        Field(
            description="As the provider writes it in its own discovery document, to the last character.",
            examples=["https://login.example.com/realms/main"],
        ),
    ]
    client_id: Annotated[Line, Field(description="As the provider knows Watchkeeper.", examples=["watchkeeper"])]
    client_secret: Annotated[
        str,
        StringConstraints(max_length=2_000),
        TEXT_OR_FILE,
        Field(repr=False, description="Absent for a public client.", examples=["${OIDC_CLIENT_SECRET}"]),
    ] = ""
    label: Annotated[Line, Field(max_length=60, description="Of the button: `Sign in with ...`.")] = "single sign-on"
    scopes: Annotated[
        list[Line], Field(max_length=20, description="What is asked for; `openid` is always among them.")
    ] = ["openid", "email", "profile"]
    name: Annotated[Claim, Field(description="The claim that becomes the user's name at their first sign-in.")] = (
        "email"
    )
    roles: Annotated[
        list[ClaimRole],
        Field(max_length=RULES_MAX, description="Roles by what the provider says; they are set anew at every sign-in."),
    ] = []
    default_role: Annotated[
        Role | Literal["none"],
        Field(
            description="Of those who get no other role from the provider. With `none`, who has no role at all is not "
            "let in."
        ),
    ] = "none"
    console_url: Annotated[
        str,
        AfterValidator(lambda text: _address(text) if text else text),
        Field(
            description="Where browsers reach the console, if it cannot tell by itself, as behind a proxy that ends "
            "TLS. The provider must know this address with `/login/oidc/return` behind it.",
            examples=["https://watchkeeper.example.com"],
        ),
    ] = ""


class SignIn(_Section):
    """How people get into the console, beside passwords and links."""

    oidc: Annotated[Oidc | None, Field(description="OpenID Connect; without it nobody signs in that way.")] = None
