"""The wire languages that targets speak: a room for each, behind the interface of `dialect`."""

from watchkeeper.gateway.dialects.anthropic import ANTHROPIC
from watchkeeper.gateway.dialects.dialect import Dialect
from watchkeeper.gateway.dialects.openai import OPENAI

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (OPENAI, ANTHROPIC)}
"""By the name that a provider's configuration gives."""
