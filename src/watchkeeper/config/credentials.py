"""Values that are secret: how they are written in the configuration, and under which keys they stand."""

from pydantic import WithJsonSchema

SECRET_KEYS = frozenset({"api_key", "client_secret", "secret", "url"})
"""Keys whose values are secret wherever they stand. A `url` of a destination carries its credentials."""

TEXT_OR_FILE = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"file": {"type": "string", "description": "File that holds the secret."}},
                "required": ["file"],
                "additionalProperties": False,
            },
        ]
    }
)
"""A secret is written as text, better as `${NAME}` or `{file: PATH}`."""


def header_safe(text: str) -> str:
    """Return a text that may be sent in a header.

    Raises:
        ValueError: it has other characters than visible ASCII.
    """
    if not all("!" <= letter <= "~" for letter in text):
        raise ValueError("must consist of visible ASCII characters without blanks, because it is sent in a header")
    return text
