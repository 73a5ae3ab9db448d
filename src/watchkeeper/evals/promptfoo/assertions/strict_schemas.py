"""What Ajv in its strict mode refuses of a schema: keywords and formats unknown to it, keywords without effect."""

from typing import Any

DEPTH_MAX = 100
DIALECTS = ("http://json-schema.org/draft-07/schema", "http://json-schema.org/schema")
"""That Ajv knows, with or without `#` at the end."""
KEYWORDS = frozenset(
    (
        "$async", "$comment", "$defs", "$id", "$ref", "$schema", "$vocabulary", "additionalItems",
        "additionalProperties", "allOf", "anyOf", "const", "contains", "contentEncoding", "contentMediaType",
        "contentSchema", "default", "definitions", "dependencies", "deprecated", "description", "else", "enum",
        "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "formatExclusiveMaximum",
        "formatExclusiveMinimum", "formatMaximum", "formatMinimum", "id", "if", "items", "maxItems", "maxLength",
        "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not",
        "nullable", "oneOf", "pattern", "patternProperties", "properties", "propertyNames", "readOnly", "required",
        "then", "title", "type", "uniqueItems", "writeOnly",
    )
)  # fmt: skip
FORMATS = frozenset(
    (
        "date", "time", "date-time", "iso-time", "iso-date-time", "duration", "uri", "uri-reference", "uri-template",
        "url", "email", "hostname", "ipv4", "ipv6", "regex", "uuid", "json-pointer", "json-pointer-uri-fragment",
        "relative-json-pointer", "byte", "int32", "int64", "float", "double", "password", "binary",
    )
)  # fmt: skip
_SCHEMAS = ("additionalItems", "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf")
_NAMED = ("properties", "patternProperties", "definitions", "$defs", "dependencies")


class SchemaRefused(Exception):
    """Ajv does not compile a schema, for a reason that is told."""


def check(schema: Any, depth: int = 0) -> None:
    """Raise SchemaRefused where Ajv refuses a schema."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaRefused("a schema is an object, `true` or `false`")
    if depth > DEPTH_MAX:
        raise SchemaRefused("it is nested too deeply")
    for keyword in schema:
        if keyword not in KEYWORDS:
            raise SchemaRefused(f"the keyword `{keyword}` is unknown")
    _check_whole(schema, depth)
    for keyword in _SCHEMAS:
        if keyword in schema:
            check(schema[keyword], depth + 1)
    for keyword in _LISTS:
        for each in schema.get(keyword) or ():
            check(each, depth + 1)
    for keyword in _NAMED:
        for each in dict(schema.get(keyword) or {}).values():
            if not isinstance(each, list):
                check(each, depth + 1)
    items = schema.get("items")
    for each in items if isinstance(items, list) else [items] if items is not None else []:
        check(each, depth + 1)


def _check_whole(schema: dict[str, Any], depth: int) -> None:
    dialect = schema.get("$schema")
    if depth == 0 and isinstance(dialect, str) and dialect.rstrip("#") not in DIALECTS:
        raise SchemaRefused(f"`$schema`: {dialect} is not known")
    if "id" in schema:
        raise SchemaRefused("the keyword `id` is not allowed; it is called `$id`")
    named = schema.get("format")
    if isinstance(named, str) and named not in FORMATS:
        raise SchemaRefused(f"the format `{named}` is unknown")
    if "if" in schema and "then" not in schema and "else" not in schema:
        raise SchemaRefused("`if` stands without `then` and `else`, and is ignored")
    if ("then" in schema or "else" in schema) and "if" not in schema:
        raise SchemaRefused("`then` or `else` stands without `if`, and is ignored")
    if "additionalItems" in schema and not isinstance(schema.get("items"), list):
        raise SchemaRefused("`additionalItems` stands without a list of `items`, and is ignored")
    if "nullable" in schema and "type" not in schema:
        raise SchemaRefused("`nullable` stands without `type`")


def with_nullable(schema: Any) -> Any:
    """Write Ajv's `nullable: true` as draft 7 has it: `null` among the types."""
    if isinstance(schema, list):
        return [with_nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: item if key in ("const", "enum", "default") else with_nullable(item) for key, item in schema.items()}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str | list):
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        made["type"] = [*types, *(["null"] if "null" not in types else [])]
    return made
