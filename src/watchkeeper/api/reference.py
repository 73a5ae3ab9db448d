"""The API's reference page, rendered here from its own OpenAPI document: no script, nothing from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter()

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
:root { color-scheme: light dark }
code, .path { font-family: ui-monospace, monospace } h2 { margin-top: 2.5rem } h3 { margin: 1.5rem 0 .2rem }
.verb { display: inline-block; min-width: 3.5rem; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0 }
td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top } p { margin: .2rem 0 }
"""


@router.get("/api/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show every path with its parameters."""
    document = request.app.openapi()
    page = "".join(_page(document))
    headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(page, headers=headers)


def _page(document: dict[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    yield f"<main><h1>{title}</h1><p>{_code(document['info']['description'])}</p>"
    yield '<p>As a document: <a href="/api/openapi.json">/api/openapi.json</a></p>'
    group = None
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if operation.get("tags") and operation["tags"][0] != group:
                group = operation["tags"][0]
                yield f"<h2>{escape(group.capitalize())}</h2>"
            yield f'<h3><span class="verb">{verb.upper()}</span> <span class="path">{escape(path)}</span></h3>'
            yield f"<p>{_code(operation.get('description', operation.get('summary', '')))}</p>"
            yield from _parameters(operation)
            yield from _body(document, operation)
    yield "</main></html>"


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    found = operation.get("parameters", [])
    if not found:
        return
    yield "<table><tr><th>parameter</th><th>in</th><th></th></tr>"
    for parameter in found:
        yield f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td>"
        yield f"<td>{_code(parameter.get('description', ''))}</td></tr>"
    yield "</table>"


def _body(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
    yield "<table><tr><th>body field</th><th></th><th></th></tr>"
    for name, field in schema["properties"].items():
        kind = field.get("type") or " or ".join(option.get("type", "") for option in field.get("anyOf", []))
        needed = "required" if name in schema.get("required", []) else f"default {field.get('default')!r}"
        yield f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}, {escape(needed)}</td>"
        yield f"<td>{_code(field.get('description', ''))}</td></tr>"
    yield "</table>"


def _code(text: str) -> str:
    """Escape a text; what stands between backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
