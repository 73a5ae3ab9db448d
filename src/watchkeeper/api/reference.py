"""The API's reference page, rendered here from its own OpenAPI document: no script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter()

Schema = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
code, .path { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
h2 { margin-top: 2.5rem } h3 { margin: 1.8rem 0 .2rem } p { margin: .2rem 0 }
.verb { display: inline-block; min-width: 3.5rem }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top; border-bottom: 1px solid #8884 }
th:first-child { width: 12rem } th:nth-child(2) { width: 14rem }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


@router.get("/api/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show every path with its parameters, its body, and what it answers with."""
    return HTMLResponse("".join(_page(request.app.openapi())), headers=_HEADERS)


def _page(document: Schema) -> Iterator[str]:
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield f"<title>{title}</title><style>{_STYLE}</style><main><h1>{title}</h1>"
    yield f"<p>{_marked(document['info']['description'])}</p>"
    yield '<p>As a document: <a href="/api/openapi.json">/api/openapi.json</a></p>'
    group = ""
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if operation["tags"][0] != group:
                group = operation["tags"][0]
                yield f"<h2>{escape(group.capitalize())}</h2>"
            yield from _operation(verb, path, operation)
    yield "<h2>Documents</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{_marked(schema.get("description", ""))}</p>'
        yield from _table("field", _fields(schema))
    yield "</main></html>"


def _operation(verb: str, path: str, operation: Schema) -> Iterator[str]:
    yield f'<h3><span class="verb">{verb.upper()}</span> <span class="path">{escape(path)}</span></h3>'
    yield f"<p>{_about(operation)}</p>"
    parameters = [
        (found["name"], _limits(found["schema"], is_required=found["required"]), _about(found))
        for found in operation.get("parameters", [])
    ]
    yield from _table("parameter", parameters)
    asked = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if asked is not None:
        yield f"<p>Body: {_kind(asked['schema'])}</p>"
    for status, answer in operation["responses"].items():
        given = answer.get("content", {}).get("application/json")
        if given is not None:
            yield f"<p>{escape(status)}: {_kind(given['schema'])}</p>"


def _fields(schema: Schema) -> list[tuple[str, str, str]]:
    required = schema.get("required", ())
    return [
        (name, _limits(field, is_required=name in required), _about(field))
        for name, field in schema.get("properties", {}).items()
    ]


def _table(title: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"<table><tr><th>{title}</th><th></th><th></th></tr>"
    for name, kind, about in rows:
        yield f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{about}</td></tr>"
    yield "</table>"


def _limits(field: Schema, *, is_required: bool) -> str:
    """Say what a value is, and what it is when it is left out."""
    if is_required or field.get("default") in (None, ""):
        return _kind(field)
    return f"{_kind(field)}, else {escape(str(field['default']))}"


def _kind(field: Schema) -> str:
    if "$ref" in field:
        name = escape(field["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(option) for option in field["anyOf"]))
    if "enum" in field:
        return " or ".join(escape(str(word)) for word in field["enum"])
    match field.get("type"):
        case "array":
            return f"list of {_kind(field.get('items', {}))}"
        case "object":
            return f"by name: {_kind(field['additionalProperties'])}" if _is_mapping(field) else "object"
        case None:
            return "any JSON"
        case kind:
            return escape(str(field.get("format", kind)))


def _is_mapping(field: Schema) -> bool:
    return isinstance(field.get("additionalProperties"), dict)


def _about(described: Schema) -> str:
    return _marked(described.get("description", ""))


def _marked(text: str) -> str:
    """Escape a text; what stands between backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
