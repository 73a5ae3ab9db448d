"""The shape of `retrievers`: endpoints at which releases look documents up."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from watchkeeper.config.addresses import http_address
from watchkeeper.config.credentials import TEXT_OR_FILE, header_safe

HEADERS_MAX = 20
_OURS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "accept",
        "accept-encoding",
        "authorization",
    }
)


def _address(text: str) -> str:
    http_address(text)
    if "#" in text:
        raise ValueError("must not have a fragment")
    return text


def _own_headers(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        if name.lower() in _OURS:
            raise ValueError(f"`{name}` is written by the gateway; a secret goes into `api_key`")
    return headers


HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{0,1000}$")]
Secret = Annotated[str, StringConstraints(max_length=8192), AfterValidator(header_safe), TEXT_OR_FILE]


class Retriever(BaseModel):
    """An endpoint that finds documents for a question; see docs/retrieval.md for what it is asked and answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[
        str,
        AfterValidator(_address),
        TEXT_OR_FILE,
        Field(description="Where it is asked, with POST.", examples=["http://127.0.0.1:9000/search"]),
    ]
    api_key: Annotated[
        Secret,
        Field(
            repr=False,
            description="Sent as `authorization: Bearer`; absent for an endpoint that asks for none.",
            examples=["${KB_API_KEY}"],
        ),
    ] = ""
    headers: Annotated[
        dict[HeaderName, HeaderValue],
        AfterValidator(_own_headers),
        Field(max_length=HEADERS_MAX, description="Sent with every question.", examples=[{"x-tenant": "acme"}]),
    ] = {}
