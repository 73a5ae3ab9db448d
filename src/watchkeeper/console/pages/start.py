"""First call: where to send it, with which key, and whether it has arrived."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console.pages.calls import CallLine, call_line
from watchkeeper.store.keys import KeyRow
from watchkeeper.store.rows import CallRow

NO_ROUTE = "provider/model"
KEY_VARIABLE = "WATCHKEEPER_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A first call in one language."""

    id: str
    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The part of the page that waits."""

    line: CallLine | None
    """The newest call; None while there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPage:
    """The page."""

    gateway_url: str
    model: str
    has_route: bool
    key_hint: str
    """How the first valid key begins; empty when there is none."""
    key_name: str
    snippets: tuple[Snippet, ...]
    arrival: Arrival


def start_page(newest: Sequence[CallRow], keys: Sequence[KeyRow], *, gateway_url: str, model: str) -> StartPage:
    """Build the page.

    Args:
        newest: The newest call, if there is one.
        keys: Valid keys, in any order.
        gateway_url: With `/v1`.
        model: A route to try; empty when there is none.
    """
    first = min(keys, key=lambda key: key.created_at, default=None)
    return StartPage(
        gateway_url=gateway_url,
        model=model or NO_ROUTE,
        has_route=bool(model),
        key_hint=f"sk-wk-{first.public_id}-…" if first else "",
        key_name=(first.name or first.feature) if first else "",
        snippets=_snippets(gateway_url, model or NO_ROUTE),
        arrival=arrival(newest),
    )


def arrival(newest: Sequence[CallRow]) -> Arrival:
    """Tell whether a call has arrived."""
    return Arrival(line=call_line(newest[0]) if newest else None)


def _snippets(gateway_url: str, model: str) -> tuple[Snippet, ...]:
    question = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
    curl = (
        f'curl {gateway_url}/chat/completions \\\n  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d '{question}'"
    )
    python = (
        f'import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="{gateway_url}", '
        f'api_key=os.environ["{KEY_VARIABLE}"])\n'
        f'reply = client.chat.completions.create(\n    model="{model}",\n'
        '    messages=[{"role": "user", "content": "Say hello."}],\n)\nprint(reply.choices[0].message.content)'
    )
    node = (
        f'import OpenAI from "openai";\n\nconst client = new OpenAI({{\n  baseURL: "{gateway_url}",\n'
        f"  apiKey: process.env.{KEY_VARIABLE},\n}});\n"
        f'const reply = await client.chat.completions.create({{\n  model: "{model}",\n'
        '  messages: [{ role: "user", content: "Say hello." }],\n});\nconsole.log(reply.choices[0].message.content);'
    )
    return (Snippet("curl", "curl", curl), Snippet("python", "Python", python), Snippet("node", "Node", node))
